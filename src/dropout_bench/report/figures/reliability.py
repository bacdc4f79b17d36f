"""Accuracy over confidence."""

from matplotlib.figure import Figure

from dropout_bench.report.figures.kind import Kind, measures
from dropout_bench.report.figures.style import (
    INTERVAL,
    Colours,
    by_place,
    name_lines,
    panels,
    percent,
    title,
    with_bars,
)
from dropout_bench.tables.read import Results


def draw(results: Results, colours: Colours) -> Figure:
    """Draw accuracy over confidence, and how the confidences are spread."""
    figure, axes = panels(2, 2.7)
    axes[0].plot([0, 100], [0, 100], color="black", lw=0.8, ls="--")
    for cell, look in colours.lines(results.experiment.cells()):
        confidence, accuracy, share = (
            [percent(values) for values in by_place(results, cell, name).values()]
            for name in ("reliability/confidence", "reliability/accuracy", "reliability/share")
        )
        x = [interval.mean for interval in confidence]
        style = look | {"label": cell.label}
        with_bars(axes[0], x, accuracy, **style)
        with_bars(axes[1], x, share, **style)
    axes[0].set(xlabel="mean confidence (%)", ylabel="test accuracy (%)", ylim=(0, 102))
    axes[1].set(xlabel="mean confidence (%)", ylabel="test images (%)", yscale="log")
    title(figure, "Is the network as often right as it is confident?")
    name_lines(figure, axes[1])
    return figure


KIND = Kind(
    "reliability",
    draw,
    measures("reliability"),
    "Left, how often a prediction of some confidence is right: below the dashed line the "
    "network is too sure of itself. Right, how many test images have that confidence. Marks are "
    f"means, bars the {INTERVAL}.",
    place=80,
)
