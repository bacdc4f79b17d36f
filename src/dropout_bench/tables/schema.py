"""The columns of each table of results, in their order, and what may stand in them.

Writer and reader both go by this. Every table has the columns of a cell, as
:meth:`~dropout_bench.params.run.Cell.row` gives them; its rows are told apart by those and by the
columns in ``KEYS``.
"""

import sys
from collections.abc import Sequence

import pandera.pandas as pa

from dropout_bench.params.experiment import Experiment
from dropout_bench.quantities.derived.columns import CALIBRATION, CURVES
from dropout_bench.quantities.quantity import Quantity

TABLES = ("runs", "curves", "measures", "confusion", "pictures")
KEYS = {
    "runs": ("seed",),
    "curves": ("seed", "epoch"),
    "measures": ("seed", "metric", "at"),
    "confusion": ("true", "predicted"),
    "pictures": ("kind", "number"),
    "timings": ("seed",),
}

_LARGEST = sys.float_info.max
_MOST = {"test/ece": 1.0, "test/brier": 2.0}
_OF_CELL = ("variant", "dropout", "hidden", "options")
_OTHERS = ("experiment", "dataset", "key", "weights", "metric", "kind", "pixels")
TEXTS = dict.fromkeys((*_OF_CELL, *_OTHERS), str)
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
    kinds = {str: _text(), float: _number(), int: _count()}
    cell = {name: kinds[type(value)] for name, value in experiment.cells()[0].row().items()}
    run = {"experiment": _text(), "dataset": _text(), **cell, "seed": _count()}
    labels = experiment.resolved_classes
    label, label_if_any = (_count(min(labels), max(labels), missing) for missing in (False, True))
    right = _count(high=len(experiment.seeds), missing=True)
    height, width = experiment.source.shape

    def figures(entries: Sequence[Quantity], test: bool) -> dict[str, pa.Column]:
        known = {"train": True, "val": bool(experiment.validation), "test": test}
        most = {entry.name: 1.0 for entry in entries if entry.unit == "fraction"} | _MOST
        return {
            entry.name: _number(0, most.get(entry.name, _LARGEST), missing=not known[entry.split])
            for entry in entries
        }

    epochs = _count(1, experiment.epochs)
    columns: dict[str, dict[str, pa.Column]] = {
        "runs": {
            **run,
            "epochs": epochs,
            "parameters": _count(1),
            **figures((*CURVES, *CALIBRATION), test=True),
            "key": _text("[0-9a-f]{32}"),
            "weights": _text("[0-9a-f]{32}"),
        },
        "curves": {**run, "epoch": epochs, **figures(CURVES, test=experiment.keep_every_epoch)},
        "measures": {
            **cell, "seed": _count(), "metric": _text(".+"), "at": _number(), "value": _number(),
        },
        "confusion": {**cell, "true": label, "predicted": label, "images": _count()},
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
            "experiment": _text(), **cell, "seed": _count(), "epochs": epochs,
            "seconds": _number(0),
        },
    }  # fmt: skip
    return {
        name: pa.DataFrameSchema(own, unique=[*cell, *KEYS[name]]) for name, own in columns.items()
    }
