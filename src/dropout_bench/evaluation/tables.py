"""The results of an experiment as tidy tables: a row a run, a row an epoch, a summary."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import ConfigDict, TypeAdapter

from dropout_bench import engine
from dropout_bench.catalogue.source import digest_of
from dropout_bench.data.download import Source
from dropout_bench.errors import BenchError, one_line
from dropout_bench.evaluation.board import log_test_figures
from dropout_bench.evaluation.pictures import PICTURE_COLUMNS, examples, features
from dropout_bench.files import whole_folder
from dropout_bench.params.experiment import Experiment, Measure
from dropout_bench.params.run import Job, Run
from dropout_bench.training.result import CURVES, epoch_file, evaluated_weights
from dropout_bench.training.store import RunStore
from dropout_bench.training.sweep import read_about, run_folder

_LIBRARIES = ("numpy", "safetensors", "scikit-learn", "torchmetrics", "torchvision")
CURVES_METRICS = [f"{s}/{m}" for s in ("train", "val", "test") for m in ("loss", "accuracy")]
METRICS = [*CURVES_METRICS, "test/ece", "test/brier"]
_EVALUATION_CODE = (
    "evaluation.metrics",
    "evaluation.measures",
    "evaluation.histograms",
)
DIGITS = "%.6g"


@dataclass(frozen=True)
class Evaluation:
    """A run's figures.

    Attributes:
        parameters: number of trained parameters.
        final: ``split/metric`` of the weights that the experiment evaluates.
        by_epoch: test figures of the weights after each epoch, by epoch; empty unless kept.
        confusion: number of test images by true class and predicted class.
        measured: (metric, at, value) of what the experiment measures besides.
        predicted: predicted class of each test image, a byte each; empty unless asked for.
        features: weights into hidden units as images, a byte a pixel; empty unless asked for.
        events: an event file with histograms and images for TensorBoard; empty unless asked for.
    """

    __pydantic_config__ = ConfigDict(
        ser_json_bytes="hex", val_json_bytes="hex", ser_json_inf_nan="constants"
    )

    parameters: int
    final: dict[str, float]
    by_epoch: dict[int, dict[str, float]]
    confusion: list[list[int]]
    measured: list[tuple[str, float, float]]
    predicted: bytes = b""
    features: Sequence[bytes] = ()
    events: bytes = b""


def _evaluate(
    run: Run,
    source: Source,
    weights: bytes,
    epochs: Mapping[int, bytes],
    measures: tuple[Measure, ...],
    illustrated: bool,
) -> Evaluation:
    # In the worker: torch is loaded there.
    from safetensors import SafetensorError

    from dropout_bench.evaluation.metrics import evaluate
    from dropout_bench.training.run import load_weights, network_of

    try:
        for content in (weights, *epochs.values()):
            load_weights(network_of(run), content)
    except (SafetensorError, RuntimeError) as error:  # damaged, or of another network
        told = one_line(error)
        raise BenchError(f"its weights cannot be used ({told}); run: dvc repro") from error
    return evaluate(run, source.at_hand(), weights, epochs, measures, illustrated)


def evaluate_experiment(
    name: str,
    experiment: Experiment,
    root: Path,
    source: Source,
    store: RunStore,
    results: Path,
    scheduler: str | None = None,
    worker_count: int | None = None,
) -> None:
    """Evaluate all runs of an experiment and write its tables to ``results/<name>``.

    An evaluation is kept beside its run in the store, so that an added rate costs its own alone.

    Args:
        name: the experiment's name.
        experiment: its runs; their weights are in ``runs/<name>``.
        root: the project's folder.
        source: the experiment's dataset.
        store: where evaluations are kept, if it has the run.
        results: the folder of all results.
        scheduler: address of a Dask scheduler, if not this machine's own workers.
        worker_count: number of local workers; one per core without it.

    Raises:
        BenchError: weights are missing, or an evaluation failed.
    """
    jobs = {job.name: job for job in experiment.jobs()}
    folders = {call: run_folder(root / "runs", name, job) for call, job in jobs.items()}
    calls = {call: _call(job.run, folders[call], experiment, source) for call, job in jobs.items()}
    kept = {call: (read_about(folders[call])["key"], _kept_as(calls[call])) for call in jobs}
    evaluations: dict[str, Evaluation] = {}
    for call, place in kept.items():
        if (content := store.get_beside(*place)) is not None:
            evaluations[call] = _EVALUATION.validate_json(content)
    missing = {call: calls[call] for call in jobs if call not in evaluations}
    count = min(worker_count or engine.cores(), len(missing))
    with engine.Progress(f"evaluate {name}", len(jobs), reused=len(evaluations)) as progress:
        if missing:
            with engine.workers("dropout_bench.evaluation.metrics", scheduler, count) as client:
                for call, outcome in engine.done(client, _evaluate, missing, progress):
                    if not isinstance(outcome, Evaluation):
                        raise BenchError(f"evaluate {name}: {call} failed\n{engine.told(outcome)}")
                    evaluations[call] = outcome
                    store.put_beside(*kept[call], _EVALUATION.dump_json(outcome))
    with whole_folder(results / name) as folder:
        _write_tables(folder, name, experiment, jobs.values(), evaluations, root)
        pictures = [
            *features(experiment, {job: evaluations[call].features for call, job in jobs.items()}),
            *examples(
                experiment,
                {job: evaluations[call].predicted for call, job in jobs.items()},
                source.raw,
            ),
        ]
        columns = [*experiment.cells()[0].row(), *PICTURE_COLUMNS]
        _to_csv(pd.DataFrame(pictures, columns=columns), folder / "pictures.csv")
    shown = {call: evaluations[call].events for call in jobs}
    log_test_figures(name, experiment, root / "logs", results, shown)


_EVALUATION = TypeAdapter(Evaluation)


def _kept_as(call: tuple[Any, ...]) -> str:
    """Name an evaluation by all that it depends on, besides what the run's key tells."""
    _, _, weights, by_epoch, *asked = call
    digest = hashlib.sha256(digest_of(*_EVALUATION_CODE).encode())
    about = [*asked, [version(name) for name in _LIBRARIES]]
    digest.update(json.dumps(about).encode())
    for content in (weights, *by_epoch.values()):
        digest.update(hashlib.sha256(content).digest())
    return f"evaluation-{digest.hexdigest()[:32]}"


