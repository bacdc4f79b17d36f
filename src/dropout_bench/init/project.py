"""Writing a project of one's own, from the files in ``template``.

A file's name there is its name in the project, with ``dot-`` for a dot that it begins with, and
``.in`` at the end of what is no part of this package though it looks so.
"""

from collections.abc import Iterator
from pathlib import Path

from dropout_bench._version import __version__
from dropout_bench.errors import BenchError
from dropout_bench.files import whole_folder

TEMPLATE = Path(__file__).with_name("template")


def write(folder: Path) -> list[Path]:
    """Write a project into a new or empty folder, whole or not at all; return its files.

    Raises:
        BenchError: there is something in the folder, or it is none.
    """
    target = folder.resolve()
    if target.exists() and not target.is_dir():
        raise BenchError(f"{folder}: a file; name a folder that is new, or empty")
    if target.exists() and any(target.iterdir()):
        raise BenchError(f"{folder}: not empty; name a folder that is new, or empty")
    written = []
    with whole_folder(target) as unfinished:
        for name, text in _files():
            path = unfinished / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            written.append(folder / name)
    return written


def _files() -> Iterator[tuple[Path, str]]:
    """Give each file's name in a project, and its text."""
    for file in sorted(TEMPLATE.rglob("*")):
        if file.is_file():
            parts = file.relative_to(TEMPLATE).parts
            named = [f".{p[4:]}" if p.startswith("dot-") else p.removesuffix(".in") for p in parts]
            yield Path(*named), file.read_text(encoding="utf-8").replace("@VERSION@", __version__)
