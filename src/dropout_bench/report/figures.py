"""Figures of the report. Their bytes repeat when the tables do.

Everywhere the network without dropout is blue, and dropout is the redder the higher its rate.
Points are means over seeds, bars and bands their 95 % intervals (Student's).
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dropout_bench.analysis.ledger import LedgerEntry, Verdict
from dropout_bench.analysis.statistics import Interval, mean_interval
from dropout_bench.params.run import Cell
from dropout_bench.params.values import rates_text, widths_text
from dropout_bench.quantities.quantity import Values
from dropout_bench.report.tables import Comparison
from dropout_bench.tables.read import Results

# Okabe and Ito's colours, told apart by colour-blind readers too.
BLUE, VERMILION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
OTHER_COLOURS = {"unscaled-dropout": PURPLE, "batch-norm-dropout": GREEN}
MARKERS = "osD^vP"
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


def colour_of(cell: Cell) -> Any:
    """Return the colour of a cell, the same in every figure."""
    rates = [*cell.dropout, cell.input_dropout]
    if not any(rates):
        return BLUE
    if cell.variant in OTHER_COLOURS:
        return OTHER_COLOURS[cell.variant]
    return plt.get_cmap("YlOrRd")(0.4 + 0.6 * max(rates))


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, metadata={"Software": None})
    plt.close(figure)


def _panels(columns: int, width: float, height: float, **more: Any) -> tuple[Figure, list[Axes]]:
    figure, axes = plt.subplots(
        1, columns, figsize=(width, height), layout="constrained", squeeze=False, **more
    )
    return figure, list(axes[0])


def _legend(figure: Figure, panel: Axes, columns: int) -> None:
    handles, labels = panel.get_legend_handles_labels()
    by_label = dict(zip(labels, handles, strict=True))
    figure.legend(by_label.values(), by_label.keys(), loc="outside lower center", ncols=columns)


def _scaled(metric: str, values: pd.Series) -> pd.Series:
    return values * 100 if metric == "accuracy" else values


def _with_bars(panel: Axes, x: Sequence[Any], intervals: Sequence[Interval], **style: Any) -> None:
    means = [interval.mean for interval in intervals]
    below = [interval.mean - interval.low for interval in intervals]
    above = [interval.high - interval.mean for interval in intervals]
    panel.errorbar(
        x, means, yerr=np.nan_to_num([below, above]), capsize=2, ms=4, lw=1.2, elinewidth=1, **style
    )


def _percent(values: Values) -> Interval:
    return mean_interval((100 * values).tolist())


def _error(results: Results, cell: Cell) -> Interval:
    return _percent(1 - results.figures(cell, "test/accuracy"))


def learning_curves(results: Results, path: Path) -> None:
    """Draw loss and accuracy by epoch: mean over seeds, a band of one standard deviation."""
    cells = results.experiment.cells()
    splits = [split for split in STYLES if results.curves[f"{split}/loss"].notna().any()]
    figure, axes = _panels(2, 9, 3.6)
    for panel, metric in zip(axes, ("loss", "accuracy"), strict=True):
        for cell in cells:
            rows = results.of(cell, "curves")
            for split in splits:
                label = f"{cell.label}, {SPLIT_NAMES[split]}"
                by_epoch = rows.groupby("epoch")[f"{split}/{metric}"]
                mean = _scaled(metric, by_epoch.mean())
                sd = _scaled(metric, by_epoch.std().fillna(0.0))
                colour = colour_of(cell)
                panel.plot(mean.index, mean, STYLES[split], color=colour, label=label)
                panel.fill_between(mean.index, mean - sd, mean + sd, color=colour, alpha=0.15, lw=0)
        panel.set(xlabel="epoch", ylabel=AXES[metric])
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    _legend(figure, axes[0], min(len(cells), 3))
    _save(figure, path)


def _single_rate(cell: Cell) -> bool:
    return len(set(cell.dropout)) == 1


def error_over_rate(results: Results, path: Path) -> None:
    """Draw test error and generalisation gap over the dropout rate of the hidden layers."""
    cells = [cell for cell in results.experiment.cells() if _single_rate(cell)]
    figure, axes = _panels(2, 8, 3.2)
    for place, pixels in enumerate(results.experiment.input_dropout):
        line = sorted(
            (cell for cell in cells if cell.input_dropout == pixels), key=lambda c: c.dropout
        )
        rates = [cell.dropout[0] for cell in line]
        errors = [_error(results, cell) for cell in line]
        gaps = [_percent(results.figures(cell, "gap/accuracy")) for cell in line]
        for panel, intervals in zip(axes, (errors, gaps), strict=True):
            means = [interval.mean for interval in intervals]
            style = ("-", "--", ":")[place % 3]
            label = f"{100 * pixels:g} % of the pixels dropped"
            panel.plot(rates, means, style, color="#777777", lw=1.2, label=label)
            for cell, rate, interval in zip(line, rates, intervals, strict=True):
                marker = MARKERS[place % len(MARKERS)]
                _with_bars(panel, [rate], [interval], color=colour_of(cell), marker=marker)
    axes[0].set(xlabel="dropout rate of the hidden layers", ylabel="test error (%)")
    axes[1].set(
        xlabel="dropout rate of the hidden layers", ylabel="training − test accuracy (points)"
    )
    if len(results.experiment.input_dropout) > 1:
        _legend(figure, axes[0], 3)
    _save(figure, path)


def gain_along_axis(results: Results, path: Path) -> None:
    """Draw test error, and what dropout gains, over training-set size or network."""
    experiment = results.experiment
    by_size = len(experiment.train_size) > 1
    cells = experiment.cells()
    figure, axes = _panels(2, 8, 3.2)

    def place(cell: Cell) -> int:
        if by_size:
            return cell.train_size
        return experiment.hidden.index(cell.hidden)

    for which in dict.fromkeys(
        (cell.variant, cell.dropout[0], cell.input_dropout) for cell in cells
    ):
        line = [c for c in cells if (c.variant, c.dropout[0], c.input_dropout) == which]
        x = [place(cell) for cell in line]
        style = {"marker": "o", "color": colour_of(line[0]), "label": line[0].label.split(",")[0]}
        _with_bars(axes[0], x, [_error(results, cell) for cell in line], **style)
        gains = []
        for cell in line:
            if (base := experiment.without_dropout(cell)) is not None:
                pair = (results.figures(c, "test/accuracy") for c in (cell, base))
                gains.append(_percent(np.subtract(*pair)))
        if gains:
            _with_bars(axes[1], x, gains, **style)
    axes[1].axhline(0, color="black", lw=0.8)
    for panel in axes:
        if by_size:
            panel.set_xscale("log")
            panel.set(xlabel="training images")
        else:
            names = [
                widths_text(w) if len(w) < 3 else f"{len(w)} × {w[0]}" for w in experiment.hidden
            ]
            panel.set_xticks(range(len(names)), names)
            panel.set(xlabel="hidden layers (units)")
    axes[0].set(ylabel="test error (%)", yscale="log")
    axes[0].yaxis.set_major_formatter("{x:g}")
    axes[0].yaxis.set_minor_formatter("{x:g}")
    axes[1].set(ylabel="accuracy gained by dropout (points)")
    _legend(figure, axes[0], 3)
    _save(figure, path)


def cells_compared(results: Results, path: Path) -> None:
    """Draw the test accuracy of every cell, and its distance from the one without dropout."""
    experiment = results.experiment
    cells = experiment.cells()
    figure, axes = _panels(2, 8, 0.8 + 0.2 * len(cells), sharey=True)
    for place, cell in enumerate(cells):
        colour = colour_of(cell)
        mean, low, high = _percent(results.figures(cell, "test/accuracy"))
        axes[0].plot([low, high], [place] * 2, color=colour, lw=2)
        axes[0].plot(mean, place, "o", color=colour, ms=4)
        if (base := experiment.without_dropout(cell)) is not None:
            pair = (results.figures(c, "test/accuracy") for c in (cell, base))
            mean, low, high = _percent(np.subtract(*pair))
            axes[1].plot([low, high], [place] * 2, color=colour, lw=2)
            axes[1].plot(mean, place, "o", color=colour, ms=4)
    axes[0].set_yticks(range(len(cells)), [cell.label for cell in cells])
    axes[0].invert_yaxis()
    axes[0].set(xlabel="test accuracy (%)")
    axes[1].axvline(0, color="black", lw=0.8)
    axes[1].set(xlabel="difference to the same without dropout (points)")
    _save(figure, path)


def _over_places(
    panel: Axes, results: Results, cell: Cell, metric: str, scale: float = 1.0, **style: Any
) -> None:
    """Draw a measure over its places: mean over seeds, a band of the 95 % interval."""
    rows = results.of(cell, "measures")
    rows = rows[rows["metric"] == metric]
    values = rows.pivot_table(index="at", columns="seed", values="value")
    intervals = [mean_interval((scale * seeds).tolist()) for seeds in values.to_numpy()]
    x, colour = values.index.to_numpy(dtype=float), colour_of(cell)
    panel.plot(x, [i.mean for i in intervals], color=colour, label=cell.label, **style)
    low, high = [i.low for i in intervals], [i.high for i in intervals]
    panel.fill_between(x, low, high, color=colour, alpha=0.2, lw=0)


def averaged_masks(results: Results, path: Path) -> None:
    """Draw test error and loss of the average over k masks, with weight scaling as a line."""
    cells = [cell for cell in results.experiment.cells() if any(cell.dropout)]
    figure, axes = _panels(2, 8, 3.2)
    for panel, metric in zip(axes, ("accuracy", "loss"), strict=True):
        for cell in cells:
            rows = results.of(cell, "measures")
            rows = rows[rows["metric"] == f"masks/{metric}"]
            sign, shift = (-100, 100) if metric == "accuracy" else (1, 0)
            by_count = {
                count: mean_interval((shift + sign * values).tolist())
                for count, values in rows.groupby("at")["value"]
            }
            scaled = by_count.pop(0.0)
            colour = colour_of(cell)
            label = f"{cell.label}, average over masks"
            _with_bars(
                panel,
                list(by_count),
                list(by_count.values()),
                marker="o",
                color=colour,
                label=label,
            )
            panel.axhline(
                scaled.mean, color=colour, ls="--", lw=1, label=f"{cell.label}, evaluation"
            )
        panel.set_xscale("log")
        panel.set_xticks([1, 10, 100], ["1", "10", "100"])
        panel.set(xlabel="number of sampled masks k")
    axes[0].set(ylabel="test error (%)")
    axes[1].set(ylabel=f"test {AXES['loss']}")
    _legend(figure, axes[0], 2)
    _save(figure, path)


CORRUPTIONS = {
    "noise": "noise (standard deviation)",
    "shift": "shift (pixels)",
    "occlusion": "occlusion (side in pixels)",
    "contrast": "contrast taken away (fraction)",
}


def corrupted(results: Results, path: Path) -> None:
    """Draw the accuracy on corrupted test images over the strength of the corruption."""
    figure, axes = _panels(len(CORRUPTIONS), 9, 3, sharey=True)
    for panel, (kind, title) in zip(axes, CORRUPTIONS.items(), strict=True):
        for cell in results.experiment.cells():
            _over_places(panel, results, cell, f"corruption/{kind}", 100, marker="o", ms=3)
        panel.set(xlabel=title)
    axes[0].set(ylabel="test accuracy (%)")
    _legend(figure, axes[0], 5)
    _save(figure, path)


def activation_histograms(results: Results, path: Path) -> None:
    """Draw the distribution of the first hidden layer's activations, and how many are zero."""
    cells = results.experiment.cells()
    figure, axes = _panels(2, 8, 3.2, width_ratios=[2, 1])
    for cell in cells:
        _over_places(axes[0], results, cell, "activations/histogram", 100, drawstyle="steps-post")
    axes[0].set(
        xlabel="activation in the first hidden layer (last bin: all above)",
        ylabel="share of activations (%)",
        yscale="log",
    )
    for place, cell in enumerate(cells):
        zeros = _percent(results.figures(cell, "activations/zeros", at=1))
        axes[1].plot([zeros.low, zeros.high], [place] * 2, color=colour_of(cell), lw=2)
        axes[1].plot(zeros.mean, place, "o", color=colour_of(cell), ms=5)
    axes[1].set_yticks(range(len(cells)), [cell.label for cell in cells])
    axes[1].set_ylim(len(cells) - 0.5, -0.5)
    axes[1].set(xlabel="activations that are zero (%)")
    _legend(figure, axes[0], 5)
    _save(figure, path)


