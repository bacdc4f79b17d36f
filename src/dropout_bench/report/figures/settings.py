"""What a gain depends on: over everything that was drawn."""

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dropout_bench.analysis.drawn import GAP, Dependence, dependence, drops, own_options
from dropout_bench.analysis.statistics import Interval, mean_interval
from dropout_bench.quantities.quantity import Values
from dropout_bench.report import text
from dropout_bench.report.figures.kind import Kind
from dropout_bench.report.figures.style import INTERVAL, WIDTH, Colours, title, with_bars
from dropout_bench.tables.read import Results

COLUMNS = 3
FEW = 4
"""Numbers with no more values than these are levels; means of fewer draws have no interval."""


def draw(results: Results, colours: Colours) -> Figure:
    """Draw the gain of the arm that stands for dropout over each quantity that was drawn."""
    found = dependence(results)
    if found is None:
        raise ValueError(f"{results.name} draws no settings")
    names = [str(name) for name in found.settings]
    rows = -(-len(names) // COLUMNS)
    figure = Figure(figsize=(WIDTH, 1.55 * rows), layout="constrained")
    grid = figure.add_gridspec(rows, COLUMNS)
    first: Axes | None = None
    for place, name in enumerate(names):
        row, column = divmod(place, COLUMNS)
        across = slice(column, COLUMNS if name == GAP else column + 1)  # it comes last
        panel = figure.add_subplot(grid[row, across], sharey=first)
        first = first or panel
        _panel(panel, found, name, colours)
        panel.tick_params(labelleft=column == 0)
        if column == 0:
            panel.set(ylabel="gain (points)")
    if first:  # by the dots: intervals of a few draws would press all else flat
        low, high = min(0, *found.pair.accuracy), max(0, *found.pair.accuracy)
        first.set_ylim(low - 0.1 * (high - low), high + 0.1 * (high - low))
    of, than = found.pair.cell.label, found.pair.than.label
    question = f"When does {of} gain test accuracy over {than}?"
    title(figure, question, text.goes_with(found, short=True))
    return figure


def _panel(panel: Axes, found: Dependence, name: str, colours: Colours) -> None:
    """Draw the gain over one quantity: levels with their means, or numbers with a line."""
    gains, values = found.pair.accuracy, found.settings[name]
    colour = colours(found.pair.cell)
    panel.axhline(0, color="black", lw=0.8)
    said = text.factor_title(name)
    if any(text.factor_title(factor.name) == said for factor in found.found):
        panel.set_title(f"{said} *", fontweight="bold")
    else:
        panel.set_title(said)
    if name == GAP:
        panel.set_xlabel("training − validation accuracy without dropout (points)")
    few = 1 if name == GAP else FEW
    if pd.api.types.is_numeric_dtype(values) and values.nunique() > few:
        _numbers(panel, values.to_numpy(dtype=float), gains, colour, logarithmic=name != GAP)
        return
    levels = sorted(values.unique(), key=_order)
    by_level = [gains[(values == level).to_numpy()] for level in levels]
    for place, those in enumerate(by_level):
        beside = place + np.linspace(-0.18, 0.18, len(those))
        panel.plot(beside, those, "o", color=colour, ms=3, alpha=0.5, mew=0)
    intervals = [
        mean_interval(those)
        if len(those) >= FEW
        else Interval(float(np.mean(those)), math.nan, math.nan)
        for those in by_level
    ]
    with_bars(panel, range(len(levels)), intervals, color="black", marker="D", ls="none")
    names = [text.level(level) for level in levels]
    panel.set_xticks(range(len(levels)), names)
    panel.set_xlim(-0.5, len(levels) - 0.5)
    if sum(map(len, names)) > 24:
        panel.tick_params(axis="x", rotation=30)
        for label in panel.get_xticklabels():
            label.set(ha="right", rotation_mode="anchor")


def _numbers(panel: Axes, x: Values, gains: Values, colour: object, logarithmic: bool) -> None:
    panel.plot(x, gains, "o", color=colour, ms=3.5, alpha=0.7, mew=0)
    places = np.log(x) if logarithmic else x
    slope, start = np.polyfit(places, gains, 1)
    ends = np.array([places.min(), places.max()])
    panel.plot(np.exp(ends) if logarithmic else ends, start + slope * ends, color="black", lw=1.2)
    if logarithmic:
        panel.set_xscale("log")
        ticks = text.round_ticks(float(x.min()), float(x.max()))
        panel.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        panel.minorticks_off()


def _order(level: object) -> tuple[list[float], str]:
    parts = str(level).split("-")
    numbers = [float(part) for part in parts] if all(p.isdigit() for p in parts) else []
    return numbers, str(level)


def applies(results: Results) -> bool:
    """Whether it asks of dropout alone: of one kind of it, at whatever rates, and no other option.

    Experiments that compare dropout with something else share its draws: the figure would be the
    same in each of them.
    """
    asked = results.experiment
    arms = [cell.arm for cell in asked.cells()]
    kinds = {arm.variant for arm in arms if drops(arm)}
    alone = len(kinds) == 1 and not any(own_options(asked, arm) for arm in arms)
    return alone and dependence(results) is not None


KIND = Kind(
    "settings",
    draw,
    applies,
    "A dot is a draw: a setting and a seed. Diamonds are means over the draws of a level, bars the "
    f"{INTERVAL}, where there are four draws or more; they may leave the panel. Lines are least "
    "squares. A star marks what the gain goes with (permutation test, adjusted by Holm over all "
    "panels, p below 0.05). The gap is taken on validation images: on test images it would share "
    "the noise of the gain.",
    place=12,
)
