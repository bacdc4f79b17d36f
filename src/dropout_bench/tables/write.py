"""Writing the tables of an experiment: a row a run, a row an epoch, a summary."""

import json
import math
import shutil
from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from dropout_bench.catalogue.datasets import DATASETS
from dropout_bench.params.arms import Job
from dropout_bench.params.experiment import SCALES, Experiment, scale
from dropout_bench.params.options import chosen
from dropout_bench.params.run import Run
from dropout_bench.params.values import rates_text, widths_text
from dropout_bench.tables.evaluation import Evaluation
from dropout_bench.tables.schema import TABLES, schemas, told_epochs

Row = dict[str, str | float]


class Trained(NamedTuple):
    """What the tables tell of a training: the weights by their digest, the curves by epoch."""

    job: Job
    key: str
    weights: str
    curves: Sequence[Mapping[str, float]]

    @property
    def best(self) -> int:
        """The place of its best epoch in the curves; of its last one without validation."""
        losses = [epoch.get("val/loss", 0.0) for epoch in self.curves]
        return losses.index(min(losses)) if "val/loss" in self.curves[0] else len(losses) - 1

    @property
    def loss(self) -> float:
        """The validation loss of the weights that are evaluated: what a candidate is chosen by."""
        return self.evaluated.get("val/loss", 0.0)

    @property
    def evaluated(self) -> Mapping[str, float]:
        """The point of the curves at the weights that are evaluated."""
        return self.curves[self.best if self.job.cell.checkpoint == "best" else -1]

    def about(self) -> Row:
        """Return how long it was: epochs, the best one, how many there could have been."""
        row: Row = {"epochs": len(self.curves), "limit": self.job.run.epochs}
        if "val/loss" in self.curves[0]:
            row["best_epoch"] = self.best + 1
        return row


class Told(NamedTuple):
    """All that the tables tell of a run that was evaluated."""

    trained: Trained
    evaluation: Evaluation


def best_of(candidates: Iterable[Trained]) -> dict[Job, Trained]:
    """Choose at each draw of each arm: the lowest validation loss, of equals the first."""
    best: dict[tuple[str, int], Trained] = {}
    for one in candidates:
        other = best.setdefault((one.job.cell.label, one.job.run.seed), one)
        if one.loss < other.loss:
            best[one.job.cell.label, one.job.run.seed] = one
    return {one.job: one for one in best.values()}


def write_tables(
    folder: Path,
    name: str,
    experiment: Experiment,
    trained: Iterable[Trained],
    runs: Iterable[Told],
    pictures: Iterable[Row],
    versions: Mapping[str, str],
) -> None:
    """Write all tables of an experiment into a folder.

    ``trained`` are all its runs in the order of its jobs, ``runs`` those that were chosen and
    evaluated, ``versions`` what they were computed with: the data, the device, the libraries.
    """
    rows: dict[str, list[Row]] = {table: [] for table in TABLES}
    evaluated = list(runs)
    chosen_jobs = {told.trained.job for told in evaluated}
    for one in trained:
        if one.job.cell.arm.choose:
            rows["candidates"].append(_candidate(one, one.job in chosen_jobs))
    for one, evaluation in evaluated:
        cell, seed = one.job.cell.row(), one.job.run.seed
        run: Row = {"experiment": name, **cell, "seed": seed}
        of_run = {**described(experiment, one.job.run), **one.about()}
        of_run |= {"parameters": evaluation.parameters, **evaluation.final}
        rows["runs"].append({**run, **of_run, "key": one.key, "weights": one.weights})
        rows["curves"] += [
            {**run, **one.curves[epoch - 1], **evaluation.by_epoch.get(epoch, {})}
            for epoch in told_epochs(len(one.curves), one.best + 1)
        ]
        rows["measures"] += [
            {**cell, "seed": seed, "metric": metric, "at": at, "value": value}
            for metric, at, value in evaluation.measured
        ]
        classes = one.job.run.classes
        rows["confusion"] += [
            {
                **cell, "dataset": one.job.run.dataset, "true": true, "predicted": predicted,
                "images": images,
            }
            for true, counts in zip(classes, evaluation.confusion, strict=True)
            for predicted, images in zip(classes, counts, strict=True)
        ]  # fmt: skip
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
    _write_json(summary(tables["runs"], experiment), folder / "metrics.json")
    _write_json(versions, folder / "versions.json")


def described(experiment: Experiment, run: Run) -> Row:
    """Return the columns that say what a run is."""
    scales = {name: scale(name, DATASETS[run.dataset]) for name in SCALES}
    mean, sd = run.normalise.mean, run.normalise.sd
    named = [name for name, values in scales.items() if values == run.normalise]
    options = chosen(run)
    if experiment.patience_steps:
        del options["patience"]
    return {
        "dataset": run.dataset,
        "variant": run.variant,
        "input_dropout": run.input_dropout,
        "dropout": rates_text(run.dropout),
        "hidden": widths_text(run.hidden),
        "train_size": trained_on(run),
        "normalise": (named or [f"(v - {mean:g}) / {sd:g}"])[0],
        "learning_rate": run.learning_rate,
        "batch_size": run.batch_size,
        "options": options_text(options),
    }


def trained_on(run: Run) -> int:
    """Return how many images a run trains on: those that are not held out."""
    return run.train_size - math.ceil(run.train_size * run.validation)


def options_text(options: Mapping[str, object]) -> str:
    """Write options that are on: ``max_norm 1.0, learning_rate_decay linear``."""
    return ", ".join(f"{name} {value}" for name, value in options.items())


def _candidate(one: Trained, is_chosen: bool) -> Row:
    cell, run = one.job.cell, one.job.run
    return {
        **cell.row(),
        "seed": run.seed,
        "candidate": one.job.candidate,
        **one.about(),
        "val/loss": one.evaluated["val/loss"],
        "val/accuracy": one.evaluated["val/accuracy"],
        "chosen": int(is_chosen),
        "key": one.key,
        "weights": one.weights,
    }


def _write_json(content: object, path: Path) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", newline="\n")


def summary(runs: pd.DataFrame, experiment: Experiment) -> dict[str, dict[str, float]]:
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
