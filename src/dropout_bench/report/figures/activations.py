"""Activations of the first hidden layer."""

from matplotlib.figure import Figure

from dropout_bench.report.figures.kind import Kind, measures
from dropout_bench.report.figures.style import (
    INTERVAL,
    Colours,
    over_places,
    panels,
    percent,
    title,
)
from dropout_bench.tables.read import Results


def draw(results: Results, colours: Colours) -> Figure:
    """Draw the distribution of the first hidden layer's activations, and how many are zero.

    The rows of the right panel are the key to the lines of the left one.
    """
    cells = results.experiment.cells()
    figure, axes = panels(2, 2.7, width_ratios=[1.5, 1])
    for place, (cell, look) in enumerate(colours.lines(cells)):
        over_places(axes[0], results, cell, "activations/histogram", look, 100, markevery=(2, 4))
        zeros = percent(results.figures(cell, "activations/zeros", at=1))
        axes[1].plot([zeros.low, zeros.high], [place] * 2, color=look["color"], lw=2)
        axes[1].plot(zeros.mean, place, color=look["color"], marker=look["marker"], ms=6)
    axes[0].set(
        xlabel="activation (the last bin holds all above)",
        ylabel="share of all activations (%)",
        yscale="log",
    )
    axes[1].set_yticks(range(len(cells)), [cell.label for cell in cells])
    axes[1].set_ylim(len(cells) - 0.5, -0.5)
    axes[1].set(xlabel="activations that are zero (%)")
    title(figure, "Are hidden units more often silent with dropout?")
    return figure


KIND = Kind(
    "activations",
    draw,
    measures("activations"),
    "Activations of the first hidden layer on the test images, in evaluation mode. Left, their "
    "distribution, in bins of 0.25; right, the share of zeros, and which mark is whose. Lines and "
    f"marks are means, bands and bars the {INTERVAL}.",
    place=60,
)
