"""The columns of each table of results, in their order, and what may stand in them.

Writer and reader both go by this. Every table has the column that tells a cell, as
:meth:`~dropout_bench.params.arms.Cell.row` gives it; its rows are told apart by that and by the
columns in ``KEYS``. A ``seed`` is a draw's number where the setting is drawn.
"""

import math
import sys
from collections.abc import Sequence

import pandera.pandas as pa

from dropout_bench.params.experiment import Experiment
from dropout_bench.quantities.derived.columns import CALIBRATION, CURVES
from dropout_bench.quantities.quantity import Quantity

TABLES = ("runs", "candidates", "curves", "measures", "confusion", "pictures")
KEYS = {
    "runs": ("seed",),
    "candidates": ("seed", "candidate"),
    "curves": ("seed", "epoch"),
    "measures": ("seed", "metric", "at"),
    "confusion": ("dataset", "true", "predicted"),
    "pictures": ("kind", "number"),
    "timings": ("seed", "candidate"),
}

EVERY_EPOCH = 40
"""Up to so many epochs a curve is told whole."""

_LARGEST = sys.float_info.max
_MOST = {"test/ece": 1.0, "test/brier": 2.0}
_OF_RUN = ("dataset", "variant", "dropout", "hidden", "normalise", "options", "key", "weights")
_OTHERS = ("experiment", "arm", "candidate", "metric", "kind", "pixels")
TEXTS = dict.fromkeys((*_OF_RUN, *_OTHERS), str)
"""Columns that are texts, also where they look like numbers."""


def _text(pattern: str = "") -> pa.Column:
    return pa.Column(str, pa.Check.str_matches(f"^(?:{pattern})$") if pattern else None)


def _number(low: float = -_LARGEST, high: float = _LARGEST, missing: bool = False) -> pa.Column:
    return pa.Column(float, [pa.Check.in_range(low, high)], coerce=True, nullable=missing)


def _count(low: float = 0, high: float = 2**53, missing: bool = False) -> pa.Column:
    column = _number(low, high, missing)
    column.checks.append(pa.Check(lambda values: values % 1 == 0, error="whole"))
    column.metadata = {"whole": not missing}
    return column


def schemas(experiment: Experiment) -> dict[str, pa.DataFrameSchema]:
    """Return what each table of an experiment must be like."""
    cell = dict.fromkeys(experiment.cells()[0].row(), _text(".+"))
    held_out = experiment.has_validation
    run = {"experiment": _text(), **cell, "seed": _count()}
    labels = experiment.resolved_classes
    label, label_if_any = (_count(min(labels), max(labels), missing) for missing in (False, True))
    right = _count(high=len(experiment.seeds), missing=True)
    height, width = experiment.source.shape

    def figures(entries: Sequence[Quantity], test: bool) -> dict[str, pa.Column]:
        known = {"train": True, "val": held_out, "test": test}
        most = {entry.name: 1.0 for entry in entries if entry.unit == "fraction"} | _MOST
        return {
            entry.name: _number(0, most.get(entry.name, _LARGEST), missing=not known[entry.split])
            for entry in entries
        }

    longest = max(run.epochs for run in experiment.runs())
    epochs = _count(1, longest)
    trained = {
        "epochs": epochs,
        "best_epoch": _count(1, longest, missing=not held_out),
        "limit": epochs,
    }
    bytes_of = {"key": _text("[0-9a-f]{32}"), "weights": _text("[0-9a-f]{32}")}
    columns: dict[str, dict[str, pa.Column]] = {
        "runs": {
            **run, "dataset": _text(), "variant": _text(), "input_dropout": _number(0, 1),
            "dropout": _text(), "hidden": _text(), "train_size": _count(1), "normalise": _text(),
            "learning_rate": _number(0), "batch_size": _count(1), "options": _text(), **trained,
            "parameters": _count(1), **figures((*CURVES, *CALIBRATION), test=True), **bytes_of,
        },
        "candidates": {
            **cell, "seed": _count(), "candidate": _text(".+"), **trained,
            "val/loss": _number(0), "val/accuracy": _number(0, 1), "chosen": _count(0, 1),
            **bytes_of,
        },
        "curves": {**run, "epoch": epochs, **figures(CURVES, test=experiment.keep_every_epoch)},
        "measures": {
            **cell, "seed": _count(), "metric": _text(".+"), "at": _number(), "value": _number(),
        },
        "confusion": {
            **cell, "dataset": _text(), "true": label, "predicted": label, "images": _count(),
        },
        "pictures": {
            **cell,
            "kind": _text("feature|right with dropout|right without dropout"),
            "number": _count(),
            "true": label_if_any,
            "predicted": label_if_any,
            "right_without": right,
            "right_with": right,
            "pixels": _text(f"[0-9a-f]{{{2 * height * width}}}"),
        },
        "timings": {
            **run, "candidate": _text(), "epochs": epochs, "seconds": _number(sys.float_info.min),
        },
    }  # fmt: skip
    return {
        name: pa.DataFrameSchema(own, unique=[*cell, *KEYS[name]]) for name, own in columns.items()
    }


def told_epochs(count: int, best: float) -> list[int]:
    """List the epochs of a curve that its table tells, from 1 to the last one.

    They are all of the first forty, as far as experiments of a fixed length go; then they grow
    further apart, by about an eighth: a curve of hundreds of epochs is as well seen by sixty. The
    best one, if there is one (else NaN), is among them.
    """
    epochs = list(range(1, min(count, EVERY_EPOCH) + 1))
    while epochs[-1] < count:
        epochs.append(min(count, epochs[-1] * 9 // 8))
    return epochs if math.isnan(best) else sorted({*epochs, int(best)})
