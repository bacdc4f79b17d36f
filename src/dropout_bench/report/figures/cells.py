"""Every cell of an experiment side by side."""

from matplotlib.figure import Figure

from dropout_bench.report.figures import arms, rates
from dropout_bench.report.figures.kind import Kind, along_axis
from dropout_bench.report.figures.style import INTERVAL, Colours, gain, panels, percent, title
from dropout_bench.tables.read import Results

MANY = 6
"""So many cells are compared in a figure of their own."""


def draw(results: Results, colours: Colours) -> Figure:
    """Draw the test accuracy of every cell, and its distance from the one without dropout."""
    cells = results.experiment.cells()
    figure, axes = panels(2, 0.7 + 0.2 * len(cells), sharey=True)
    for place, cell in enumerate(cells):
        drawn = (percent(results.figures(cell, "test/accuracy")), gain(results, cell))
        for panel, interval in zip(axes, drawn, strict=True):
            if interval:
                mean, low, high = interval
                panel.plot([low, high], [place] * 2, color=colours(cell), lw=2)
                panel.plot(mean, place, "o", color=colours(cell), ms=5)
    axes[0].set_yticks(range(len(cells)), [cell.label for cell in cells])
    axes[0].set_ylim(len(cells) - 0.5, -0.5)
    axes[0].set(xlabel="test accuracy (%)")
    axes[1].axvline(0, color="black", lw=0.8)
    axes[1].set(xlabel="gain by dropout (points)")
    title(figure, "Which of these does dropout make better?")
    return figure


def applies(results: Results) -> bool:
    """Whether there are many cells, and no axis to draw them over."""
    few = len(results.experiment.cells()) < MANY
    return not (few or rates.applies(results) or along_axis(results) or arms.applies(results))


KIND = Kind(
    "cells",
    draw,
    applies,
    "Left, test accuracy; right, its paired difference to the same network and training "
    f"without dropout. Marks are means over seeds, bars the {INTERVAL}.",
    place=30,
)
