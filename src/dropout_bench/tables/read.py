"""The tables of an experiment, and the quantities that are read from them."""

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pandera.pandas as pa
from pandera.errors import SchemaError, SchemaErrors

from dropout_bench.errors import BenchError, one_line
from dropout_bench.params.arms import Cell
from dropout_bench.params.experiment import PICTURES, Experiment
from dropout_bench.params.values import widths_text
from dropout_bench.quantities.quantity import Table, Values
from dropout_bench.quantities.registry import values
from dropout_bench.tables.schema import TABLES, TEXTS, schemas, told_epochs

READ_BY_CELL: tuple[Table, ...] = ("runs", "candidates", "curves", "measures", "timings")
LAST_TENTH = 0.9
"""A best epoch beyond this part of the limit says that the training was cut short."""


@dataclass(frozen=True)
class Results:
    """The tables of one experiment, and what they were computed with.

    Attributes:
        runs: a row a run that was evaluated.
        candidates: a row a run among which validation chose.
        curves: a row a run and epoch; of long ones not every epoch.
        measures: a row a run, metric and place; see :mod:`dropout_bench.quantities.measured`.
        confusion: a row a cell, dataset, true class and predicted class.
        pictures: a row a picture; see :mod:`dropout_bench.evaluation.pictures`.
        timings: a row a run: how long its training took; no part of the results.
    """

    name: str
    experiment: Experiment
    runs: pd.DataFrame
    candidates: pd.DataFrame
    curves: pd.DataFrame
    measures: pd.DataFrame
    confusion: pd.DataFrame
    pictures: pd.DataFrame
    versions: dict[str, str]
    timings: pd.DataFrame = field(default_factory=pd.DataFrame)

    @functools.cached_property
    def _rows(self) -> dict[str, dict[tuple[object, ...], pd.DataFrame]]:
        by_cell = list(self.experiment.cells()[0].row())
        tables = {name: getattr(self, name) for name in READ_BY_CELL}
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
    def settings(self) -> pd.DataFrame:
        """Return what each draw drew: a row a seed, in order; no columns where nothing is drawn."""
        names = list(self.experiment.draw.names)
        rows = [self.experiment.setting(seed).drawn for seed in self.experiment.seeds]
        drawn = pd.DataFrame(rows, index=list(self.experiment.seeds), columns=names)
        if "hidden" in drawn:
            drawn["hidden"] = drawn["hidden"].map(widths_text)
        return drawn

    def unfinished(self, cell: Cell) -> tuple[int, ...]:
        """Return the seeds at which a cell's training was cut short by its limit.

        That is where trainings end by themselves, and the best epoch is in the limit's last tenth.
        """
        if not self.experiment.converges:
            return ()
        runs = self.of(cell, "runs")
        late = runs["best_epoch"] > LAST_TENTH * runs["limit"]
        return tuple(int(seed) for seed in runs.loc[late, "seed"])

    @property
    def trained(self) -> pd.DataFrame:
        """Return all runs, evaluated or not: arm, seed, candidate, key."""
        return keys_of(self.runs, self.candidates)

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics that the evaluated weights have."""
        names = map(str, self.runs.columns)
        return [name for name in names if "/" in name and self.runs[name].notna().any()]

    def figures(
        self, cell: Cell, metric: str, at: float | None = None, epoch: int | None = None
    ) -> Values:
        """Return a quantity of a cell at each seed: at a place, at an epoch from 1.

        Raises:
            BenchError: there is no such quantity, or the tables do not have it at every seed.
        """
        return values(metric, functools.partial(self.of, cell), at, epoch)


def read_present(
    reports: Path, experiments: Mapping[str, Experiment]
) -> tuple[dict[str, Results], dict[str, str]]:
    """Read the tables of the experiments that have them; say of the others what is wrong."""
    results, stale = {}, {}
    for name, experiment in experiments.items():
        try:
            results[name] = read_results(reports, name, experiment)
        except BenchError as error:
            stale[name] = str(error)
    return results, stale


def read_table(path: Path) -> pd.DataFrame:
    """Read a table of results; an empty text is a text."""
    table = pd.read_csv(path, dtype=TEXTS)
    return table.fillna({name: "" for name in TEXTS if name in table})


def read_results(
    reports: Path, name: str, experiment: Experiment, times: Path | None = None
) -> Results:
    """Read the tables of an experiment, in ``reports/results``, and its times in a folder of these.

    Raises:
        BenchError: a table is missing, is damaged, or is not of the runs that ``params.yaml`` asks
            for.
    """
    folder = reports / "results" / name
    rules = schemas(experiment)
    by_run = [*experiment.cells()[0].row(), "seed"]
    runs = _sound(folder / "runs.csv", rules["runs"])
    cells = [tuple(cell.row().values()) for cell in experiment.cells()]
    if _keys(runs, by_run) != {(*cell, seed) for cell in cells for seed in experiment.seeds}:
        where = folder / "runs.csv"
        raise BenchError(f"{where}: its runs are not those of params.yaml; run: dvc repro")
    rest = {table: _sound(folder / f"{table}.csv", rules[table]) for table in TABLES[1:]}
    tables = {"runs": runs, **rest}
    if wrong := _incomplete(tables, experiment, by_run):
        where = folder / f"{wrong}.csv"
        raise BenchError(f"{where}: damaged, its rows are not those of the runs; run: dvc repro")
    timings = pd.DataFrame()
    if times and (path := times / f"{name}.csv").is_file():
        trained = keys_of(runs, rest["candidates"])
        timings = _sound(path, rules["timings"]).merge(trained.drop(columns="key"))
        if len(timings) != len(trained):  # DVC had no need to train them here
            timings = timings.iloc[:0]
    versions = read_versions(folder)
    return Results(name, experiment, versions=versions, timings=timings, **tables)


def keys_of(runs: pd.DataFrame, candidates: pd.DataFrame) -> pd.DataFrame:
    """Return arm, seed, candidate and key of all runs, from the two tables that have them."""
    columns = ["arm", "seed", "candidate", "key"]
    single = runs[~runs["arm"].isin(candidates["arm"])].assign(candidate="")
    return pd.concat([single[columns], candidates[columns]], ignore_index=True)


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
    expected = {"data", "device", "torch", "lightning"}
    if not isinstance(versions, dict) or not versions.keys() >= expected:
        raise BenchError(f"{path}: damaged, what it was computed with is not in it; run: dvc repro")
    return {name: str(version) for name, version in versions.items()}


def _sound(path: Path, rules: pa.DataFrameSchema) -> pd.DataFrame:
    """Read a table in which every column is there, and holds what it may hold."""
    try:
        table = rules.validate(read_table(path))
    except (SchemaError, SchemaErrors) as error:
        first = error.schema_errors[0] if isinstance(error, SchemaErrors) else error
        raise BenchError(f"{path}: damaged, {one_line(first)}; run: dvc repro") from error
    except (OSError, ValueError) as error:
        raise BenchError(f"{path}: cannot be read ({one_line(error)}); run: dvc repro") from error
    whole = [name for name, rule in rules.columns.items() if (rule.metadata or {}).get("whole")]
    return table.astype(dict.fromkeys(whole, "int64"))


def _keys(table: pd.DataFrame, columns: list[str]) -> set[tuple[object, ...]]:
    return set(table[columns].itertuples(index=False, name=None))


def _incomplete(
    tables: Mapping[str, pd.DataFrame], experiment: Experiment, by_run: list[str]
) -> str:
    """Name a table that does not have the rows that belong to its runs; "" if all have them.

    That no row is there twice is known already.
    """
    runs, measures, by_cell = tables["runs"], tables["measures"], by_run[:-1]
    cells, labels = _keys(runs, by_cell), experiment.resolved_classes
    ends = runs[[*by_run, "epochs", "best_epoch"]].itertuples(index=False, name=None)
    curves = {(*run, at) for *run, count, best in ends for at in told_epochs(count, best)}
    if _keys(tables["curves"], [*by_run, "epoch"]) != curves:
        return "curves"
    # Bins of confidence that have no image have no figure.
    of_bins = measures["metric"].str.startswith("reliability/")
    bins = [_keys(rows, [*by_run, "at"]) for _, rows in measures[of_bins].groupby("metric")]
    compared = measures[~of_bins]
    figures = _keys(compared, [*by_run, "metric", "at"])
    # Every seed of a cell has the figures of the first one.
    first = {row for row in figures if row[-3] == experiment.seeds[0]}
    alike = {(*row[:-3], seed, *row[-2:]) for row in first for seed in experiment.seeds}
    asked = {*experiment.measures} - PICTURES
    measured = cells if asked - {"reliability"} else set()
    if (
        bool(asked) == measures.empty
        or figures != alike
        or any(each != bins[0] for each in bins)
        or {row[:-3] for row in figures} != measured
    ):
        return "measures"
    of_datasets = _keys(runs, [*by_cell, "dataset"])
    pairs = {(*one, true, taken) for one in of_datasets for true in labels for taken in labels}
    if _keys(tables["confusion"], [*by_cell, "dataset", "true", "predicted"]) != pairs:
        return "confusion"
    candidates = tables["candidates"]
    asked_of = {
        (*job.cell.row().values(), job.run.seed, job.candidate)
        for job in experiment.jobs()
        if job.cell.arm.choose
    }
    chosen = candidates[candidates["chosen"] == 1]
    choosing = runs[runs["arm"].isin(candidates["arm"])]
    lowest = candidates.groupby(by_run)["val/loss"].min().reset_index()
    if (
        _keys(candidates, [*by_run, "candidate"]) != asked_of
        or _keys(chosen, [*by_run, "key"]) != _keys(choosing, [*by_run, "key"])
        or len(chosen) != len(choosing)
        or _keys(chosen, [*by_run, "val/loss"]) != _keys(lowest, [*by_run, "val/loss"])
    ):
        return "candidates"
    return "" if _keys(tables["pictures"], by_cell) <= cells else "pictures"
