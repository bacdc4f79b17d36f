"""Accuracy over confidence."""

from matplotlib.figure import Figure

from dropout_bench.report.figures.kind import Kind, measures
from dropout_bench.report.figures.style import Colours, legend, panels, percent, with_bars
from dropout_bench.tables.read import Results


def draw(results: Results, colours: Colours) -> Figure:
    """Draw accuracy over confidence, and how the confidences are spread."""
    figure, axes = panels(2, 8, 3.4)
    axes[0].plot([0, 100], [0, 100], color="black", lw=0.8, ls="--", label="calibrated")
    for cell, look in colours.lines(results.experiment.cells()):
        rows = results.of(cell, "measures")
        by_bin = {}
        for metric in ("confidence", "accuracy", "share"):
            bins = rows[rows["metric"] == f"reliability/{metric}"].groupby("at")["value"]
            by_bin[metric] = [percent(values.to_numpy()) for _, values in bins]
        style = look | {"marker": "o", "label": cell.label}
        confidence = [interval.mean for interval in by_bin["confidence"]]
        with_bars(axes[0], confidence, by_bin["accuracy"], **style)
        with_bars(axes[1], confidence, by_bin["share"], **style)
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
