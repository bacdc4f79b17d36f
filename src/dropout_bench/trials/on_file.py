"""What the command ``try --data`` does: a file in, a result and its page out."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from dropout_bench.errors import BenchError
from dropout_bench.trials.on_table import on_table
from dropout_bench.trials.page import check_folder, write
from dropout_bench.trials.table import read
from dropout_bench.trials.verdict import TableResult

FOLDER = Path("trials")

Number = TypeVar("Number", int, float)


def on_file(
    path: Path, target: str | None, name: str | None, hidden: str, rates: str, **settings: Any
) -> tuple[TableResult, Path]:
    """Try dropout on a file's table; write the page, and return the result and the page.

    Args:
        path: the file.
        target: of CSV, the column of classes.
        name: of the page's folder in ``trials``; the file's without one.
        hidden: widths, ``256,128``.
        rates: rates, ``0.2,0.35,0.5``.
        settings: the others of :func:`dropout_bench.trials.on_table.on_table`.

    Raises:
        BenchError: something given cannot be, or trainings failed.
    """
    widths = _numbers("--hidden", hidden, int)
    chosen = _numbers("--rates", rates, float)
    folder = FOLDER / (name if name is not None else _name_of(path))
    if not re.fullmatch(r"[\w][\w.-]*", folder.name) or folder.parent != FOLDER:
        raise BenchError(f'--name "{name}": letters, digits, "-", "_" and "." are possible')
    check_folder(folder)  # before anything trains
    result = on_table(read(path, target), widths, chosen, **settings)
    return result, write(result, folder)


def _name_of(path: Path) -> str:
    return re.sub(r"\W+", "-", path.stem).strip("-") or "table"


def _numbers(option: str, text: str, kind: Callable[[str], Number]) -> list[Number]:
    try:
        return [kind(part) for part in text.split(",")]
    except ValueError as error:
        raise BenchError(f'{option} "{text}": give numbers with commas between them') from error