def _call(run: Run, folder: Path, experiment: Experiment, source: Source) -> tuple[Any, ...]:
    epochs = range(1, run.epochs + 1) if experiment.keep_every_epoch else ()
    try:
        weights = (folder / evaluated_weights(experiment)).read_bytes()
        by_epoch = {epoch: (folder / epoch_file(epoch)).read_bytes() for epoch in epochs}
        # Histograms and images for TensorBoard are large: they are made for one seed a cell.
        illustrated = run.seed == experiment.seeds[0]
        return run, source, weights, by_epoch, experiment.measures, illustrated
    except OSError as error:
        raise BenchError(f"{error.filename}: no trained weights; run: dvc repro") from error


def _write_tables(
    folder: Path,
    name: str,
    experiment: Experiment,
    jobs: Iterable[Job],
    evaluations: Mapping[str, Evaluation],
    root: Path,
) -> None:
    rows = []
    curves = []
    confusions = []
    measures = []
    versions: dict[str, set[str]] = {}
    for job in jobs:
        evaluation = evaluations[job.name]
        left = run_folder(root / "runs", name, job)
        about = read_about(left)
        key = about.pop("key")
        for what, value in about.items():
            versions.setdefault(what, set()).add(value)
        identity = {
            "experiment": name,
            "dataset": job.run.dataset,
            **job.cell.row(),
            "seed": job.run.seed,
        }
        seen = _read_curves(left / CURVES, job.run)
        row = {**identity, "epochs": len(seen), "parameters": evaluation.parameters}
        weights = (left / evaluated_weights(experiment)).read_bytes()
        digest = hashlib.sha256(weights).hexdigest()[:32]
        figures = {**dict.fromkeys(METRICS), **evaluation.final}
        rows.append({**row, **figures, "key": key, "weights": digest})
        cell = {**job.cell.row(), "seed": job.run.seed}
        measures += [
            {**cell, "metric": metric, "at": at, "value": value}
            for metric, at, value in evaluation.measured
        ]
        confusions += [
            {**job.cell.row(), "true": true, "predicted": predicted, "images": images}
            for true, row in zip(job.run.classes, evaluation.confusion, strict=True)
            for predicted, images in zip(job.run.classes, row, strict=True)
        ]
        for epoch in seen:
            test = evaluation.by_epoch.get(int(epoch["epoch"]), {})
            figures = {str(k): v for k, v in epoch.items() if k != "epoch"}
            curves.append(
                {
                    **identity,
                    "epoch": int(epoch["epoch"]),
                    **dict.fromkeys(CURVES_METRICS),
                    **figures,
                    **test,
                }
            )
    table = pd.DataFrame(rows)
    _to_csv(table, folder / "runs.csv")
    _to_csv(pd.DataFrame(curves), folder / "curves.csv")
    columns = [*experiment.cells()[0].row(), "seed", "metric", "at", "value"]
    _to_csv(pd.DataFrame(measures, columns=columns), folder / "measures.csv")
    by_cell = [*experiment.cells()[0].row(), "true", "predicted"]
    confusion = pd.DataFrame(confusions).groupby(by_cell, sort=False)["images"].sum()
    _to_csv(confusion.reset_index(), folder / "confusion.csv")
    summary = _summary(table, experiment)
    (folder / "metrics.json").write_text(json.dumps(summary, indent=1) + "\n")
    versions |= {name: {version(name)} for name in _LIBRARIES}
    made_with = {what: ", ".join(sorted(values)) for what, values in sorted(versions.items())}
    (folder / "versions.json").write_text(json.dumps(made_with, indent=1) + "\n")


def _read_curves(path: Path, run: Run) -> list[dict[str, float]]:
    try:
        table = pd.read_csv(path)
        epochs = table["epoch"].tolist()
        curves = [{str(k): float(v) for k, v in row.items()} for row in table.to_dict("records")]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BenchError(f"{path}: damaged ({one_line(error)}); run: dvc repro") from error
    stopped_early = bool(getattr(run, "patience", None)) and len(epochs) <= run.epochs
    if epochs != list(range(1, len(epochs) + 1)) or not (
        len(epochs) == run.epochs or stopped_early
    ):
        raise BenchError(f"{path}: damaged (epochs are missing); run: dvc repro")
    return curves


def _to_csv(table: pd.DataFrame, path: Path) -> None:
    table.to_csv(path, index=False, float_format=DIGITS, lineterminator="\n")


def _summary(table: pd.DataFrame, experiment: Experiment) -> dict[str, dict[str, float]]:
    """Mean over seeds by cell, for ``dvc metrics diff``: one level, two figures a cell.

    They are rounded to what ten seeds can tell apart: what moves by less is no news.
    """
    summary: dict[str, dict[str, float]] = {}
    for cell in experiment.cells():
        of_cell = cell.rows_of(table)
        # DVC reads a dot in a name as a level.
        summary[cell.label.replace(".", "_")] = {
            "test accuracy (%)": round(100 * float(of_cell["test/accuracy"].mean()), 2),
            "test loss": round(float(of_cell["test/loss"].mean()), 3),
        }
    return summary
