"""A trial in words: as a page of Markdown and HTML, as a fragment of HTML, and in the terminal."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
from markdown_it import MarkdownIt
from rich.console import RenderableType
from rich.table import Table

from dropout_bench.files import whole_folder
from dropout_bench.report import html, text
from dropout_bench.report.figures.kind import save
from dropout_bench.trials.figure import CAPTION, drawn
from dropout_bench.trials.pictures import png

if TYPE_CHECKING:
    from dropout_bench.trials.result import Difference, Trial

FIGURE = "differences.png"
PAGE = "README.md"

_TEMPLATES = jinja2.Environment(  # noqa: S701 (Markdown, from our own values)
    loader=jinja2.PackageLoader("dropout_bench.trials", "."),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


def markdown(trial: "Trial", figure: str = "") -> str:
    """Write a trial as Markdown; the figure is named if there is one."""
    return _TEMPLATES.get_template("trial.md.jinja").render(
        trial=trial,
        figure=figure,
        caption=CAPTION,
        text=text,
        one_more=one_more,
        setting=_setting,
    )


def one_more(each: "Difference") -> str:
    """Write where the difference at one more setting would lie."""
    scale, digits, unit = (100, 2, " points") if "accuracy" in each.metric else (1, 3, " nats")
    low, high = (f"{scale * end:+.{digits}f}" for end in each.one_more)
    return f"{low} to {high}{unit}"


def _setting(row: dict[str, Any]) -> str:
    return (
        f"{text.level(row['dataset'])}, {row['train_size']} images, {row['hidden']}, pixels "
        f"{text.level(row['normalise'])}, batches of {row['batch_size']}, step size "
        f"{row['learning_rate']:g}"
    )


def write_page(trial: "Trial", folder: Path) -> Path:
    """Write a trial's page, whole or not at all: Markdown, figure, one-file HTML, JSON."""
    with whole_folder(folder) as unfinished:
        if trial.differences:
            save(unfinished / FIGURE, drawn, trial)
        page = markdown(trial, FIGURE if trial.differences else "")
        (unfinished / PAGE).write_text(page, encoding="utf-8")
        (unfinished / "index.html").write_text(html.page(page, unfinished), encoding="utf-8")
        (unfinished / "trial.json").write_text(trial.model_dump_json(indent=1), encoding="utf-8")
    return folder / PAGE


def fragment(trial: "Trial") -> str:
    """Write what was found as HTML, for a notebook: sentences, picture, table."""
    by_kind = {than: trial.against(than).values() for than in trial.known}
    rows = "\n".join(
        "| " + " | ".join([than, *(f"{one.effect}: **{one.verdict}**" for one in those)]) + " |"
        for than, those in by_kind.items()
    )
    lines = [f"- {told}" for told in (*trial.sentences()[:2], *trial.notes())]
    head = "| against | test loss | test accuracy |\n|---|---|---|"
    told = f"**{trial.name}**\n\n" + "\n".join(lines) + (f"\n\n{head}\n{rows}\n" if rows else "")
    picture = f"![{trial.name} against the known kinds](picture)\n\n{CAPTION}\n" if rows else ""
    page = str(
        MarkdownIt("commonmark", {"html": False}).enable("table").render(f"{told}\n{picture}")
    )
    if not rows:
        return page
    drawing = base64.b64encode(png(drawn, trial)).decode()
    return page.replace('src="picture"', f'src="data:image/png;base64,{drawing}"')


def in_terminal(trial: "Trial") -> Iterator[RenderableType]:
    """Lay a trial out for the terminal."""
    if trial.differences:
        table = Table("against", "test loss", "", "test accuracy", "", box=None)
        for than in trial.known:
            ones = trial.against(than).values()
            table.add_row(than, *(cell for one in ones for cell in (one.effect, one.verdict)))
        yield table
    for told in (*trial.sentences()[:2], *trial.notes()):
        yield told.replace("**", "")
