"""The report: a function of the measurements alone."""

from pathlib import Path

import jinja2

from benchmarks import settings, tables
from benchmarks.measurements import Measurements

_TITLES = {
    "tutorial-loop": "the tutorials' loop",
    "conventional-lightning": "conventional Lightning",
    "bare-loop": "bare loop",
    "ours": "**ours**",
    "matrix-products": "*matrix products alone*",
    "sweep": "**ours, the sweep**",
}


def render(measured: Measurements) -> str:
    """Return the report as Markdown."""
    environment = jinja2.Environment(  # noqa: S701 (Markdown, from our own numbers)
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    rows = tables.contenders(measured)
    return environment.get_template("benchmark.md.jinja").render(
        plan=measured.plan,
        machine=measured.machine,
        goals=tables.goals(measured),
        sweep_goal=tables.LEAST_TIMES_TUTORIAL,
        contenders=rows,
        by_name={row.name: row for row in rows},
        sweeps=tables.sweeps(measured),
        ceiling=tables.sweep_ceiling(measured),
        start_up=tables.sweep_start_up(measured),
        without_start_up=tables.speed_up_without_start_up(measured),
        accuracies=tables.accuracies(measured),
        growth=tables.growth(measured),
        titles=_TITLES,
        settings=settings,
        plural=plural,
    )


def plural(count: int, noun: str) -> str:
    """Write a count and what is counted: ``1 run``, ``20 runs``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
