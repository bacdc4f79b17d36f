"""Error over the dropout rate."""

from collections import Counter
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dropout_bench.analysis.drawn import Compared, compared
from dropout_bench.analysis.statistics import Interval
from dropout_bench.params.arms import Cell
from dropout_bench.params.values import rates_text
from dropout_bench.report import text
from dropout_bench.report.figures import style
from dropout_bench.report.figures.kind import Kind, along_axis
from dropout_bench.report.figures.style import Colours
from dropout_bench.tables.read import Results


def lines(results: Results) -> dict[tuple[str, float, str], list[Cell]]:
    """Sort cells with one rate for all layers into lines: by variant, rate of the pixels, options.

    A line begins at the network without dropout; with dropout of the pixels, at its own rate 0.
    """
    found: dict[tuple[str, float, str], list[Cell]] = {}
    for cell in results.experiment.cells():
        if len({*cell.dropout}) == 1 and any((*cell.dropout, cell.input_dropout)):
            base = results.experiment.without_dropout(cell)
            start = [base] if base and not cell.input_dropout else []
            found.setdefault((cell.variant, cell.input_dropout, cell.options), start).append(cell)
    return {line: sorted(those, key=lambda cell: cell.dropout) for line, those in found.items()}


def draw(results: Results, colours: Colours) -> Figure:
    """Draw test error and generalisation gap over the dropout rate of the hidden layers.

    Where settings are drawn the paired gain comes first, a dot a draw; the spread of the rest would
    be that of the settings, and only means are drawn of it.
    """
    drawn = bool(results.experiment.draw.names)
    figure = Figure(figsize=(style.WIDTH, 3.4 if drawn else 2.6), layout="constrained")
    before, (of_error, of_gap) = _panels(figure, drawn)
    found = lines(results)
    several = [len({*each}) > 1 for each in zip(*found, strict=True)]
    for place, ((variant, pixels, options), cells) in enumerate(found.items()):
        rates = [cell.dropout[0] for cell in cells]
        errors = [style.error(results, cell) for cell in cells]
        gaps = [style.percent(results.figures(cell, "gap/accuracy")) for cell in cells]
        parts = (variant, f"{100 * pixels:g} % of the pixels dropped", options)
        label = ", ".join(part for part, told in zip(parts, several, strict=True) if told)
        colour = colours(cells[-1]) if several[0] else style.NEUTRAL
        dash, marker = (each[place % len(each)] for each in (style.DASHES, style.MARKERS))
        for panel, intervals in zip((of_error, of_gap), (errors, gaps), strict=True):
            means = [interval.mean for interval in intervals]
            panel.plot(rates, means, dash, color=colour, lw=1.2, label=label)
            for cell, rate, interval in zip(cells, rates, intervals, strict=True):
                only_mean = interval if not drawn else Interval(interval.mean, *[interval.mean] * 2)
                style.with_bars(panel, [rate], [only_mean], color=colours(cell), marker=marker)
        for panel in before:
            _gains(panel, results, cells, colours, {"ls": dash, "color": colour, "label": label})
    for panel in before:
        _layered(panel, results, colours)
        panel.axhline(0, color="black", lw=0.8)
        # Equal steps to two points, then logarithmic: a rate that ruins a network is seen beside.
        low, high = panel.get_ylim()
        panel.set_yscale("symlog", linthresh=2, linscale=1.2)
        panel.set_yticks([at for at in (-50, -20, -5, -2, -1, 0, 1, 2, 5) if low < at < high])
        panel.set_ylim(low, high)
        panel.yaxis.set_major_formatter("{x:g}")
        panel.set(ylabel="gain in test accuracy (points)", xlabel="dropout rate")
    of_error.set(ylabel="mean test error (%)" if drawn else "test error (%)")
    of_gap.set(ylabel="gap (points)" if drawn else "training − test accuracy (points)")
    of_gap.set(xlabel="dropout rate" if drawn else "dropout rate of the hidden layers")
    if not drawn:
        of_error.set(xlabel="dropout rate of the hidden layers")
    finding = text.rates_title(_by_rate(results)) if drawn else ""
    style.title(figure, "Which dropout rate is best?", finding)
    if len(found) > 1:
        style.name_lines(figure, of_gap)
    return figure


def _panels(figure: Figure, drawn: bool) -> tuple[list[Axes], list[Axes]]:
    """Make the panel of gains, where settings are drawn, and those of error and gap."""
    if not drawn:
        return [], list(figure.subplots(1, 2))
    grid = figure.add_gridspec(2, 2, width_ratios=[1.7, 1])
    upper = figure.add_subplot(grid[0, 1])
    upper.tick_params(labelbottom=False)
    return [figure.add_subplot(grid[:, 0])], [upper, figure.add_subplot(grid[1, 1], sharex=upper)]


def _by_rate(results: Results) -> list[Compared]:
    """Return what is compared of the lines' cells."""
    those = {cell.label for cells in lines(results).values() for cell in cells}
    return [each for each in compared(results) if each.cell.label in those]


def _gains(
    panel: Axes, results: Results, cells: list[Cell], colours: Colours, look: dict[str, Any]
) -> None:
    """Draw the gains of a line of cells over their rates: dots, means with intervals."""
    pairs = {each.cell.label: each for each in compared(results)}
    there = [(cell, pairs[cell.label]) for cell in cells if cell.label in pairs]
    starts = [cell.dropout[0] for cell in cells if cell.label not in pairs]
    x = [cell.dropout[0] for cell, _ in there]
    means = [float(pair.accuracy.mean()) for _, pair in there]
    panel.plot([*starts, *x], [*[0.0] * len(starts), *means], lw=1.2, **look)
    for cell, pair in there:
        _dots(panel, cell.dropout[0], pair, colours(cell), "o")


def _dots(panel: Axes, at: float, pair: Compared, colour: Any, marker: str) -> None:
    beside = at + 0.012 * np.cos(2.4 * np.arange(len(pair.accuracy)))
    panel.plot(beside, pair.accuracy, "o", color=colour, ms=2.5, alpha=0.4, mew=0)
    style.with_bars(panel, [at], [pair.in_accuracy.gain], color="black", marker=marker, mfc=colour)


def _layered(panel: Axes, results: Results, colours: Colours) -> None:
    """Draw arms with a rate for each layer at their mean rate, named."""
    seen: Counter[float] = Counter()
    for pair in compared(results):
        rates = pair.cell.dropout
        if len({*rates}) > 1:
            mean = round(sum(rates) / len(rates), 6)
            seen[mean] += 1
            at = mean + 0.035 * (2 * seen[mean] - 3)
            gain = pair.in_accuracy.gain
            style.with_bars(panel, [at], [gain], color=colours(pair.cell), marker="s", mfc="white")
            panel.annotate(
                rates_text(rates), (at, gain.high), (0, 4), textcoords="offset points",
                ha="center", rotation=90, va="bottom",
            )  # fmt: skip


def applies(results: Results) -> bool:
    """Whether there are rates enough to be an axis."""
    cells = [] if results.experiment.arms else results.experiment.cells()
    rates = {c.dropout for c in cells if len({*c.dropout}) == 1}
    return len(rates) > 2 and not along_axis(results)


KIND = Kind(
    "rates",
    draw,
    applies,
    "Test error over the dropout rate, and the generalisation gap: training accuracy less test "
    f"accuracy. Marks are means, bars the {style.INTERVAL}.",
    place=10,
    of_drawn=" First the gain over no dropout, paired: a dot a draw; squares have a rate for each "
    "layer, at their mean; beyond 2 points the scale is logarithmic. Error and gap have no bars: "
    "their spread is that of the settings.",
)
