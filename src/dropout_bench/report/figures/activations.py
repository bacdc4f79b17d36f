"""Activations of the first hidden layer."""

from matplotlib.figure import Figure

from dropout_bench.report.figures.kind import Kind, measures
from dropout_bench.report.figures.style import Colours, legend, over_places, panels, percent
from dropout_bench.tables.read import Results


def draw(results: Results, colours: Colours) -> Figure:
    """Draw the distribution of the first hidden layer's activations, and how many are zero."""
    cells = results.experiment.cells()
    figure, axes = panels(2, 8, 3.2, width_ratios=[2, 1])
    for place, (cell, look) in enumerate(colours.lines(cells)):
        histogram, colour = "activations/histogram", look["color"]
        over_places(axes[0], results, cell, histogram, look, 100, drawstyle="steps-post")
        zeros = percent(results.figures(cell, "activations/zeros", at=1))
        axes[1].plot([zeros.low, zeros.high], [place] * 2, color=colour, lw=2)
        axes[1].plot(zeros.mean, place, "o", color=colour, ms=5)
    axes[0].set(
        xlabel="activation in the first hidden layer (last bin: all above)",
        ylabel="share of activations (%)",
        yscale="log",
    )
    axes[1].set_yticks(range(len(cells)), [cell.label for cell in cells])
    axes[1].set_ylim(len(cells) - 0.5, -0.5)
    axes[1].set(xlabel="activations that are zero (%)")
    legend(figure, 5, axes[0])
    return figure


KIND = Kind(
    "activations",
    draw,
    measures("activations"),
    "Activations of the first hidden layer on the test images, in evaluation mode.",
    place=60,
)
