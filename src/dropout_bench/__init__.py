"""dropout-bench: what tutorials say about dropout, as experiments anyone can re-run.

Importing the package makes torchvision importable beside a CPU-only torch (see
:mod:`dropout_bench.torchvision_schemas`), and changes nothing else: no thread, no environment, no
logger. Who trains in a process of their own and wants the bits of the reports asks for them before
torch is loaded: ``dropout_bench.pin_environment()`` (see :mod:`dropout_bench.numerics`). The
command line, and all workers, do. Torch is not imported here: ``dropout-bench --help`` stays quick.
"""

import importlib
from typing import TYPE_CHECKING, Any

from dropout_bench import torchvision_schemas
from dropout_bench._version import __version__
from dropout_bench.numerics import pin_environment

if TYPE_CHECKING:
    from dropout_bench.training.load import load_run
    from dropout_bench.trials.laws import check_variant
    from dropout_bench.trials.python import trial

__all__ = ["__version__", "check_variant", "load_run", "pin_environment", "trial"]

_AT_HOME = {
    "check_variant": "dropout_bench.trials.laws",
    "load_run": "dropout_bench.training.load",
    "trial": "dropout_bench.trials.python",
}
"""Modules of what is imported when it is asked for."""

torchvision_schemas.declare_when_needed()


def __getattr__(name: str) -> Any:
    """Load torch, and other heavy libraries, only when something that needs them is asked for."""
    if name in _AT_HOME:
        return getattr(importlib.import_module(_AT_HOME[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
