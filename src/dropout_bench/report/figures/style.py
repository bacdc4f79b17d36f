"""What figures have in common: colours, panels, axes, legends.

Everywhere the network without dropout is blue, and dropout is the redder the higher its rate.
Points are means over seeds, bars and bands their 95 % intervals (Student's).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from dropout_bench.analysis.drawn import own_options
from dropout_bench.analysis.statistics import Interval, mean_interval
from dropout_bench.params.arms import Cell
from dropout_bench.params.experiment import Experiment
from dropout_bench.quantities.quantity import Values
from dropout_bench.tables.read import Results

BLUE, VERMILION = "#0072B2", "#D55E00"
HUES = (
    "#009E73", "#5A2D4B", "#CC79A7", "#FFC300", "#3C1EA5", "#78E187", "#96D2FF",
    "#6969FF", "#780F1E", "#FFB4C3", "#0000FF", "#F01E5A", "#87A5FF", "#781E78",
)  # fmt: skip
"""Of the variants beside ``standard`` and ``dropout``: as far from those two and from each other
as can be, also for colour-blind readers (CIELAB, deuteranopia and protanopia by Machado 2009)."""
DASHES = ("-", "--", ":", "-.")
MARKERS = "osD^vP"
SPLIT_NAMES = {"train": "training", "val": "validation", "test": "test"}
AXES = {"loss": "negative log-likelihood (nats)", "accuracy": "accuracy (%)"}
STYLE: dict[Any, Any] = {
    "figure.dpi": 200,
    "font.size": 9,
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.alpha": 0.3,
    "legend.frameon": False,
    "svg.hashsalt": "",
}


class Colours:
    """The colours of a report, the same in all of its figures.

    Each variant has its hue, and so have the options of arms that have names; within a variant the
    colour is the darker the higher the rate. An arm that chooses its rate has that of their mean.

    Args:
        experiments: the report's; their order gives the variants their hues.
    """

    def __init__(self, experiments: Iterable[Experiment]) -> None:
        self._options: dict[tuple[str, str], str] = {}
        cells: list[Cell] = []
        for each in experiments:
            cells += each.cells()
            for cell in each.cells() if each.arms else ():
                self._options[_arm(cell)] = ", ".join(own_options(each, cell.arm))
        hues = [self._hue(cell) for cell in cells]
        variants = [hue for cell, hue in zip(cells, hues, strict=True) if hue == cell.variant]
        others = dict.fromkeys([*variants, *hues])  # variants first: they have the best hues
        hues = [hue for hue in others if hue not in {"standard", "dropout"}]
        self._places = {hue: place for place, hue in enumerate(hues)}

    def _hue(self, cell: Cell) -> str:
        """Name what has a hue of its own: options beside no dropout or dropout, or a variant."""
        if cell.variant in {"standard", "dropout"}:
            return self._options.get(_arm(cell), "") or cell.variant
        return cell.variant

    def __call__(self, cell: Cell) -> Any:
        """Return the colour of a cell."""
        rates = [max(*each.dropout, each.input_dropout) for each in cell.arm.candidates()]
        rate = sum(rates) / len(rates)
        hue_of = self._hue(cell)
        if hue_of == "standard":
            return BLUE
        if hue_of == "dropout":
            return mpl.colormaps["YlOrRd"](0.4 + 0.6 * rate)
        again, place = divmod(self._places[hue_of], len(HUES))
        hue = np.array(to_rgb(HUES[place])) * 0.7**again
        shift = 1.2 * (rate - 0.5) if rate else 0.0
        if hue_of != cell.variant:  # options: as they are without dropout, darker with it
            shift = 0.4 if rate else 0.0
        return tuple((hue * (1 - shift) if shift > 0 else hue - (1 - hue) * shift).tolist())

    def lines(self, cells: Iterable[Cell]) -> Iterator[tuple[Cell, dict[str, Any]]]:
        """Give each cell of a panel its colour, and a dash that no other of that colour has."""
        seen: Counter[Any] = Counter()
        for cell in cells:
            colour = self(cell)
            yield cell, {"color": colour, "ls": DASHES[seen[colour] % len(DASHES)]}
            seen[colour] += 1


def _arm(cell: Cell) -> tuple[str, str]:
    """Return what is the same of an arm wherever it stands."""
    return cell.label.partition(",")[0], str(cell.arm)


def panels(columns: int, width: float, height: float, **more: Any) -> tuple[Figure, list[Axes]]:
    """Make a figure of panels side by side, its size in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, list(figure.subplots(1, columns, squeeze=False, **more)[0])


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
    panel.plot(x, [i.mean for i in intervals], **{"label": cell.label} | look | style)
    low, high = [i.low for i in intervals], [i.high for i in intervals]
    panel.fill_between(x, low, high, color=look["color"], alpha=0.2, lw=0)


def label_without(cell: Cell, part: str) -> str:
    """Return a cell's label without the part that an axis or a panel says."""
    return ", ".join(each for each in cell.label.split(", ") if each != part)
