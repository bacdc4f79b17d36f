"""Writing so that nothing half-written is ever taken for whole."""

import contextlib
import errno
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_STALE = 3600  # seconds after which a temporary folder is one that a killed process left


def write_text(path: Path, text: str) -> None:
    """Write a text that Git has: the same bytes on every system, whatever its line ends are."""
    path.write_text(text, encoding="utf-8", newline="\n")


@contextmanager
def unfinished_folder(parent: Path, name: str) -> Iterator[Path]:
    """Give a temporary folder in another one, which is made; it is gone after the block.

    Those that killed processes left there are removed.
    """
    parent.mkdir(parents=True, exist_ok=True)
    for left in parent.glob(".*.part"):
        with contextlib.suppress(FileNotFoundError):  # another process is done with it
            if time.time() - left.stat().st_mtime > _STALE:
                shutil.rmtree(left, ignore_errors=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{name}.", suffix=".part", dir=parent))
    try:
        yield unfinished
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Give a temporary folder beside ``folder``; put it in its place at the end.

    If the block raises, nothing is left behind and ``folder`` is as it was. Of two processes that
    write the same folder at once, one comes last; none sees a mixture.
    """
    with unfinished_folder(folder.parent, folder.name) as unfinished:
        yield unfinished
        unfinished.chmod(0o755)
        _take_place(unfinished, folder)


def _take_place(unfinished: Path, folder: Path) -> None:
    former = unfinished.with_name(f"{unfinished.name}.former.part")
    while True:
        with contextlib.suppress(FileNotFoundError):  # there is none, or another process has it
            folder.replace(former)
        try:
            unfinished.replace(folder)
        except OSError as error:
            if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
                if former.exists():
                    former.replace(folder)
                raise
            # Another process was quicker: what it wrote is replaced in turn.
            shutil.rmtree(former, ignore_errors=True)
        else:
            shutil.rmtree(former, ignore_errors=True)
            return
