"""What figures have in common: colours, titles, panels, axes, names of lines.

Everywhere networks without dropout are grey, and dropout is the darker the higher its rate.
Points are means, bars and bands their 95 % intervals (Student's), unless a caption says otherwise.
"""

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.text import Annotation

from dropout_bench.analysis.drawn import drops
from dropout_bench.analysis.statistics import Interval, mean_interval
from dropout_bench.params.arms import Cell
from dropout_bench.params.experiment import Experiment
from dropout_bench.quantities.quantity import Values
from dropout_bench.tables.read import Results

NEUTRAL, BLUE, VERMILION = "#555555", "#0072B2", "#D55E00"
HUES = (
    BLUE, "#CC79A7", "#009E73", "#56B4E9", "#E0B400", "#0000F0",
    "#001E96", "#781E00", "#78D278", "#3C1E5A", "#785AF0", "#5A001E",
)  # fmt: skip
"""Of the variants beside ``dropout``: those of Okabe and Ito, then colours as far from these, from
grey and from orange as can be, also for colour-blind readers (CIELAB, deuteranopia and protanopia
by Machado 2009)."""
DASHES = ("-", "--", ":", "-.")
MARKERS = "osD^vP"
SPLIT_NAMES = {"train": "training", "val": "validation", "test": "test"}
AXES = {"loss": "negative log-likelihood (nats)", "accuracy": "accuracy (%)"}
INTERVAL = "95 % interval of the mean (Student's)"
WIDTH = 7.0
"""Of every figure, in inches."""
SIZE = 9
"""Of all text but the question, in points."""
STYLE: dict[Any, Any] = {
    "figure.dpi": 130,
    "font.size": SIZE,
    "axes.titlesize": SIZE,
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.alpha": 0.3,
    "legend.frameon": False,
    "svg.hashsalt": "",
}


class Colours:
    """The colours of a report, the same in all of its figures.

    Networks without dropout are grey. Each variant that drops has its hue; within it the colour is
    the darker the higher the rate. An arm that chooses its rate has that of their mean.

    Args:
        experiments: the report's; their order gives the variants their hues.
    """

    def __init__(self, experiments: Iterable[Experiment]) -> None:
        cells = [cell for each in experiments for cell in each.cells() if drops(cell.arm)]
        variants = dict.fromkeys(cell.variant for cell in cells if cell.variant != "dropout")
        self._places = {variant: place for place, variant in enumerate(variants)}

    def __call__(self, cell: Cell) -> Any:
        """Return the colour of a cell."""
        if not drops(cell.arm):
            return NEUTRAL
        rates = [max(*each.dropout, each.input_dropout) for each in cell.arm.candidates()]
        rate = sum(rates) / len(rates)
        if cell.variant == "dropout":
            return mpl.colormaps["Oranges"](0.38 + 0.62 * rate)
        again, place = divmod(self._places[cell.variant], len(HUES))
        hue = np.array(to_rgb(HUES[place])) * 0.7**again
        shift = 1.2 * (rate - 0.5)
        return tuple((hue * (1 - shift) if shift > 0 else hue - (1 - hue) * shift).tolist())

    def lines(self, cells: Iterable[Cell]) -> Iterator[tuple[Cell, dict[str, Any]]]:
        """Give each cell of a panel its look: colour, marker, a dash no other of the hue has."""
        seen: Counter[Any] = Counter()
        for number, cell in enumerate(cells):
            colour = self(cell)
            again = self._places.get(cell.variant, 0) // len(HUES)  # a hue that two variants have
            dash = DASHES[(seen[colour] + again) % len(DASHES)]
            yield cell, {"color": colour, "ls": dash, "marker": MARKERS[number % len(MARKERS)]}
            seen[colour] += 1


