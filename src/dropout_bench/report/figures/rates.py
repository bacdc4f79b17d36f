"""Error over the dropout rate."""

from matplotlib.figure import Figure

from dropout_bench.params.arms import Cell
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
    """Draw test error and generalisation gap over the dropout rate of the hidden layers."""
    figure, axes = style.panels(2, 8, 3.2)
    found = lines(results)
    several = [len({*each}) > 1 for each in zip(*found, strict=True)]
    for place, ((variant, pixels, options), cells) in enumerate(found.items()):
        rates = [cell.dropout[0] for cell in cells]
        errors = [style.error(results, cell) for cell in cells]
        gaps = [style.percent(results.figures(cell, "gap/accuracy")) for cell in cells]
        parts = (variant, f"{100 * pixels:g} % of the pixels dropped", options)
        label = ", ".join(part for part, told in zip(parts, several, strict=True) if told)
        colour = colours(cells[-1]) if several[0] else "#777777"
        dash, marker = (each[place % len(each)] for each in (style.DASHES, style.MARKERS))
        for panel, intervals in zip(axes, (errors, gaps), strict=True):
            means = [interval.mean for interval in intervals]
            panel.plot(rates, means, dash, color=colour, lw=1.2, label=label)
            for cell, rate, interval in zip(cells, rates, intervals, strict=True):
                style.with_bars(panel, [rate], [interval], color=colours(cell), marker=marker)
    xlabel = "dropout rate of the hidden layers"
    axes[0].set(xlabel=xlabel, ylabel="test error (%)")
    axes[1].set(xlabel=xlabel, ylabel="training − test accuracy (points)")
    if len(found) > 1:
        style.legend(figure, 3, axes[0])
    return figure


def applies(results: Results) -> bool:
    """Whether there are rates enough to be an axis."""
    rates = {c.dropout for c in results.experiment.cells() if len({*c.dropout}) == 1}
    return len(rates) > 2 and not along_axis(results)


KIND = Kind(
    "rates",
    draw,
    applies,
    "Left, test error over the dropout rate; right, the generalisation gap. "
    "Bars are 95 % intervals over seeds.",
    place=10,
)
