"""dropout-bench: what tutorials say about dropout, as experiments anyone can re-run.

Importing the package pins the numeric environment (see :mod:`dropout_bench.numerics`) and makes
torchvision importable beside a CPU-only torch (see :mod:`dropout_bench.torchvision_schemas`), so
import it before torch. It imports neither itself: ``dropout-bench --help`` stays quick.
"""

import importlib
from typing import TYPE_CHECKING, Any

from dropout_bench import numerics, torchvision_schemas
from dropout_bench._version import __version__

if TYPE_CHECKING:
    from dropout_bench.training.load import load_run

__all__ = ["__version__", "load_run"]

numerics.pin_environment()
torchvision_schemas.declare_when_needed()


def __getattr__(name: str) -> Any:
    """Load torch only when something that needs it is asked for."""
    if name == "load_run":
        return importlib.import_module("dropout_bench.training.load").load_run
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
