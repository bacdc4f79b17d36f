"""Writing so that nothing half-written is ever taken for whole."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_STALE = 3600  # seconds after which a temporary folder is one that a killed process left


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Give a temporary folder beside ``folder``; put it in its place at the end.

    If the block raises, nothing is left behind and ``folder`` is as it was.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    for left in folder.parent.glob(".*.part"):
        if time.time() - left.stat().st_mtime > _STALE:
            shutil.rmtree(left, ignore_errors=True)
    unfinished = Path(
        tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.parent)
    )
    try:
        yield unfinished
        unfinished.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        unfinished.replace(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