def reliability(results: Results, path: Path) -> None:
    """Draw accuracy over confidence, and how the confidences are spread."""
    figure, axes = _panels(2, 8, 3.4)
    axes[0].plot([0, 100], [0, 100], color="black", lw=0.8, ls="--", label="calibrated")
    for cell in results.experiment.cells():
        rows = results.of(cell, "measures")
        by_bin = {
            metric: [
                mean_interval((100 * values).tolist())
                for _, values in rows[rows["metric"] == f"reliability/{metric}"].groupby("at")[
                    "value"
                ]
            ]
            for metric in ("confidence", "accuracy", "share")
        }
        style = {"color": colour_of(cell), "marker": "o", "label": cell.label}
        confidence = [interval.mean for interval in by_bin["confidence"]]
        _with_bars(axes[0], confidence, by_bin["accuracy"], **style)
        _with_bars(axes[1], confidence, by_bin["share"], **style)
    axes[0].set(xlabel="mean confidence (%)", ylabel="test accuracy (%)")
    axes[1].set(xlabel="mean confidence (%)", ylabel="test images (%)", yscale="log")
    _legend(figure, axes[0], 4)
    _save(figure, path)


def silenced_units(results: Results, path: Path) -> None:
    """Draw the accuracy over the share of units of the first hidden layer that are silenced."""
    figure, axes = _panels(1, 4.5, 3.2)
    for cell in results.experiment.cells():
        _over_places(axes[0], results, cell, "ablation/group", 100, marker="o", ms=3)
    axes[0].set(xlabel="share of units silenced", ylabel="test accuracy (%)")
    _legend(figure, axes[0], 3)
    _save(figure, path)


