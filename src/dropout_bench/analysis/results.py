"""The tables of an experiment, and every figure of a run that can be read from them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dropout_bench.errors import BenchError
from dropout_bench.params import Cell, Experiment

TEXTS = dict.fromkeys(("variant", "dropout", "hidden", "options", "kind", "pixels"), str)
"""Columns that are texts, also where they look like numbers."""

TABLES = ("runs", "curves", "measures", "confusion", "pictures")

Figures = NDArray[np.float64]


@dataclass(frozen=True)
class Results:
    """The tables of one experiment.

    Attributes:
        name: the experiment's name.
        experiment: its section of ``params.yaml``.
        runs: a row a run.
        curves: a row a run and epoch.
        measures: a row a run, metric and place; see :mod:`dropout_bench.evaluation.measures`.
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

    def of(self, cell: Cell, table: pd.DataFrame) -> pd.DataFrame:
        """Return a cell's rows of a table, by seed."""
        return cell.rows_of(table).sort_values("seed", kind="stable")

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics that the evaluated weights have."""
        names = map(str, self.runs.columns)
        return [name for name in names if "/" in name and self.runs[name].notna().any()]

    def values(self, cell: Cell, metric: str, epoch: int | None = None) -> Sequence[float]:
        """Return a metric of a cell at each seed: of the evaluated weights, or at an epoch."""
        rows = self.of(cell, self.runs if epoch is None else self.curves)
        if epoch is not None:
            rows = rows[rows["epoch"] == epoch]
        values: list[float] = rows[metric].astype(float).tolist()
        return values

    def figures(
        self, cell: Cell, metric: str, at: float | None = None, epoch: int | None = None
    ) -> Figures:
        """Return any figure of a cell at each seed.

        Args:
            cell: the cell.
            metric: one of

                - a column of ``runs.csv``, such as ``test/accuracy``; with ``epoch``, of
                  ``curves.csv``;
                - ``gap/loss`` (test − training) or ``gap/accuracy`` (training − test): the
                  generalisation gap, both in evaluation mode;
                - ``swing/val/loss`` and the like: standard deviation of the steps from one epoch to
                  the next, over the second half of the epochs;
                - ``deviation/test/loss`` and the like: distance from the mean over seeds;
                - ``epochs-to/train/loss`` and the like: epochs until the curve is at ``at`` or
                  below, between epochs by a straight line; one more than there are if it never is;
                - ``log-seconds``: natural logarithm of the seconds per epoch;
                - a metric of ``measures.csv``, such as ``masks/accuracy``, with ``at``.
            at: place of a measure, or level to reach.
            epoch: epoch of a curve, from 1.

        Raises:
            KeyError: there is no such figure.
        """
        kind, _, rest = metric.partition("/")
        if kind == "gap":
            sign = 1.0 if rest == "loss" else -1.0
            test, train = (self.figures(cell, f"{split}/{rest}") for split in ("test", "train"))
            gap: Figures = sign * (test - train)
            return gap
        if kind == "deviation":
            values = self.figures(cell, rest)
            deviation: Figures = np.abs(values - values.mean())
            return deviation
        if kind in {"swing", "epochs-to"}:
            curves = [
                rows.sort_values("epoch")[rest].to_numpy(dtype=float)
                for _, rows in self.of(cell, self.curves).groupby("seed")
            ]
            if kind == "swing":
                return np.array([np.diff(curve[len(curve) // 2 :]).std(ddof=1) for curve in curves])
            return np.array(
                [_epochs_to(curve, at if at is not None else np.nan) for curve in curves]
            )
        if metric == "log-seconds":
            rows = self.of(cell, self.timings)
            logarithms: Figures = np.log((rows["seconds"] / rows["epochs"]).to_numpy(dtype=float))
            return logarithms
        if metric in self.runs:
            return np.array(self.values(cell, metric, epoch))
        rows = self.of(cell, self.measures)
        rows = rows[
            (rows["metric"] == metric) & np.isclose(rows["at"], np.nan if at is None else at)
        ]
        if len(rows) != len(self.experiment.seeds):
            raise KeyError(metric)
        return rows["value"].to_numpy(dtype=float)


def _epochs_to(curve: Figures, level: float) -> float:
    below = np.flatnonzero(curve <= level)
    if not len(below):
        return float(len(curve) + 1)
    first = int(below[0])
    if first == 0:
        return 1.0
    before, after = curve[first - 1], curve[first]
    return float(first + (before - level) / (before - after))


def read_table(path: Path) -> pd.DataFrame:
    """Read a table of results; an empty text is a text."""
    table = pd.read_csv(path, dtype=TEXTS)
    return table.fillna({name: "" for name in TEXTS if name in table})


def read_results(reports: Path, name: str, experiment: Experiment) -> Results:
    """Read the tables of an experiment, in ``reports/results`` and ``reports/timings``.

    Raises:
        BenchError: a table is missing or is not of the runs that ``params.yaml`` asks for.
    """
    folder = reports / "results"
    times = reports / "timings" / f"{name}.csv"
    try:
        tables = {table: read_table(folder / name / f"{table}.csv") for table in TABLES}
        versions = json.loads((folder / name / "versions.json").read_text())
        columns = [*experiment.cells()[0].row(), "seed"]
        found = tables["runs"][columns].itertuples(index=False, name=None)
    except (OSError, ValueError, KeyError) as error:
        raise BenchError(f"{folder / name}: cannot be read ({error}); run: dvc repro") from error
    expected = {
        (*cell.row().values(), seed) for cell in experiment.cells() for seed in experiment.seeds
    }
    if set(found) != expected:
        raise BenchError(
            f"{folder / name / 'runs.csv'}: its runs are not those of params.yaml; run: dvc repro"
        )
    timings = read_table(times) if times.is_file() else pd.DataFrame()
    return Results(name, experiment, versions=versions, timings=timings, **tables)
