"""Accuracy on spoiled images."""

from matplotlib.figure import Figure

from dropout_bench.report.figures.kind import Kind, measures
from dropout_bench.report.figures.style import Colours, legend, over_places, panels
from dropout_bench.tables.read import Results

CORRUPTIONS = {
    "noise": "noise (standard deviation)",
    "shift": "shift (pixels)",
    "occlusion": "occlusion (side in pixels)",
    "contrast": "contrast taken away (fraction)",
}


def draw(results: Results, colours: Colours) -> Figure:
    """Draw the accuracy on corrupted test images over the strength of the corruption."""
    figure, axes = panels(len(CORRUPTIONS), 9, 3, sharey=True)
    for panel, (kind, title) in zip(axes, CORRUPTIONS.items(), strict=True):
        for cell, look in colours.lines(results.experiment.cells()):
            over_places(panel, results, cell, f"corruption/{kind}", look, 100, marker="o", ms=3)
        panel.set(xlabel=title)
    axes[0].set(ylabel="test accuracy (%)")
    legend(figure, 5, axes[0])
    return figure


KIND = Kind(
    "corruption",
    draw,
    measures("corruption"),
    "Accuracy on test images that are spoiled in four ways. Bands are 95 % intervals.",
    place=90,
)
