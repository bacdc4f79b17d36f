"""Accuracy over confidence."""

from matplotlib.figure import Figure

from dropout_bench.report.figures.kind import Kind, measures
from dropout_bench.report.figures.style import Colours, by_place, legend, panels, percent, with_bars
from dropout_bench.tables.read import Results


def draw(results: Results, colours: Colours) -> Figure:
    """Draw accuracy over confidence, and how the confidences are spread."""
    figure, axes = panels(2, 8, 3.4)
    axes[0].plot([0, 100], [0, 100], color="black", lw=0.8, ls="--", label="calibrated")
    for cell, look in colours.lines(results.experiment.cells()):
        confidence, accuracy, share = (
            [percent(values) for values in by_place(results, cell, name).values()]
            for name in ("reliability/confidence", "reliability/accuracy", "reliability/share")
        )
        x = [interval.mean for interval in confidence]
        style = look | {"marker": "o", "label": cell.label}
        with_bars(axes[0], x, accuracy, **style)
        with_bars(axes[1], x, share, **style)
    axes[0].set(xlabel="mean confidence (%)", ylabel="test accuracy (%)")
    axes[1].set(xlabel="mean confidence (%)", ylabel="test images (%)", yscale="log")
    legend(figure, 4, axes[0])
    return figure


KIND = Kind(
    "reliability",
    draw,
    measures("reliability"),
    "Left, how often a prediction of some confidence is right: below the dashed line the "
    "network is too sure of itself. Right, how many test images have that confidence.",
    place=80,
)