def gradients_by_layer(results: Results, path: Path) -> None:
    """Draw each hidden layer's gradient, relative to its weights; a panel for each depth."""
    networks = results.experiment.hidden
    figure, axes = _panels(len(networks), 9, 3, sharey=True)
    for panel, widths in zip(axes, networks, strict=True):
        for cell in results.experiment.cells():
            if cell.hidden == widths:
                _over_places(panel, results, cell, "gradients/norm", marker="o", ms=3)
        panel.lines[0].set_label("no dropout")
        panel.lines[-1].set_label(f"dropout {rates_text(results.experiment.dropout[-1])}")
        panel.set(xlabel="hidden layer", title=f"{len(widths)} hidden layers", yscale="log")
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[0].set(ylabel="norm of gradient over norm of weights")
    _legend(figure, axes[0], 2)
    _save(figure, path)


def confusion(results: Results, path: Path) -> None:
    """Draw what each class is taken for, in % of its test images."""
    cells = results.experiment.cells()
    labels = results.experiment.resolved_classes
    side = 1.9 if len(labels) <= 4 else 3
    figure, axes = _panels(len(cells), side * len(cells), side + 1.1, sharey=True)
    for panel, cell in zip(axes, cells, strict=True):
        images = cell.rows_of(results.confusion).pivot_table(
            index="true", columns="predicted", values="images"
        )
        shares = (100 * images.div(images.sum(axis=1), axis=0)).to_numpy()
        errors = np.where(np.eye(len(labels), dtype=bool), np.nan, shares)
        panel.imshow(errors, cmap="OrRd", vmin=0)
        for (true, predicted), share in np.ndenumerate(shares):
            dark = true != predicted and share > 0.6 * np.nanmax(errors)
            panel.text(
                predicted,
                true,
                f"{share:.1f}",
                ha="center",
                va="center",
                fontsize=8 if len(labels) <= 4 else 5,
                color="white" if dark else "black",
            )
        names = [results.experiment.source.classes[label] for label in labels]
        panel.set_xticks(range(len(labels)), names, rotation=45 if max(map(len, names)) > 2 else 0)
        panel.set_yticks(range(len(labels)), names)
        panel.grid(visible=False)
        panel.set(title=cell.label, xlabel="taken for")
    axes[0].set(ylabel="is")
    _save(figure, path)


