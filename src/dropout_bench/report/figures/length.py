"""How what dropout gains depends on how long the training is."""

from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator

from dropout_bench.analysis.drawn import courses
from dropout_bench.report import text
from dropout_bench.report.figures.kind import Kind
from dropout_bench.report.figures.style import (
    HUES,
    INTERVAL,
    MARKERS,
    Colours,
    name_lines,
    panels,
    title,
)
from dropout_bench.tables.read import Results


def draw(results: Results, colours: Colours) -> Figure:
    """Draw the gain in validation accuracy over the optimiser's steps: mean and interval."""
    those = courses(results)
    figure, (panel,) = panels(1, 2.9)
    cells = {cell.label: cell for cell in results.experiment.cells()}
    for place, course in enumerate(those):
        of_arm = cells.get(course.name)
        colour = colours(of_arm) if of_arm else HUES[place % len(HUES)]
        means = [gain.mean for gain in course.gains]
        label = course.name if of_arm else text.level(course.name)
        marker = MARKERS[place % len(MARKERS)]
        panel.plot(course.steps, means, marker=marker, markevery=8, ms=4, color=colour, label=label)
        low, high = zip(*((gain.low, gain.high) for gain in course.gains), strict=True)
        panel.fill_between(course.steps, low, high, color=colour, alpha=0.15, lw=0)
    panel.axhline(0, color="black", lw=0.8)
    panel.set_xscale("log")
    ticks = text.round_ticks(float(those[0].steps[0]), float(those[0].steps[-1]))
    panel.set_xticks(ticks, [f"{tick:,.0f}" for tick in ticks])
    panel.set_yscale("symlog", linthresh=2, linscale=1.2)
    panel.yaxis.set_major_locator(FixedLocator([-50, -20, -10, -5, -2, -1, 0, 1, 2, 5, 10]))
    panel.yaxis.set_major_formatter("{x:g}")
    panel.minorticks_off()
    panel.set(xlabel="optimiser steps", ylabel="gain in validation accuracy (points)")
    title(figure, "After how many steps does dropout pay?", text.courses_title(those))
    name_lines(figure, panel)
    return figure


def applies(results: Results) -> bool:
    """Whether trainings of drawn settings have a fixed number of steps."""
    asked = results.experiment
    drawn = bool(asked.draw.names and asked.has_validation and asked.steps)
    return drawn and not asked.converges and bool(courses(results))


KIND = Kind(
    "length",
    draw,
    applies,
    "The accuracy that dropout adds on validation images after equally many optimiser steps, "
    f"with the weights of that moment. Lines are means over draws, bands the {INTERVAL}. Beyond 2 "
    "points the scale is logarithmic.",
    place=3,
)
