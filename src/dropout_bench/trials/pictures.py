"""Pictures of a trial on a table, in the report's style."""

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from dropout_bench.report.figures import style

if TYPE_CHECKING:
    from dropout_bench.trials.verdict import TableResult

Found = TypeVar("Found")

_AXES = {
    "test/loss": "difference in test loss (nats)",
    "test/accuracy": "in test accuracy (points)",
}
_SCALES = {"test/loss": 1.0, "test/accuracy": 100.0}


def in_style(drawing: "Callable[[TableResult], Figure]", result: "TableResult") -> Figure:
    """Return what a function draws, in the report's style."""
    with mpl.rc_context(style.STYLE):
        return drawing(result)


def png(drawing: Callable[[Found], Figure], found: Found) -> bytes:
    """Return what a function draws as a PNG picture."""
    content = io.BytesIO()
    with mpl.rc_context(style.STYLE):
        drawing(found).savefig(content, format="png")
    return content.getvalue()


def _colour(result: "TableResult", arm: str) -> Any:
    """Grey without dropout, orange with it, blue for what is from outside, as in the report."""
    place = result.arms.index(arm)
    if place == 1:
        return mpl.colormaps["Oranges"](0.38 + 0.62 * float(result.of(arm)["dropout"].mean()))
    return style.BLUE if place else style.NEUTRAL


def of_effects(result: "TableResult") -> Figure:
    """Draw what each arm changes in test loss and accuracy: a dot a draw, mean and interval."""
    pairs = list(dict.fromkeys((effect.arm, effect.than) for effect in result.effects))
    figure, axes = style.panels(2, 1.1 + 0.55 * len(pairs), sharey=True)
    for panel, metric in zip(axes, _AXES, strict=True):
        scale = _SCALES[metric]
        panel.axvline(0, color="black", lw=0.8)
        smallest = {effect.metric: effect.measured.smallest for effect in result.effects}
        least = scale * smallest[metric]
        panel.axvspan(-least, least, color=style.NEUTRAL, alpha=0.1, lw=0)
        for row, (arm, than) in enumerate(pairs):
            values = (result.of(arm)[metric] - result.of(than)[metric]).to_numpy()
            style.dots(panel, scale * values, -row, _colour(result, arm))
        panel.set(xlabel=_AXES[metric])
        panel.grid(axis="y", visible=False)
    names = [arm if than == result.arms[0] else f"{arm} against {than}" for arm, than in pairs]
    axes[0].set_yticks([-row for row in range(len(pairs))], names)
    axes[0].set_ylim(0.5 - len(pairs), 0.5)
    style.title(figure, "Does dropout help on these data?", result.sentence)
    return figure


def of_curves(result: "TableResult") -> Figure:
    """Draw loss by optimiser step: a thin line a draw, their mean as far as all trainings go."""
    figure, axes = style.panels(len(result.arms), 2.6, sharey=True)
    for panel, arm in zip(axes, result.arms, strict=True):
        colour = _colour(result, arm)
        for part, dash in (("train", "-"), ("val", "--")):
            lines = [curve[f"{part}/loss"] for curve in result.curves(arm)]
            for line in lines:
                panel.plot(line.index, line, dash, color=colour, lw=0.5, alpha=0.3)
            mean = _mean(lines)
            panel.plot(mean.index, mean, dash, color=colour, lw=1.6)
        panel.set_title(result.rate(arm) if arm != result.arms[0] else "no dropout")
        panel.set(xlabel="optimiser steps", yscale="log", xscale="log")
    axes[0].set(ylabel="loss (nats)")
    samples = [Line2D([], [], color="black", ls=dash) for dash in ("-", "--")]
    figure.legend(samples, ["training", "validation"], loc="outside lower center", ncols=2)
    style.title(figure, "How does training go?")
    return figure


def _mean(lines: "list[pd.Series[float]]") -> "pd.Series[float]":
    shortest = min(lines, key=len)
    values = np.mean([line.to_numpy()[: len(shortest)] for line in lines], axis=0)
    return pd.Series(values.tolist(), index=shortest.index, dtype=float)


def of_gap(result: "TableResult") -> Figure:
    """Draw accuracy on training and test rows, and the gap between them, of each arm."""
    figure, axes = style.panels(2, 1.1 + 0.55 * len(result.arms), sharey=True)
    for row, arm in enumerate(result.arms):
        chosen, colour = result.of(arm), _colour(result, arm)
        train, test = (100 * chosen[f"{part}/accuracy"].to_numpy() for part in ("train", "test"))
        style.dots(axes[0], test, -row, colour)
        axes[0].plot(train.mean(), -row, "|", color="black", ms=12, mew=1.6)
        style.dots(axes[1], train - test, -row, colour)
    axes[0].set_yticks([-row for row in range(len(result.arms))], result.arms)
    axes[0].set_ylim(0.5 - len(result.arms), 0.5)
    for panel in axes:
        panel.grid(axis="y", visible=False)
    axes[0].set(xlabel="test accuracy (%); training: |")
    axes[1].set(xlabel="gap, training − test (points)")
    axes[1].axvline(0, color="black", lw=0.8)
    style.title(figure, "How far is it from new rows?")
    return figure