def _pictures(results: Results, cell: Cell, kind: str) -> list[Any]:
    rows = cell.rows_of(results.pictures)
    return list(rows[rows["kind"] == kind].sort_values("number").itertuples())


def _side_by_side(results: Results, pictures: Sequence[Any], gap: int) -> Any:
    """Put pictures into one row, as floats, with gaps that are not drawn between them."""
    padded = [
        np.pad(
            np.frombuffer(bytes.fromhex(picture.pixels), np.uint8)
            .reshape(results.experiment.source.shape)
            .astype(float),
            gap // 2,
            constant_values=np.nan,
        )
        for picture in pictures
    ]
    return np.hstack(padded)


def first_layer(results: Results, path: Path) -> None:
    """Draw the weights into units of the first hidden layer: orange above 0, purple below."""
    cells = results.experiment.cells()
    columns = 12
    pictures = [_pictures(results, cell, "feature") for cell in cells]
    rows = -(-max(map(len, pictures)) // columns)
    figure, axes = plt.subplots(
        len(cells), 1, figsize=(8, (0.7 * rows + 0.3) * len(cells)), layout="constrained"
    )
    for panel, cell, drawn in zip(np.ravel(axes), cells, pictures, strict=True):
        parts = [drawn[first : first + columns] for first in range(0, len(drawn), columns)]
        montage = np.vstack([_side_by_side(results, part, gap=2) for part in parts])
        panel.imshow(montage, cmap="PuOr_r", vmin=1, vmax=255)
        panel.set_axis_off()
        panel.set_title(cell.label, fontsize=9)
    _save(figure, path)


def examples(results: Results, path: Path) -> None:
    """Draw the test images on which networks with and without dropout differ most."""
    kinds = ("right with dropout", "right without dropout")
    cells = [cell for cell in results.experiment.cells() if _pictures(results, cell, kinds[0])]
    names = results.experiment.source.classes
    width = results.experiment.source.shape[1]
    gap = width // 3
    figure, axes = plt.subplots(
        len(cells), 2, figsize=(9, 1.45 * len(cells)), layout="constrained", squeeze=False
    )
    for row, cell in zip(axes, cells, strict=True):
        for panel, kind in zip(row, kinds, strict=True):
            pictures = _pictures(results, cell, kind)
            panel.imshow(_side_by_side(results, pictures, gap), cmap="gray_r")
            panel.set_axis_off()
            panel.set_title(f"{cell.label}: {kind}", fontsize=8, pad=24)
            for place, picture in enumerate(pictures):
                true, taken = names[int(picture.true)], names[int(picture.predicted)]
                right = f"{int(picture.right_with)}:{int(picture.right_without)}"
                middle = (place + 0.5) * (width + 2 * (gap // 2))
                panel.text(
                    middle,
                    0,
                    f"{true},\nnot {taken}\n{right}",
                    fontsize=5.5,
                    ha="center",
                    va="bottom",
                )
    _save(figure, path)


class Kind(NamedTuple):
    """A kind of figure: what it is for, where it applies, and what is to be said below it."""

    name: str
    draw: Callable[[Results, Path], None]
    applies: Callable[[Results], bool]
    caption: str


MOST_CURVES = 5
"""More cells than these are too many for one figure of learning curves."""


def _measures(name: str) -> Callable[[Results], bool]:
    return lambda results: name in results.experiment.measures


def _few(results: Results) -> bool:
    return len(results.experiment.cells()) <= MOST_CURVES


def _along_rates(results: Results) -> bool:
    rates = {c.dropout for c in results.experiment.cells() if _single_rate(c)}
    return len(rates) > 2 and not _along_axis(results)


def _along_axis(results: Results) -> bool:
    return len(results.experiment.train_size) > 1 or len(results.experiment.hidden) > 1


def _many(results: Results) -> bool:
    return not (_few(results) or _along_rates(results) or _along_axis(results))


KINDS = (
    Kind(
        "rates",
        error_over_rate,
        _along_rates,
        "Left, test error over the dropout rate; right, the generalisation gap. "
        "Bars are 95 % intervals over seeds.",
    ),
    Kind(
        "gain",
        gain_along_axis,
        _along_axis,
        "Left, test error; right, the accuracy that dropout adds, paired by seed: "
        "above the line it helps. Bars are 95 % intervals over seeds.",
    ),
    Kind(
        "cells",
        cells_compared,
        _many,
        "Left, test accuracy; right, its paired difference to the same network and training "
        "without dropout. Bars are 95 % intervals over seeds.",
    ),
    Kind(
        "curves",
        learning_curves,
        _few,
        "Mean over seeds; the band is one standard deviation. Training figures are those seen "
        "while training: with dropout they are those of the thinned networks.",
    ),
    Kind(
        "masks",
        averaged_masks,
        _measures("masks"),
        "Probabilities averaged over k sampled masks, against the single evaluation that stands "
        "for all of them (dashed). On a fifth of the test images.",
    ),
    Kind(
        "activations",
        activation_histograms,
        _measures("activations"),
        "Activations of the first hidden layer on the test images, in evaluation mode.",
    ),
    Kind(
        "silenced",
        silenced_units,
        _measures("ablation"),
        "Units of the first hidden layer are silenced at random, without training again.",
    ),
    Kind(
        "reliability",
        reliability,
        _measures("reliability"),
        "Left, how often a prediction of some confidence is right: below the dashed line the "
        "network is too sure of itself. Right, how many test images have that confidence.",
    ),
    Kind(
        "corruption",
        corrupted,
        _measures("corruption"),
        "Accuracy on test images that are spoiled in four ways. Bands are 95 % intervals.",
    ),
    Kind(
        "gradients",
        gradients_by_layer,
        _measures("gradients"),
        "Gradients of the loss at the trained weights, on 1,000 training images.",
    ),
    Kind(
        "features",
        first_layer,
        _measures("features"),
        "Weights into the first units of the first hidden layer, unchosen, at one seed: orange is "
        "above 0, purple below; each network has its own scale.",
    ),
    Kind(
        "confusion",
        confusion,
        lambda results: bool({"examples", "features"} & set(results.experiment.measures)),
        "What the images of a class are taken for, in % of them, over all seeds; the diagonal is "
        "the accuracy by class.",
    ),
    Kind(
        "examples",
        examples,
        _measures("examples"),
        "The test images on which most seeds differ: in how many of them the network is right, "
        "with dropout : without.",
    ),
)


def file_of(results: Results, kind: Kind) -> str:
    """Name the file of a figure."""
    return f"{results.name}-{kind.name}.png"


def of_experiment(results: Results) -> list[Kind]:
    """List the kinds of figures that answer an experiment's question."""
    return [kind for kind in KINDS if kind.applies(results)]


def draw(results: Results, name: str, folder: Path) -> None:
    """Draw a figure of an experiment, by the name of its kind."""
    kind = next(kind for kind in KINDS if kind.name == name)
    with plt.rc_context(STYLE):
        kind.draw(results, folder / file_of(results, kind))


def published_beside_ours(results: Results, compared: Sequence[Comparison], path: Path) -> None:
    """Draw each published figure against the seeds of ours and their prediction interval."""
    metrics = list(dict.fromkeys(comparison.metric for comparison in compared))
    rows = [[c for c in compared if c.metric == metric] for metric in metrics]
    with plt.rc_context(STYLE):
        width, height = 4.6 * len(metrics), 1.4 + 0.26 * max(map(len, rows))
        figure, axes = _panels(len(metrics), width, height)
        for panel, metric, here in zip(axes, metrics, rows, strict=True):
            _compare(panel, metric, here)
        handles, labels = axes[0].get_legend_handles_labels()
        by_label = dict(
            sorted(zip(labels, handles, strict=True), key=lambda x: x[0] == "published")
        )
        figure.legend(
            by_label.values(), by_label.keys(), loc="outside lower center", ncols=len(by_label)
        )
        _save(figure, path)


def _compare(panel: Axes, metric: str, compared: Sequence[Comparison]) -> None:
    scale = 100 if metric.endswith("accuracy") else 1
    for place, comparison in enumerate(compared):
        colour = colour_of(comparison.cell)
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
    Verdict.SUPPORTED: BLUE,
    Verdict.CONTRADICTED: VERMILION,
    Verdict.INCONCLUSIVE: "#888888",
}


def by_verdict(entries: Iterable[LedgerEntry]) -> list[LedgerEntry]:
    """Sort claims by verdict, then by name."""
    return sorted(entries, key=lambda entry: (list(Verdict).index(entry.verdict), entry.name))


def ledger(entries: Sequence[LedgerEntry], path: Path) -> None:
    """Draw every claim's deciding check, in standard deviations over seeds, on the claim's side.

    What is drawn is the distance of the mean from the bound that the claim has to pass, divided by
    the standard deviation of the differences: right of 0 the claim holds.
    """
    order = by_verdict(entries)
    with plt.rc_context(STYLE):
        figure, panel = plt.subplots(figsize=(7, 0.6 + 0.2 * len(order)), layout="constrained")
        for place, entry in enumerate(order):
            mean, low, high = entry.deciding.towards_the_claim
            colour = VERDICT_COLOURS[entry.verdict]
            panel.plot([low, high], [place] * 2, color=colour, lw=2, label=str(entry.verdict))
            panel.plot(mean, place, "o", color=colour, ms=4)
        panel.axvline(0, color="black", lw=0.8)
        panel.set_xscale("symlog", linthresh=1)
        panel.set_yticks(range(len(order)), [entry.name for entry in order], fontsize=8)
        panel.invert_yaxis()
        panel.set(xlabel="distance from the claim's bound (standard deviations over seeds)")
        _legend(figure, panel, 3)
        _save(figure, path)
