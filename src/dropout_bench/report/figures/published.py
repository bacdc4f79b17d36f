"""Published figures beside ours."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from dropout_bench.analysis.reproduction import Reproduction
from dropout_bench.report.figures.style import AXES, SPLIT_NAMES, Colours, panels


def draw(reproduced: Sequence[Reproduction], colours: Colours) -> Figure:
    """Draw each published figure against the seeds of ours and their prediction interval."""
    metrics = list(dict.fromkeys(each.metric for each in reproduced))
    rows = [[each for each in reproduced if each.metric == metric] for metric in metrics]
    figure, axes = panels(len(metrics), 4.6 * len(metrics), 1.4 + 0.26 * max(map(len, rows)))
    for panel, metric, here in zip(axes, metrics, rows, strict=True):
        scale = 100 if metric.endswith("accuracy") else 1
        for place, each in enumerate(here):
            look = {"color": colours(each.cell)}
            ends = [scale * each.interval.low, scale * each.interval.high]
            panel.plot(ends, [place] * 2, alpha=0.35, lw=6, solid_capstyle="butt", **look)
            values = [scale * value for value in each.values]
            look["label"] = f"{each.cell.label}: our runs, prediction interval"
            panel.plot(values, [place] * len(values), "|", ms=7, **look)
            panel.plot(scale * each.published, place, "D", color="black", ms=4.5, label="published")
        names = [each.what.removeprefix(metric).removeprefix(", ") or "evaluated" for each in here]
        panel.set_yticks(range(len(here)), names)
        panel.invert_yaxis()
        split, _, name = metric.partition("/")
        panel.set(xlabel=f"{SPLIT_NAMES[split]} {AXES[name]}")
    handles, labels = axes[0].get_legend_handles_labels()
    by_label = dict(sorted(zip(labels, handles, strict=True), key=lambda x: x[0] == "published"))
    names = list(by_label)
    figure.legend(by_label.values(), names, loc="outside lower center", ncols=len(names))
    return figure
