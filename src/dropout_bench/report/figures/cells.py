"""Every cell of an experiment side by side."""

from matplotlib.figure import Figure

from dropout_bench.report.figures import arms, curves, rates
from dropout_bench.report.figures.kind import Kind, along_axis
from dropout_bench.report.figures.style import Colours, gain, panels, percent
from dropout_bench.tables.read import Results


def draw(results: Results, colours: Colours) -> Figure:
    """Draw the test accuracy of every cell, and its distance from the one without dropout."""
    cells = results.experiment.cells()
    figure, axes = panels(2, 8, 0.8 + 0.2 * len(cells), sharey=True)
    for place, cell in enumerate(cells):
        drawn = (percent(results.figures(cell, "test/accuracy")), gain(results, cell))
        for panel, interval in zip(axes, drawn, strict=True):
            if interval:
                mean, low, high = interval
                panel.plot([low, high], [place] * 2, color=colours(cell), lw=2)
                panel.plot(mean, place, "o", color=colours(cell), ms=4)
    axes[0].set_yticks(range(len(cells)), [cell.label for cell in cells])
    axes[0].invert_yaxis()
    axes[0].set(xlabel="test accuracy (%)")
    axes[1].axvline(0, color="black", lw=0.8)
    axes[1].set(xlabel="difference to the same without dropout (points)")
    return figure


def applies(results: Results) -> bool:
    """Whether there are many cells, and no axis to draw them over."""
    few = len(results.experiment.cells()) <= curves.MOST
    return not (few or rates.applies(results) or along_axis(results) or arms.applies(results))


KIND = Kind(
    "cells",
    draw,
    applies,
    "Left, test accuracy; right, its paired difference to the same network and training "
    "without dropout. Bars are 95 % intervals over seeds.",
    place=30,
)
