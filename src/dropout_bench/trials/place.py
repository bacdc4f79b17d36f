"""Where a trial finds what it compares with, and keeps what it has trained: in a clone or out."""

import os
from pathlib import Path

from dropout_bench.errors import BenchError
from dropout_bench.params.file import Params

_PACKAGE = Path(__file__).parents[1]
_CARRIED = _PACKAGE / "carried"
"""What the wheel carries: ``params.yaml``, ``claims.yaml``, tables in ``reports/results``."""

KINDS = Path("reports", "results", "kinds")


def tables() -> Path:
    """Return the folder that has ``params.yaml``, ``claims.yaml`` and ``reports/results/kinds``.

    That is the clone that one stands in, or that this package lies in; else the wheel's own.

    Raises:
        BenchError: the package has none.
    """
    here = Path.cwd()
    for folder in (here, *here.parents, _PACKAGE.parents[1], _CARRIED):
        if (folder / Params.file).is_file() and (folder / KINDS / "runs.csv").is_file():
            return folder
    raise BenchError(f"{_CARRIED}: no tables to compare with; install dropout-bench again")


def of_runs(tables: Path) -> Path:
    """Return where data and runs of a trial lie: beside its tables, unless the wheel has these."""
    return home() if tables == _CARRIED else tables


def home() -> Path:
    """Return the folder that the run store and datasets belong to: a project's, else the user's.

    Outside a project that is ``$XDG_CACHE_HOME/dropout-bench``, or ``~/.cache/dropout-bench``.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        # Many other projects have a params.yaml; nothing is put into these.
        if all((folder / name).is_file() for name in (Params.file, "claims.yaml")):
            return folder
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dropout-bench"