def panels(columns: int, height: float, **more: Any) -> tuple[Figure, list[Axes]]:
    """Make a figure of panels side by side, its height in inches."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    return figure, list(figure.subplots(1, columns, squeeze=False, **more)[0])


def title(figure: Figure, question: str, finding: str = "") -> None:
    """Write above a figure, which grows by it, the question it answers and what is found."""
    lines = [line for told in finding.splitlines() for line in textwrap.wrap(told, 110)]
    figure.set_figheight(figure.get_figheight() + 0.3 + 0.2 * len(lines))
    # The title holds the lines of the finding free, which has another size and weight.
    asked = figure.suptitle(
        "\n".join([question, *" " * len(lines)]), x=0.005, ha="left", fontsize=SIZE + 2,
        fontweight="bold",
    )  # fmt: skip
    figure.add_artist(
        Annotation("\n".join(lines), (0, 0), xycoords=asked, fontsize=SIZE, linespacing=1.4)
    )


FEW = 5
"""Up to so many lines are named at their ends."""


def name_lines(figure: Figure, *those: Axes) -> None:
    """Name the lines of panels: at their ends in each of these, or below the figure if many."""
    by_panel = [panel.get_legend_handles_labels() for panel in those]
    if len({label for _, labels in by_panel for label in labels}) > FEW:
        legend(figure, 2, *those)
        return
    figure.draw_without_rendering()  # where lines end is known once panels have their places
    for panel, (handles, labels) in zip(those, by_panel, strict=True):
        lines: list[Any] = [h.lines[0] if isinstance(h, ErrorbarContainer) else h for h in handles]
        ends = {
            label: (line.get_xydata()[-1], line.get_color())
            for label, line in zip(labels, lines, strict=True)
            if len(line.get_xydata())
        }
        to_panel = panel.transData - panel.transAxes
        heights = [float(to_panel.transform(end)[1]) for end, _ in ends.values()]
        gap = 1.25 * SIZE / 72 * figure.dpi / panel.get_window_extent().height
        for (label, (end, colour)), at in zip(ends.items(), apart(heights, gap), strict=True):
            leader = {"arrowstyle": "-", "color": colour, "shrinkA": 0, "shrinkB": 3}
            panel.annotate(
                label, end, (1.05, at), textcoords="axes fraction", va="center", fontsize=SIZE,
                arrowprops=leader, annotation_clip=False,
            )  # fmt: skip


def apart(heights: Sequence[float], gap: float) -> list[float]:
    """Move heights in [0, 1] apart to a gap, in their order: up, and from the top down again."""
    order = np.argsort(heights, kind="stable")
    moved = np.clip(np.asarray(heights, dtype=float)[order], 0, 1)
    steps = gap * np.arange(len(moved))
    moved = np.maximum.accumulate(moved - steps) + steps
    tops = 1 - steps[::-1]
    moved = np.minimum(moved, tops)
    found = np.empty_like(moved)
    found[order] = moved
    return list(map(float, found))


def legend(figure: Figure, columns: int, *those: Axes) -> None:
    """Write below the figure what the lines of its panels are, each label once."""
    by_label: dict[Any, Any] = {}
    for panel in those:
        handles, labels = panel.get_legend_handles_labels()
        by_label |= dict(zip(labels, handles, strict=True))
    figure.legend(by_label.values(), by_label.keys(), loc="outside lower center", ncols=columns)


def with_bars(panel: Axes, x: Sequence[Any], intervals: Sequence[Interval], **style: Any) -> None:
    """Draw intervals over x."""
    means = [interval.mean for interval in intervals]
    below = [interval.mean - interval.low for interval in intervals]
    above = [interval.high - interval.mean for interval in intervals]
    panel.errorbar(
        x, means, yerr=np.nan_to_num([below, above]), capsize=2, ms=4, lw=1.2, elinewidth=1, **style
    )


def dots(panel: Axes, values: Values, place: float, colour: Any) -> None:
    """Draw values as dots of a row, their mean and its interval above them."""
    beside = place + 0.22 * np.cos(2.4 * np.arange(len(values)))
    panel.plot(values, beside, "o", color=colour, ms=2.5, alpha=0.6, mew=0)
    mean, low, high = mean_interval(values)
    panel.plot([low, high], [place] * 2, color="black", lw=1.6, solid_capstyle="butt")
    panel.plot(mean, place, "D", color=colour, mec="black", mew=0.8, ms=5)


def percent(values: Values) -> Interval:
    """Return the interval of fractions, in %."""
    return mean_interval(100 * values)


def error(results: Results, cell: Cell) -> Interval:
    """Return the interval of a cell's test error, in %."""
    return percent(1 - results.figures(cell, "test/accuracy"))


def gain(results: Results, cell: Cell) -> Interval | None:
    """Return the accuracy that dropout adds to a cell, paired by seed, in points."""
    if (base := results.experiment.without_dropout(cell)) is None:
        return None
    return percent(np.subtract(*(results.figures(c, "test/accuracy") for c in (cell, base))))


def by_place(results: Results, cell: Cell, metric: str) -> dict[Any, Values]:
    """Return a cell's values of a measure, one a seed, by their place."""
    rows = results.of(cell, "measures")
    places = rows[rows["metric"] == metric].groupby("at")["value"]
    return {at: values.to_numpy() for at, values in places}


def over_places(
    panel: Axes,
    results: Results,
    cell: Cell,
    metric: str,
    look: dict[str, Any],
    scale: float = 1.0,
    **style: Any,
) -> None:
    """Draw a measure over its places: mean over seeds, a band of the 95 % interval."""
    by_at = by_place(results, cell, metric)
    x, intervals = list(by_at), [mean_interval(scale * values) for values in by_at.values()]
    shown: dict[str, Any] = {"label": cell.label, "ms": 4, **look, **style}
    panel.plot(x, [i.mean for i in intervals], **shown)
    low, high = [i.low for i in intervals], [i.high for i in intervals]
    panel.fill_between(x, low, high, color=look["color"], alpha=0.2, lw=0)


def label_without(cell: Cell, part: str) -> str:
    """Return a cell's label without the part that an axis or a panel says."""
    return ", ".join(each for each in cell.label.split(", ") if each != part)
