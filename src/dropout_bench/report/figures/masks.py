"""Predictions averaged over sampled masks."""

from matplotlib.figure import Figure

from dropout_bench.analysis.drawn import drops
from dropout_bench.analysis.statistics import mean_interval
from dropout_bench.report.figures.kind import Kind, measures
from dropout_bench.report.figures.style import (
    AXES,
    INTERVAL,
    Colours,
    by_place,
    name_lines,
    panels,
    title,
    with_bars,
)
from dropout_bench.tables.read import Results


def draw(results: Results, colours: Colours) -> Figure:
    """Draw test error and loss of the average over k masks, with weight scaling as a line."""
    cells = [cell for cell in results.experiment.cells() if drops(cell.arm)]
    figure, axes = panels(2, 2.7)
    for panel, metric in zip(axes, ("accuracy", "loss"), strict=True):
        sign, shift = (-100, 100) if metric == "accuracy" else (1, 0)
        for cell, look in colours.lines(cells):
            values = by_place(results, cell, f"masks/{metric}")
            intervals = {k: mean_interval(shift + sign * each) for k, each in values.items()}
            scaled = intervals.pop(0.0)
            style = look | {"label": cell.label}
            with_bars(panel, list(intervals), list(intervals.values()), **style)
            panel.axhline(scaled.mean, color=look["color"], ls="--", lw=1)
        panel.set_xscale("log")
        panel.set_xticks([1, 10, 100], ["1", "10", "100"])
        panel.set(xlabel="number of sampled masks k")
    axes[0].set(ylabel="test error (%)")
    axes[1].set(ylabel=f"test {AXES['loss']}")
    title(figure, "Is one evaluation as good as the average over masks?")
    name_lines(figure, axes[1])
    return figure


KIND = Kind(
    "masks",
    draw,
    measures("masks"),
    "Probabilities averaged over k sampled masks, against the single evaluation that stands "
    "for all of them (dashed), on a fifth of the test images. Marks are means, bars the "
    f"{INTERVAL}.",
    place=50,
)
