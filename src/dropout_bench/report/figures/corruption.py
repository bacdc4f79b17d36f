"""Accuracy on spoiled images."""

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

CORRUPTIONS = {
    "noise": "noise\n(standard deviation)",
    "shift": "shift\n(pixels)",
    "occlusion": "occlusion\n(side in pixels)",
    "contrast": "contrast lost\n(fraction)",
}


def draw(results: Results, colours: Colours) -> Figure:
    """Draw the accuracy on corrupted test images over the strength of the corruption."""
    figure, axes = panels(len(CORRUPTIONS), 2.7, sharey=True)
    for panel, (kind, name) in zip(axes, CORRUPTIONS.items(), strict=True):
        for cell, look in colours.lines(results.experiment.cells()):
            over_places(panel, results, cell, f"corruption/{kind}", look, 100)
        panel.set(xlabel=name)
    axes[0].set(ylabel="test accuracy (%)")
    title(figure, "Is dropout more robust to spoiled images?")
    name_lines(figure, axes[-1])
    return figure


KIND = Kind(
    "corruption",
    draw,
    measures("corruption"),
    "Accuracy on test images that are spoiled in four ways, each of four strengths. Lines are "
    f"means, bands the {INTERVAL}.",
    place=90,
)
