"""Writing the tables of an experiment: a row a run, a row an epoch, a summary."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from dropout_bench.params.experiment import Experiment
from dropout_bench.params.run import Job
from dropout_bench.tables.evaluation import Evaluation
from dropout_bench.tables.schema import DIGITS, TABLES, schemas

Row = dict[str, str | float]


class Told(NamedTuple):
    """All that the tables tell of a run.

    Attributes:
        job: the run and its place in the experiment.
        key: its key.
        weights: digest of the weights that are evaluated.
        curves: its figures by epoch, from 1.
        evaluation: its figures on all splits.
    """

    job: Job
    key: str
    weights: str
    curves: Sequence[Mapping[str, float]]
    evaluation: Evaluation


def write_tables(
    folder: Path,
    name: str,
    experiment: Experiment,
    runs: Iterable[Told],
    pictures: Iterable[Row],
    versions: Mapping[str, str],
) -> None:
    """Write all tables of an experiment, and what they were computed with, into a folder.

    Args:
        folder: where to.
        name: the experiment's name.
        experiment: the experiment.
        runs: its runs, in the order of its jobs.
        pictures: the rows of ``pictures.csv``.
        versions: the data, the device and the versions of libraries.
    """
    rows: dict[str, list[Row]] = {table: [] for table in TABLES}
    for job, key, weights, curves, evaluation in runs:
        cell, seed = job.cell.row(), job.run.seed
        run: Row = {"experiment": name, "dataset": job.run.dataset, **cell, "seed": seed}
        of_run = {"epochs": len(curves), "parameters": evaluation.parameters, **evaluation.final}
        rows["runs"].append({**run, **of_run, "key": key, "weights": weights})
        rows["curves"] += [
            {**run, **epoch, **evaluation.by_epoch.get(number, {})}
            for number, epoch in enumerate(curves, start=1)
        ]
        rows["measures"] += [
            {**cell, "seed": seed, "metric": metric, "at": at, "value": value}
            for metric, at, value in evaluation.measured
        ]
        rows["confusion"] += [
            {**cell, "true": true, "predicted": predicted, "images": images}
            for true, counts in zip(job.run.classes, evaluation.confusion, strict=True)
            for predicted, images in zip(job.run.classes, counts, strict=True)
        ]
    rows["pictures"] += pictures
    rules = schemas(experiment)
    tables = {
        table: pd.DataFrame(rows[table], columns=list(rules[table].columns)) for table in TABLES
    }
    images = tables["confusion"]
    by_cell = list(images.columns[:-1])
    tables["confusion"] = images.groupby(by_cell, sort=False)["images"].sum().reset_index()
    for table, content in tables.items():
        write_table(content, folder / f"{table}.csv")
    _write_json(_summary(tables["runs"], experiment), folder / "metrics.json")
    _write_json(versions, folder / "versions.json")


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV; equal tables give equal bytes."""
    table.to_csv(path, index=False, float_format=DIGITS, lineterminator="\n")


def _write_json(content: object, path: Path) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", newline="\n")


def _summary(runs: pd.DataFrame, experiment: Experiment) -> dict[str, dict[str, float]]:
    """Mean over seeds by cell, for ``dvc metrics diff``: one level, two figures a cell.

    They are rounded to what ten seeds can tell apart: what moves by less is no news.
    """
    summary: dict[str, dict[str, float]] = {}
    for cell in experiment.cells():
        of_cell = cell.rows_of(runs)
        # DVC reads a dot in a name as a level.
        summary[cell.label.replace(".", "_")] = {
            "test accuracy (%)": round(100 * float(of_cell["test/accuracy"].mean()), 2),
            "test loss": round(float(of_cell["test/loss"].mean()), 3),
        }
    return summary
