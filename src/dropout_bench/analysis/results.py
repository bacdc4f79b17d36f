"""The tables of an experiment, and the quantities that are read from them."""

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from dropout_bench.errors import BenchError, one_line
from dropout_bench.params.experiment import Experiment
from dropout_bench.params.run import Cell
from dropout_bench.quantities.quantity import Table, Values
from dropout_bench.quantities.registry import values

TEXTS = dict.fromkeys(("variant", "dropout", "hidden", "options", "kind", "pixels"), str)
"""Columns that are texts, also where they look like numbers."""

TABLES = ("runs", "curves", "measures", "confusion", "pictures")


@dataclass(frozen=True)
class Results:
    """The tables of one experiment.

    Attributes:
        name: the experiment's name.
        experiment: its section of ``params.yaml``.
        runs: a row a run.
        curves: a row a run and epoch.
        measures: a row a run, metric and place; see :mod:`dropout_bench.quantities.measured`.
        confusion: a row a cell, true class and predicted class.
        pictures: a row a picture; see :mod:`dropout_bench.evaluation.pictures`.
        versions: what it was computed with.
        timings: a row a run: how long its training took; no part of the results.
    """

    name: str
    experiment: Experiment
    runs: pd.DataFrame
    curves: pd.DataFrame
    measures: pd.DataFrame
    confusion: pd.DataFrame
    pictures: pd.DataFrame
    versions: dict[str, str]
    timings: pd.DataFrame = field(default_factory=pd.DataFrame)

    @functools.cached_property
    def _rows(self) -> dict[str, dict[tuple[object, ...], pd.DataFrame]]:
        by_cell = list(self.experiment.cells()[0].row())
        tables = {name: getattr(self, name) for name in ("runs", "curves", "measures", "timings")}
        return {
            name: {
                key: rows.sort_values("seed", kind="stable")
                for key, rows in table.groupby(by_cell, sort=False)
            }
            for name, table in tables.items()
            if len(table)
        }

    def of(self, cell: Cell, table: Table) -> pd.DataFrame:
        """Return a cell's rows of a table, by seed."""
        nothing: pd.DataFrame = getattr(self, table).iloc[:0]
        return self._rows.get(table, {}).get(tuple(cell.row().values()), nothing)

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics that the evaluated weights have."""
        names = map(str, self.runs.columns)
        return [name for name in names if "/" in name and self.runs[name].notna().any()]

    def figures(
        self, cell: Cell, metric: str, at: float | None = None, epoch: int | None = None
    ) -> Values:
        """Return a quantity of a cell at each seed.

        Args:
            cell: the cell.
            metric: name of the quantity; see :mod:`dropout_bench.quantities`.
            at: its place.
            epoch: epoch of a curve, from 1.

        Raises:
            BenchError: there is no such quantity, or the tables do not have it at every seed.
        """
        return values(metric, functools.partial(self.of, cell), at, epoch)


def read_table(path: Path) -> pd.DataFrame:
    """Read a table of results; an empty text is a text."""
    table = pd.read_csv(path, dtype=TEXTS)
    return table.fillna({name: "" for name in TEXTS if name in table})


_SPLITS = [
    f"{split}/{metric}" for split in ("train", "val", "test") for metric in ("loss", "accuracy")
]
COLUMNS = {
    "runs": ["seed", "epochs", "parameters", *_SPLITS, "test/ece", "test/brier", "key", "weights"],
    "curves": ["seed", "epoch", *_SPLITS],
    "measures": ["seed", "metric", "at", "value"],
    "confusion": ["true", "predicted", "images"],
    "pictures": [
        "kind", "number", "true", "predicted", "right_without", "right_with", "pixels",
    ],
    "timings": ["seed", "epochs", "seconds"],
}  # fmt: skip
"""The columns of each table, besides those that tell the cell."""

_NO_NUMBERS = {*TEXTS, "metric", "key", "weights"}


def read_results(
    reports: Path, name: str, experiment: Experiment, times: Path | None = None
) -> Results:
    """Read the tables of an experiment, in ``reports/results``.

    Args:
        reports: the folder of the report.
        name: the experiment's name.
        experiment: its section of ``params.yaml``.
        times: a folder of times, if these are to be read too.

    Raises:
        BenchError: a table is missing, is damaged, or is not of the runs that ``params.yaml`` asks
            for.
    """
    folder = reports / "results" / name
    tables = {table: _sound(table, folder / f"{table}.csv", experiment) for table in TABLES}
    if wrong := _incomplete(tables, experiment):
        raise BenchError(f"{folder / wrong}; run: dvc repro")
    timings = pd.DataFrame()
    if times and (path := times / f"{name}.csv").is_file():
        timings = _sound("timings", path, experiment)
    if not timings.empty:
        by_run = [*experiment.cells()[0].row(), "seed"]
        timings = timings.merge(tables["runs"][by_run], on=by_run)
        if len(timings) != len(tables["runs"]):  # DVC had no need to train them here
            timings = timings.iloc[:0]
    versions = read_versions(folder)
    return Results(name, experiment, versions=versions, timings=timings, **tables)


def read_versions(folder: Path) -> dict[str, str]:
    """Read what an experiment's tables were computed with.

    Raises:
        BenchError: it is missing, or damaged.
    """
    path = folder / "versions.json"
    try:
        versions = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise BenchError(f"{path}: cannot be read ({one_line(error)}); run: dvc repro") from error
    if not isinstance(versions, dict) or not {"data", "device", "torch", "lightning"} <= {
        *versions
    }:
        raise BenchError(f"{path}: damaged, what it was computed with is not in it; run: dvc repro")
    return {name: str(version) for name, version in versions.items()}


def _sound(name: str, path: Path, experiment: Experiment) -> pd.DataFrame:
    """Read a table that has its columns, and numbers where numbers belong."""
    try:
        table = read_table(path)
    except (OSError, ValueError) as error:
        raise BenchError(f"{path}: cannot be read ({one_line(error)}); run: dvc repro") from error
    for column in [*experiment.cells()[0].row(), *COLUMNS[name]]:
        if column not in table:
            raise BenchError(f"{path}: damaged, it has no column {column}; run: dvc repro")
        numbers = len(table) == 0 or pd.api.types.is_numeric_dtype(table[column])
        if column not in _NO_NUMBERS and not numbers:
            raise BenchError(
                f"{path}: damaged, {column} is not a number everywhere; run: dvc repro"
            )
    return table


def _incomplete(tables: Mapping[str, pd.DataFrame], experiment: Experiment) -> str:
    """Say which table does not have the rows that it should have; "" if all have them."""
    cells = experiment.cells()
    by_cell = list(cells[0].row())
    by_run = [*by_cell, "seed"]
    expected = {(*cell.row().values(), seed) for cell in cells for seed in experiment.seeds}

    runs, curves, measures = (tables[name] for name in ("runs", "curves", "measures"))
    found = list(runs[by_run].itertuples(index=False, name=None))
    if set(found) != expected or len(found) != len(expected):
        return "runs.csv: its runs are not those of params.yaml"
    figures = [name for name in COLUMNS["runs"] if name.startswith(("train/", "test/"))]
    if not np.isfinite(runs[figures].to_numpy(dtype=float)).all():
        return "runs.csv: damaged, a figure is missing"
    epochs = dict(zip(found, runs["epochs"], strict=True))
    seen = {run: rows.tolist() for run, rows in curves.groupby(by_run)["epoch"]}
    if seen != {run: list(range(1, int(count) + 1)) for run, count in epochs.items()}:
        return "curves.csv: damaged, its epochs are not those of the runs"
    # Bins of confidence that have no image have no figure.
    for _, rows in measures[~measures["metric"].str.startswith("reliability/")].groupby(by_cell):
        of_seed = [
            list(zip(part["metric"], part["at"], strict=True)) for _, part in rows.groupby("seed")
        ]
        if len(of_seed) != len(experiment.seeds) or any(one != of_seed[0] for one in of_seed):
            return "measures.csv: damaged, runs of a cell have different figures"
    if bool(len(measures)) != bool({*experiment.measures} - {"features", "examples"}):
        return "measures.csv: damaged, figures are missing"
    labels = {*experiment.resolved_classes}
    confusion = tables["confusion"]
    if len(confusion) != len(cells) * len(labels) ** 2 or not {*confusion["true"]} <= labels:
        return "confusion.csv: damaged, rows are missing"
    pictures = tables["pictures"]
    if not pictures["pixels"].str.fullmatch(_pixels(experiment)).all():
        return "pictures.csv: damaged, a picture has not the pixels of an image"
    return ""


def _pixels(experiment: Experiment) -> str:
    height, width = experiment.source.shape
    return f"[0-9a-f]{{{2 * height * width}}}"
