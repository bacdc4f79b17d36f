"""Error over the dropout rate."""

from typing import NamedTuple

from matplotlib.figure import Figure

from dropout_bench.analysis.results import Results
from dropout_bench.params.run import Cell
from dropout_bench.report.figures.kind import Kind, along_axis
from dropout_bench.report.figures.style import (
    DASHES,
    MARKERS,
    Colours,
    error,
    legend,
    panels,
    percent,
    with_bars,
)


class Line(NamedTuple):
    """What the cells of a line share."""

    variant: str
    input_dropout: float
    options: str


def lines(results: Results) -> dict[Line, list[Cell]]:
    """Sort the cells with one rate for all layers into lines, from the one without dropout on."""
    experiment = results.experiment
    found: dict[Line, list[Cell]] = {}
    for cell in experiment.cells():
        if len({*cell.dropout}) == 1 and any((*cell.dropout, cell.input_dropout)):
            line = Line(cell.variant, cell.input_dropout, cell.options)
            base = experiment.without_dropout(cell)
            # With dropout of the pixels a line begins at its own network of rate 0.
            start = [base] if base and not cell.input_dropout else []
            found.setdefault(line, start).append(cell)
    return {line: sorted(those, key=lambda cell: cell.dropout) for line, those in found.items()}


def draw(results: Results, colours: Colours) -> Figure:
    """Draw test error and generalisation gap over the dropout rate of the hidden layers."""
    figure, axes = panels(2, 8, 3.2)
    found = lines(results)
    several = {name: len({getattr(line, name) for line in found}) > 1 for name in Line._fields}
    for place, (line, cells) in enumerate(found.items()):
        rates = [cell.dropout[0] for cell in cells]
        errors = [error(results, cell) for cell in cells]
        gaps = [percent(results.figures(cell, "gap/accuracy")) for cell in cells]
        parts = {
            "variant": line.variant,
            "input_dropout": f"{100 * line.input_dropout:g} % of the pixels dropped",
            "options": line.options,
        }
        label = ", ".join(part for name, part in parts.items() if several[name])
        colour = colours(cells[-1]) if several["variant"] else "#777777"
        for panel, intervals in zip(axes, (errors, gaps), strict=True):
            means = [interval.mean for interval in intervals]
            style = DASHES[place % len(DASHES)]
            panel.plot(rates, means, style, color=colour, lw=1.2, label=label)
            for cell, rate, interval in zip(cells, rates, intervals, strict=True):
                marker = MARKERS[place % len(MARKERS)]
                with_bars(panel, [rate], [interval], color=colours(cell), marker=marker)
    axes[0].set(xlabel="dropout rate of the hidden layers", ylabel="test error (%)")
    axes[1].set(
        xlabel="dropout rate of the hidden layers", ylabel="training − test accuracy (points)"
    )
    if len(found) > 1:
        legend(figure, 3, axes[0])
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
