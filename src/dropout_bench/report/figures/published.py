"""Published figures beside ours."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from dropout_bench.analysis.reproduction import Reproduction
from dropout_bench.report.figures.style import AXES, NEUTRAL, SPLIT_NAMES, WIDTH, Colours, title


def draw(reproduced: Sequence[Reproduction], colours: Colours) -> Figure:
    """Draw each published figure against the seeds of ours and their prediction interval."""
    metrics = list(dict.fromkeys(each.metric for each in reproduced))
    rows = [[each for each in reproduced if each.metric == metric] for metric in metrics]
    counts = [len(here) for here in rows]
    size = (WIDTH, 0.4 + 0.5 * len(metrics) + 0.17 * sum(counts))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(metrics), 1, squeeze=False, height_ratios=counts)[:, 0]
    for panel, metric, here in zip(axes, metrics, rows, strict=True):
        scale = 100 if metric.endswith("accuracy") else 1
        split, _, name = metric.partition("/")
        for place, each in enumerate(here):
            look = {"color": colours(each.cell), "label": each.cell.label}
            ends = [scale * each.interval.low, scale * each.interval.high]
            panel.plot(ends, [place] * 2, alpha=0.35, lw=6, solid_capstyle="butt", **look)
            values = [scale * value for value in each.values]
            panel.plot(values, [place] * len(values), "|", ms=7, **look)
            panel.plot(scale * each.published, place, "D", color="black", ms=4.5)
        told = [each.what.replace(metric, f"{SPLIT_NAMES[split]} {name}", 1) for each in here]
        panel.set_yticks(range(len(here)), told)
        panel.set_ylim(len(here) - 0.4, -0.6)
        labels = [each.cell.label for each in here]
        for label in dict.fromkeys(labels):
            middle = float(np.mean([place for place, each in enumerate(labels) if each == label]))
            panel.text(1.02, middle, label, va="center", transform=panel.get_yaxis_transform())
        panel.set(xlabel=f"{SPLIT_NAMES[split]} {AXES[name]}")
    samples = {
        "published": Line2D([], [], color="black", marker="D", ms=4.5, ls="none"),
        "a run of ours": Line2D([], [], color=NEUTRAL, marker="|", ms=7, ls="none"),
        "where a single run falls (95 %)": Line2D([], [], color=NEUTRAL, alpha=0.35, lw=6),
    }
    figure.legend(samples.values(), samples.keys(), loc="outside lower center", ncols=len(samples))
    title(figure, "Could what was published be one more run of ours?")
    return figure
