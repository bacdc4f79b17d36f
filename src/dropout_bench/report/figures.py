"""Figures of the report. Their bytes repeat when the tables do."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dropout_bench.analysis.ledger import Entry, Verdict
from dropout_bench.analysis.results import Results
from dropout_bench.params import Cell
from dropout_bench.report.tables import Comparison

# Okabe and Ito's colours, told apart by colour-blind readers too.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
STYLES = {"train": "-", "val": "--", "test": ":"}
SPLIT_NAMES = {"train": "training", "val": "validation", "test": "test"}
AXES = {"loss": "negative log-likelihood (nats)", "accuracy": "accuracy (%)"}
STYLE: dict[Any, Any] = {
    "figure.dpi": 200,
    "font.size": 9,
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.alpha": 0.3,
    "legend.frameon": False,
    "svg.hashsalt": "",
}


def colour_of(cells: Sequence[Cell], cell: Cell) -> str:
    """Return the colour of a cell: the baseline is blue in every figure."""
    return COLOURS[list(cells).index(cell) % len(COLOURS)]


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, metadata={"Software": None})
    plt.close(figure)


def _scaled(metric: str, values: pd.Series) -> pd.Series:
    return values * 100 if metric == "accuracy" else values


def learning_curves(results: Results, path: Path) -> None:
    """Draw loss and accuracy by epoch: mean over seeds, a band of one standard deviation."""
    cells = results.experiment.cells()
    splits = [split for split in STYLES if results.curves[f"{split}/loss"].notna().any()]
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
        for panel, metric in zip(axes, ("loss", "accuracy"), strict=True):
            for cell in cells:
                rows = results.of(cell, results.curves)
                for split in splits:
                    label = f"{cell.label}, {SPLIT_NAMES[split]}"
                    by_epoch = rows.groupby("epoch")[f"{split}/{metric}"]
                    mean = _scaled(metric, by_epoch.mean())
                    sd = _scaled(metric, by_epoch.std().fillna(0.0))
                    colour = colour_of(cells, cell)
                    panel.plot(mean.index, mean, STYLES[split], color=colour, label=label)
                    panel.fill_between(
                        mean.index, mean - sd, mean + sd, color=colour, alpha=0.15, lw=0
                    )
            panel.set(xlabel="epoch", ylabel=AXES[metric])
            panel.xaxis.get_major_locator().set_params(integer=True)
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(cells))
        _save(figure, path)


def published_beside_ours(results: Results, compared: Sequence[Comparison], path: Path) -> None:
    """Draw each published figure against the seeds of ours and their prediction interval."""
    metrics = list(dict.fromkeys(comparison.metric for comparison in compared))
    cells = results.experiment.cells()
    rows = [[c for c in compared if c.metric == metric] for metric in metrics]
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            1,
            len(metrics),
            figsize=(4.6 * len(metrics), 1.4 + 0.26 * max(map(len, rows))),
            layout="constrained",
            squeeze=False,
        )
        for panel, metric, here in zip(axes[0], metrics, rows, strict=True):
            _compare(panel, metric, here, cells)
        handles, labels = axes[0][0].get_legend_handles_labels()
        by_label = dict(
            sorted(zip(labels, handles, strict=True), key=lambda x: x[0] == "published")
        )
        figure.legend(
            by_label.values(), by_label.keys(), loc="outside lower center", ncols=len(by_label)
        )
        _save(figure, path)


def _compare(
    panel: Axes, metric: str, compared: Sequence[Comparison], cells: Sequence[Cell]
) -> None:
    scale = 100 if metric.endswith("accuracy") else 1
    for place, comparison in enumerate(compared):
        colour = colour_of(cells, comparison.cell)
        low, high = scale * comparison.interval.low, scale * comparison.interval.high
        panel.plot([low, high], [place] * 2, color=colour, alpha=0.35, lw=6, solid_capstyle="butt")
        panel.plot(
            [scale * value for value in comparison.values],
            [place] * len(comparison.values),
            "|",
            color=colour,
            ms=7,
            label=f"{comparison.cell.label}: our runs, prediction interval",
        )
        panel.plot(
            scale * comparison.published, place, "D", color="black", ms=4.5, label="published"
        )
    names = [c.what.removeprefix(metric).removeprefix(", ") or "evaluated" for c in compared]
    panel.set_yticks(range(len(compared)), names)
    panel.invert_yaxis()
    split, _, name = metric.partition("/")
    panel.set(xlabel=f"{SPLIT_NAMES[split]} {AXES[name]}")


VERDICT_COLOURS = {
    Verdict.SUPPORTED: COLOURS[0],
    Verdict.CONTRADICTED: COLOURS[1],
    Verdict.INCONCLUSIVE: "#888888",
}


def ledger(entries: Sequence[Entry], path: Path) -> None:
    """Draw every claim's deciding check, in standard deviations over seeds, on the claim's side.

    What is drawn is the distance of the mean from the bound that the claim has to pass, divided by
    the standard deviation of the differences: right of 0 the claim holds.
    """
    order = sorted(entries, key=lambda entry: (list(Verdict).index(entry.verdict), entry.name))
    with plt.rc_context(STYLE):
        figure, panel = plt.subplots(figsize=(7, 0.6 + 0.2 * len(order)), layout="constrained")
        for place, entry in enumerate(order):
            mean, low, high = entry.weakest.towards_the_claim
            colour = VERDICT_COLOURS[entry.verdict]
            panel.plot([low, high], [place] * 2, color=colour, lw=2, label=str(entry.verdict))
            panel.plot(mean, place, "o", color=colour, ms=4)
        panel.axvline(0, color="black", lw=0.8)
        panel.set_xscale("symlog", linthresh=1)
        panel.set_yticks(range(len(order)), [entry.name for entry in order], fontsize=8)
        panel.invert_yaxis()
        panel.set(xlabel="distance from the claim's bound (standard deviations over seeds)")
        handles, labels = panel.get_legend_handles_labels()
        by_label = dict(zip(labels, handles, strict=True))
        figure.legend(
            by_label.values(), by_label.keys(), loc="outside lower center", ncols=len(by_label)
        )
        _save(figure, path)
