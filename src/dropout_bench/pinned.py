"""Importing this module pins the numeric environment; what local workers are forked from does."""

from dropout_bench import numerics

numerics.pin_environment()
