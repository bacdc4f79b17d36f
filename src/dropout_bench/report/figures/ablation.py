"""Accuracy with units silenced."""

from matplotlib.figure import Figure

from dropout_bench.report.figures.kind import Kind, measures
from dropout_bench.report.figures.style import Colours, legend, over_places, panels
from dropout_bench.tables.read import Results


def draw(results: Results, colours: Colours) -> Figure:
    """Draw the accuracy over the share of units of the first hidden layer that are silenced."""
    figure, axes = panels(1, 4.5, 3.2)
    for cell, look in colours.lines(results.experiment.cells()):
        over_places(axes[0], results, cell, "ablation/group", look, 100, marker="o", ms=3)
    axes[0].set(xlabel="share of units silenced", ylabel="test accuracy (%)")
    legend(figure, 3, axes[0])
    return figure


KIND = Kind(
    "silenced",
    draw,
    measures("ablation"),
    "Units of the first hidden layer are silenced at random, without training again.",
    place=70,
)
