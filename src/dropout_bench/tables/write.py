"""Writing the tables of an experiment: a row a run, a row an epoch, a summary."""

import json
import shutil
from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from dropout_bench.params.experiment import Experiment
from dropout_bench.params.run import Job
from dropout_bench.tables.evaluation import Evaluation
from dropout_bench.tables.schema import TABLES, schemas

Row = dict[str, str | float]


class Told(NamedTuple):
    """All that the tables tell of a run: the evaluated weights by their digest, curves by epoch."""

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
    """Write all tables of an experiment, its runs in the order of its jobs, into a folder.

    ``versions`` is what they were computed with: the data, the device, versions of libraries.
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
        path = folder / f"{table}.csv"
        content.to_csv(path, index=False, float_format="%.6g", lineterminator="\n")
    _write_json(_summary(tables["runs"], experiment), folder / "metrics.json")
    _write_json(versions, folder / "versions.json")


def _write_json(content: object, path: Path) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", newline="\n")


def _summary(runs: pd.DataFrame, experiment: Experiment) -> dict[str, dict[str, float]]:
    """Mean over seeds by cell, for ``dvc metrics diff``: one level, two figures a cell.

    They are rounded to what ten seeds can tell apart: what moves by less is no news.
    """
    return {
        cell.label.replace(".", "_"): {  # DVC reads a dot in a name as a level
            "test accuracy (%)": round(100 * float(of_cell["test/accuracy"].mean()), 2),
            "test loss": round(float(of_cell["test/loss"].mean()), 3),
        }
        for cell in experiment.cells()
        for of_cell in [cell.rows_of(runs)]
    }


def remove_gone(results: Path, experiments: Container[str]) -> list[Path]:
    """Remove the tables of experiments that are gone, and return their folders.

    A folder that is not tables alone is somebody else's, and stays.
    """
    gone = [
        folder
        for folder in sorted(results.glob("*/"))
        if folder.name not in experiments
        and all(path.suffix in {".csv", ".json"} for path in folder.iterdir())
    ]
    for folder in gone:
        shutil.rmtree(folder)
    return gone
