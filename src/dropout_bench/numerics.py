"""The numeric environment: the same bits on every x86-64 CPU with AVX2, under Linux.

PyTorch promises no bit-reproducibility between machines: MKL picks its kernels by CPU vendor, ATen
and oneDNN by instruction set, and sums depend on the number of threads. All of that is settled by
environment variables that are read when torch is loaded, so the command line and all workers set
them before torch is, by :func:`pin_environment`; importing the package does not.

What cannot be pinned by a variable is pinned in code: :func:`use_one_thread`, and the matrix
products of :class:`dropout_bench.models.linear.PortableLinear`.
"""

import functools
import os
import platform
import sys
from pathlib import Path

PINNED_ENVIRONMENT = {
    "ATEN_CPU_CAPABILITY": "avx2",  # element-wise kernels and reductions of ATen
    "ONEDNN_MAX_CPU_ISA": "AVX2",  # matrix products (see PortableLinear)
    "MKL_CBWR": "COMPATIBLE",  # what little still goes through MKL
    "OMP_NUM_THREADS": "1",  # the order of every parallel sum
}

PORTABLE = "oneDNN-AVX2"
"""Arithmetic whose results are the same bits on every x86-64 CPU with AVX2, under Linux."""

NATIVE = "native"
"""Arithmetic as this machine, or this GPU, does it: equal within rounding only."""


def _has_avx2() -> bool:
    # The same bits are shown on Linux alone: other systems have other builds of torch.
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return False
    return " avx2" in Path("/proc/cpuinfo").read_text()


def pin_environment() -> None:
    """Set the variables above, unless torch is loaded already or the CPU has no AVX2.

    They are inherited by every process started from here, so by the sweep's workers too.
    """
    if "torch" not in sys.modules and _has_avx2():
        os.environ.update(PINNED_ENVIRONMENT)


def is_pinned() -> bool:
    """Whether torch was, or will be, loaded under :data:`PINNED_ENVIRONMENT`."""
    return _has_avx2() and all(os.environ.get(k) == v for k, v in PINNED_ENVIRONMENT.items())


def use_one_thread() -> None:
    """Make torch compute on one thread: one and two threads give different sums."""
    import torch

    torch.set_num_threads(1)


@functools.cache  # asked for in every forward pass
def arithmetic(device_type: str = "cpu") -> str:
    """Name the arithmetic that a run on ``device_type`` uses: :data:`PORTABLE` or :data:`NATIVE`.

    It is part of a run's key, so results of different arithmetic never pass for each other.
    """
    import torch

    # The operator is private to torch and built in on x86-64 only.
    operator = hasattr(torch.ops.mkldnn, "_linear_pointwise")
    usable = operator and torch.backends.mkldnn.is_available()
    return PORTABLE if device_type == "cpu" and usable and is_pinned() else NATIVE
