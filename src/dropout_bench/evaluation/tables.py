"""The results of an experiment as tidy tables: a row a run, a row an epoch, a summary."""

import io
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pandas as pd
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from dropout_bench import engine
from dropout_bench.data.sources import Source
from dropout_bench.errors import BenchError
from dropout_bench.files import whole_folder
from dropout_bench.params import Experiment, Run, rates_text
from dropout_bench.training.result import BEST, CURVES, LAST, epoch_file
from dropout_bench.training.sweep import ABOUT, run_folder

_LIBRARIES = ("numpy", "safetensors", "scikit-learn", "torchmetrics", "torchvision")
METRICS = [f"{s}/{m}" for s in ("train", "val", "test") for m in ("loss", "accuracy")]
_DIGITS = "%.6g"


@dataclass(frozen=True)
class Evaluation:
    """A run's figures.

    Attributes:
        parameters: number of trained parameters.
        final: ``split/metric`` of the weights that the experiment evaluates.
        by_epoch: test figures of the weights after each epoch, by epoch; empty unless kept.
    """

    parameters: int
    final: dict[str, float]
    by_epoch: dict[int, dict[str, float]]


def _evaluate(run: Run, source: Source, weights: bytes, epochs: Mapping[int, bytes]) -> Evaluation:
    from dropout_bench.evaluation.metrics import evaluate  # in the worker: torch is loaded there

    return evaluate(run, source.at_hand(), weights, epochs)


def evaluate_experiment(
    name: str,
    experiment: Experiment,
    root: Path,
    source: Source,
    results: Path,
    scheduler: str | None = None,
    worker_count: int | None = None,
) -> None:
    """Evaluate all runs of an experiment and write its tables to ``results/<name>``.

    Args:
        name: the experiment's name.
        experiment: its runs; their weights are in ``runs/<name>``.
        root: the project's folder.
        source: the experiment's dataset.
        results: the folder of all results.
        scheduler: address of a Dask scheduler, if not this machine's own workers.
        worker_count: number of local workers; one per core without it.

    Raises:
        BenchError: weights are missing, or an evaluation failed.
    """
    runs = experiment.runs()
    jobs = {
        run.name: _job(run, run_folder(root / "runs", name, run), experiment, source)
        for run in runs
    }
    evaluations: dict[str, Evaluation] = {}
    count = min(worker_count or engine.cores(), len(jobs))
    with (
        engine.Progress(f"evaluate {name}", len(jobs)) as progress,
        engine.workers("dropout_bench.evaluation.metrics", scheduler, count) as client,
    ):
        for job, outcome in engine.done(client, _evaluate, jobs, progress):
            if not isinstance(outcome, Evaluation):
                raise BenchError(f"evaluate {name}: {job} failed\n{engine.told(outcome)}")
            evaluations[job] = outcome
    with whole_folder(results / name) as folder:
        _write_tables(folder, name, experiment, runs, evaluations, root)
    for run in runs:
        _log_test_figures(root / "logs" / name / run.name, run, evaluations[run.name].final)


def _job(
    run: Run, folder: Path, experiment: Experiment, source: Source
) -> tuple[Run, Source, bytes, Mapping[int, bytes]]:
    epochs = range(1, run.epochs + 1) if experiment.keep_every_epoch else ()
    try:
        weights = (folder / (BEST if experiment.checkpoint == "best" else LAST)).read_bytes()
        return run, source, weights, {e: (folder / epoch_file(e)).read_bytes() for e in epochs}
    except OSError as error:
        raise BenchError(f"{error.filename}: no trained weights; run: dvc repro") from error


def _write_tables(
    folder: Path,
    name: str,
    experiment: Experiment,
    runs: list[Run],
    evaluations: Mapping[str, Evaluation],
    root: Path,
) -> None:
    rows = []
    curves = []
    versions: dict[str, set[str]] = {}
    for run in runs:
        evaluation = evaluations[run.name]
        about = json.loads((run_folder(root / "runs", name, run) / ABOUT).read_text())
        key = about.pop("key")
        for what, value in about.items():
            versions.setdefault(what, set()).add(value)
        identity = {
            "experiment": name,
            "dataset": run.dataset,
            "variant": run.variant,
            "input_dropout": run.input_dropout,
            "dropout": rates_text(run.dropout),
            "seed": run.seed,
        }
        row = {**identity, "epochs": run.epochs, "parameters": evaluation.parameters}
        rows.append({**row, **dict.fromkeys(METRICS), **evaluation.final, "key": key})
        seen = (run_folder(root / "runs", name, run) / CURVES).read_bytes()
        for epoch in pd.read_csv(io.BytesIO(seen)).to_dict("records"):
            test = evaluation.by_epoch.get(int(epoch["epoch"]), {})
            figures = {str(k): v for k, v in epoch.items() if k != "epoch"}
            curves.append(
                {
                    **identity,
                    "epoch": int(epoch["epoch"]),
                    **dict.fromkeys(METRICS),
                    **figures,
                    **test,
                }
            )
    table = pd.DataFrame(rows)
    _to_csv(table, folder / "runs.csv")
    _to_csv(pd.DataFrame(curves), folder / "curves.csv")
    summary = _summary(table, experiment)
    (folder / "metrics.json").write_text(json.dumps(summary, indent=1) + "\n")
    versions |= {name: {version(name)} for name in _LIBRARIES}
    made_with = {what: ", ".join(sorted(values)) for what, values in sorted(versions.items())}
    (folder / "versions.json").write_text(json.dumps(made_with, indent=1) + "\n")


def _to_csv(table: pd.DataFrame, path: Path) -> None:
    table.to_csv(path, index=False, float_format=_DIGITS, lineterminator="\n")


def _summary(table: pd.DataFrame, experiment: Experiment) -> dict[str, dict[str, float]]:
    """Mean and standard deviation over seeds, by cell: ``dvc metrics`` shows them."""
    summary: dict[str, dict[str, float]] = {}
    for cell in experiment.cells():
        of_cell = table[
            (table["variant"] == cell.variant)
            & (table["dropout"] == rates_text(cell.dropout))
            & (table["input_dropout"] == cell.input_dropout)
        ]
        figures = {}
        for metric in METRICS:
            if of_cell[metric].notna().all():
                figures[f"{metric} mean"] = round(float(of_cell[metric].mean()), 4)
                if len(of_cell) > 1:
                    figures[f"{metric} sd"] = round(float(of_cell[metric].std()), 4)
        summary[cell.label.replace(".", "_")] = figures
    return summary


def _log_test_figures(folder: Path, run: Run, figures: Mapping[str, float]) -> None:
    """Add a run's test figures to its TensorBoard events, for the HPARAMS tab."""
    suffix = ".evaluated"
    for earlier in folder.glob(f"*{suffix}"):
        earlier.unlink()
    values = [
        Summary.Value(tag=name, simple_value=value)
        for name, value in figures.items()
        if name.startswith("test/")
    ]
    writer = EventFileWriter(str(folder), filename_suffix=suffix)
    writer.add_event(Event(wall_time=time.time(), step=run.epochs, summary=Summary(value=values)))
    writer.close()
