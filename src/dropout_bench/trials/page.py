"""The page of a trial on a table: Markdown, one-file HTML, figures, tables; and the terminal's."""

import base64
import json
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2

from dropout_bench.errors import BenchError
from dropout_bench.files import whole_folder
from dropout_bench.report import html
from dropout_bench.report.figures.kind import save
from dropout_bench.trials import pictures

if TYPE_CHECKING:
    from rich.console import RenderableType

    from dropout_bench.trials.verdict import TableResult

RESULT = "result.json"
_FIGURES = {
    "effect": pictures.of_effects,
    "curves": pictures.of_curves,
    "gap": pictures.of_gap,
}

_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("dropout_bench.trials", "."),
    autoescape=True,  # names of the user's may be anything
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


def check_folder(folder: Path) -> None:
    """Refuse a folder that has other things than an earlier trial: it would be replaced.

    Raises:
        BenchError: it has.
    """
    if folder.exists() and not (folder / RESULT).is_file():
        raise BenchError(f"{folder}: it is there, and no trial's; give another --name")


def write(result: "TableResult", folder: Path) -> Path:
    """Write ``README.md``, ``index.html``, figures and tables into a folder of their own.

    Raises:
        BenchError: the folder has other things than an earlier trial.
    """
    check_folder(folder)
    with whole_folder(folder) as unfinished:
        for name, drawing in _FIGURES.items():
            save(unfinished / f"{name}.png", drawing, result)
        markdown = _TEMPLATES.get_template("table.md.jinja").render(it=result, rows=_rows(result))
        (unfinished / "README.md").write_text(markdown, encoding="utf-8")
        page = html.page(markdown, unfinished)
        (unfinished / "index.html").write_text(page, encoding="utf-8")
        told = json.dumps(result.as_json(), indent=1)
        (unfinished / RESULT).write_text(told + "\n", encoding="utf-8")
        for name, table in (("chosen", result.table), ("runs", result.runs)):
            table.to_csv(unfinished / f"{name}.csv", index=False, lineterminator="\n")
    return folder / "README.md"


_HEAD = ("", "rate", "test loss", "test accuracy", "training accuracy", "gap")


def _rows(result: "TableResult") -> list[tuple[str, ...]]:
    """Return a row an arm: means over the draws."""
    return [
        (
            str(arm),
            result.rate(str(arm)).removeprefix(str(arm)).strip(" ()") if place else "–",
            f"{means['test/loss']:.3f}",
            f"{100 * means['test/accuracy']:.2f} %",
            f"{100 * means['train/accuracy']:.2f} %",
            f"{100 * means['gap']:.2f} points",
        )
        for place, (arm, means) in enumerate(result.summary().iterrows())
    ]


def fragment(result: "TableResult") -> str:
    """Return the result for a notebook: sentence, picture, table."""
    picture = base64.b64encode(pictures.png(pictures.of_effects, result)).decode()
    cells = [_HEAD, *_rows(result)]
    table = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells_)}</tr>" for cells_ in cells
    )
    return (
        f"<p><strong>{escape(result.sentence)}</strong></p>"
        f'<img alt="{escape(result.sentence)}" src="data:image/png;base64,{picture}">'
        f"<table>{table}</table>"
    )


def told(result: "TableResult") -> Iterator["RenderableType"]:
    """Tell the result in the terminal."""
    from rich.table import Table

    yield result.sentence
    table = Table(*_HEAD, box=None)
    for row in _rows(result):
        table.add_row(*row)
    yield table
    yield from (f"note: {note}" for note in result.notes)
