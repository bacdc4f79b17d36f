"""Accuracy with units silenced."""

from matplotlib.figure import Figure

from dropout_bench.report.figures.kind import Kind, measures
from dropout_bench.report.figures.style import (
    INTERVAL,
    Colours,
    name_lines,
    over_places,
    panels,
    title,
)
from dropout_bench.tables.read import Results


def draw(results: Results, colours: Colours) -> Figure:
    """Draw the accuracy over the share of units of the first hidden layer that are silenced."""
    figure, axes = panels(1, 2.9)
    for cell, look in colours.lines(results.experiment.cells()):
        over_places(axes[0], results, cell, "ablation/group", look, 100)
    axes[0].set(
        xlabel="share of the units of the first hidden layer that is silenced",
        ylabel="test accuracy (%)",
    )
    title(figure, "Which network suffers most when units are silenced?")
    name_lines(figure, axes[0])
    return figure


KIND = Kind(
    "silenced",
    draw,
    measures("ablation"),
    "Units of the first hidden layer are silenced at random, without training again. Lines are "
    f"means over draws, bands the {INTERVAL}.",
    place=70,
)
