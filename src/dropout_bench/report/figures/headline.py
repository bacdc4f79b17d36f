"""The first picture of the report: the gain by rate, by images, by the gap without dropout."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dropout_bench.analysis.drawn import GAP, Dependence
from dropout_bench.analysis.findings import Findings
from dropout_bench.report.figures import style
from dropout_bench.report.figures.style import Colours


def draw(found: Findings, colours: Colours) -> Figure:
    """Draw what dropout gains in test accuracy: over the rate, the images, and the gap without."""
    of_gap = found.dependence if found.dependence and GAP in found.dependence.settings else None
    count = 1 + bool(found.by_images) + bool(of_gap)
    figure, axes = style.panels(count, 2.6, sharey=True)
    panels = iter(axes)
    panel = next(panels)
    rates = [row.cell.dropout[0] for row in found.by_rate]
    for rate, row in zip(rates, found.by_rate, strict=True):
        beside = rate + 0.012 * np.cos(2.4 * np.arange(len(row.accuracy)))
        panel.plot(beside, row.accuracy, "o", color=colours(row.cell), ms=2.5, alpha=0.5, mew=0)
    gains = [row.in_accuracy.gain for row in found.by_rate]
    style.with_bars(panel, rates, gains, color="black", marker="D")
    panel.set(
        xlabel="dropout rate", title="At which rate?", ylabel="gain in test accuracy (points)"
    )
    if found.by_images:
        _images(next(panels), found, colours)
    if of_gap:
        _gap(next(panels), of_gap, colours)
    for panel in axes:
        panel.axhline(0, color="black", lw=0.8)
        panel.set_yscale("symlog", linthresh=2, linscale=1.2)
        low, high = panel.get_ylim()
        panel.set_yticks([at for at in (-50, -20, -10, -5, -2, -1, 0, 1, 2, 5) if low < at < high])
        panel.yaxis.set_major_formatter("{x:g}")
        panel.minorticks_off()
    style.title(figure, "What does dropout gain?")
    return figure


def _images(panel: Axes, found: Findings, colours: Colours) -> None:
    sizes = [row.cell.train_size or 0 for row in found.by_images]
    for size, row in zip(sizes, found.by_images, strict=True):
        beside = size * np.exp(0.06 * np.cos(2.4 * np.arange(len(row.accuracy))))
        panel.plot(beside, row.accuracy, "o", color=colours(row.cell), ms=2.5, alpha=0.5, mew=0)
    gains = [row.in_accuracy.gain for row in found.by_images]
    style.with_bars(panel, sizes, gains, color="black", marker="D")
    panel.set_xscale("log")
    names = [f"{size // 1000}k" if size % 1000 == 0 else f"{size}" for size in sizes]
    panel.set_xticks(sizes, names)
    panel.minorticks_off()
    panel.set(xlabel="training images", title="With how many images?")


def _gap(panel: Axes, found: Dependence, colours: Colours) -> None:
    pair, gap = found.pair, found.settings[GAP].to_numpy(dtype=float)
    panel.plot(gap, pair.accuracy, "o", color=colours(pair.cell), ms=3.5, alpha=0.7, mew=0)
    if np.ptp(gap) > 0:
        slope, start = np.polyfit(gap, pair.accuracy, 1)
        ends = np.array([gap.min(), gap.max()])
        panel.plot(ends, start + slope * ends, color="black", lw=1.2)
    panel.set(
        xlabel="train − validation, without it",
        title="Where it overfits more?",
    )
