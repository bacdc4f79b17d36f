"""The stage ``evaluate``: all runs of an experiment, those in the store reused, and its tables."""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from dropout_bench import engine
from dropout_bench.catalogue.source import digest_of
from dropout_bench.data.sources import Source
from dropout_bench.errors import BenchError, one_line
from dropout_bench.evaluation.pictures import examples, features
from dropout_bench.files import whole_folder
from dropout_bench.params.experiment import Experiment, Measure
from dropout_bench.params.run import Cell, Job, Run
from dropout_bench.tables.evaluation import EVALUATION, Evaluation
from dropout_bench.tables.write import Told, write_tables
from dropout_bench.training.result import CURVES, epoch_file, evaluated_weights
from dropout_bench.training.store import RunStore
from dropout_bench.training.sweep import read_about, run_folder

FIGURES = "evaluation.json"
PICTURES = "pictures.tfevents"
_CODE = {
    FIGURES: ("evaluation.metrics",),
    PICTURES: ("evaluation.metrics", "evaluation.histograms"),
}
_LIBRARIES = {FIGURES: (), PICTURES: ("pillow", "tensorboard")}
"""Libraries that decide a file's bytes, besides those in the key of the run."""

Files = dict[str, bytes]


class _Trained(NamedTuple):
    """What a run left: what is told of it, its curves, its weights, those after each epoch."""

    about: dict[str, str]
    curves: list[dict[str, float]]
    weights: bytes
    by_epoch: dict[int, bytes]

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.weights).hexdigest()[:32]


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

    What comes out of each run is written to ``evaluations/<name>`` too: all its figures, and for
    the first seed of a cell histograms and images for TensorBoard. It is kept beside the run in
    the store, so that an added rate costs its own alone.

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
        BenchError: weights are missing, an option changes nothing, or an evaluation failed.
    """
    jobs = {job.name: job for job in experiment.jobs()}
    trained = {
        call: _read(run_folder(root / "runs", name, job), job.run, experiment)
        for call, job in jobs.items()
    }
    _check_options(name, jobs, trained)
    kept = {
        call: {
            file: _kept_as(file, trained[call], experiment.measures)
            for file in (FIGURES, PICTURES)
            # Histograms and images are large: they are made for one seed a cell.
            if file == FIGURES or job.run.seed == experiment.seeds[0]
        }
        for call, job in jobs.items()
    }
    evaluated: dict[str, Files] = {}
    for call, places in kept.items():
        key = trained[call].about["key"]
        found = {file: store.get_beside(key, place) for file, place in places.items()}
        if all(content is not None for content in found.values()):
            evaluated[call] = {file: content for file, content in found.items() if content}
    missing = {
        call: (job.run, source, *trained[call][2:], experiment.measures, PICTURES in kept[call])
        for call, job in jobs.items()
        if call not in evaluated
    }
    count = min(worker_count or engine.cores(), len(missing))
    with engine.Progress(f"evaluate {name}", len(jobs), reused=len(evaluated)) as progress:
        if missing:
            with engine.workers("dropout_bench.evaluation.metrics", scheduler, count) as client:
                for call, outcome in engine.done(client, _evaluate, missing, progress):
                    if isinstance(outcome, BaseException):
                        raise BenchError(f"evaluate {name}: {call} failed\n{engine.told(outcome)}")
                    evaluated[call] = outcome
                    for file, content in outcome.items():
                        store.put_beside(trained[call].about["key"], kept[call][file], content)
    figures = {call: EVALUATION.validate_json(evaluated[call][FIGURES]) for call in jobs}
    with whole_folder(root / "evaluations" / name) as folder:
        for call, files in evaluated.items():
            (folder / call).mkdir(parents=True)
            for file, content in files.items():
                (folder / call / file).write_bytes(content)
    with whole_folder(results / name) as folder:
        told = [
            Told(job, run.about["key"], run.digest, run.curves, figures[call])
            for (call, job), run in zip(jobs.items(), trained.values(), strict=True)
        ]
        drawn = {job: figures[call].features for call, job in jobs.items()}
        predicted = {job: figures[call].predicted for call, job in jobs.items()}
        pictures = [
            *features(experiment, drawn),
            *examples(experiment, predicted, source.raw),
        ]
        write_tables(folder, name, experiment, told, pictures, _versions(trained.values()))


def _evaluate(
    run: Run,
    source: Source,
    weights: bytes,
    by_epoch: Mapping[int, bytes],
    measures: tuple[Measure, ...],
    illustrated: bool,
) -> Files:
    # In the worker: torch is loaded there.
    from safetensors import SafetensorError

    from dropout_bench.evaluation.histograms import events
    from dropout_bench.evaluation.metrics import evaluate
    from dropout_bench.training.run import load_weights, network_of

    try:
        for content in (weights, *by_epoch.values()):
            load_weights(network_of(run), content)
    except (SafetensorError, RuntimeError) as error:  # damaged, or of another network
        told = one_line(error)
        raise BenchError(f"its weights cannot be used ({told}); run: dvc repro") from error
    pictures: list[bytes] = []
    show = (lambda *seen: pictures.append(events(*seen))) if illustrated else None
    evaluation = evaluate(run, source.at_hand(), weights, by_epoch, measures, show)
    _check_figures(evaluation)
    return {FIGURES: EVALUATION.dump_json(evaluation)} | dict(
        zip([PICTURES], pictures, strict=False)
    )


def _check_figures(evaluation: Evaluation) -> None:
    rows = [(name, value) for name, value in evaluation.final.items()]
    rows += [(f"{name} at {at:g}", value) for name, at, value in evaluation.measured]
    for name, value in rows:
        if not math.isfinite(value):
            raise BenchError(
                f"{name} is {value}; ask for less in params.yaml, measures, or train otherwise"
            )


def _check_options(name: str, jobs: Mapping[str, Job], trained: Mapping[str, _Trained]) -> None:
    """Refuse an experiment in which an option changes nothing: it would be compared with itself.

    Such an option gives, at every seed, the weights of another arm that differs in nothing else.
    """
    arms: dict[Cell, list[str]] = {}
    for call, job in jobs.items():
        arms.setdefault(job.cell, []).append(trained[call].digest)
    first: dict[tuple[object, ...], Cell] = {}
    for cell, digests in arms.items():
        network = {**cell.row(), "options": ""}
        other = first.setdefault((*network.values(), *digests), cell)
        if other != cell:
            raise BenchError(
                f'evaluate {name}: "{cell.label}" has the weights of "{other.label}" at every '
                f"seed: its options change nothing; in params.yaml change "
                f"experiments.{name}.with.{cell.options}, or take it out"
            )


def _read(folder: Path, run: Run, experiment: Experiment) -> _Trained:
    about = read_about(folder)
    epochs = range(1, run.epochs + 1) if experiment.keep_every_epoch else ()
    try:
        weights = (folder / evaluated_weights(experiment)).read_bytes()
        by_epoch = {epoch: (folder / epoch_file(epoch)).read_bytes() for epoch in epochs}
    except OSError as error:
        raise BenchError(f"{error.filename}: no trained weights; run: dvc repro") from error
    return _Trained(about, _read_curves(folder / CURVES, run), weights, by_epoch)


def _read_curves(path: Path, run: Run) -> list[dict[str, float]]:
    try:
        table = pd.read_csv(path)
        epochs = table["epoch"].tolist()
        curves = [{str(k): float(v) for k, v in row.items()} for row in table.to_dict("records")]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BenchError(f"{path}: damaged ({one_line(error)}); run: dvc repro") from error
    least = (
        1 if getattr(run, "patience", None) else run.epochs
    )  # early stopping ends it before its time
    if epochs != list(range(1, len(epochs) + 1)) or not least <= len(epochs) <= run.epochs:
        raise BenchError(f"{path}: damaged (epochs are missing); run: dvc repro")
    return curves


def _kept_as(file: str, run: _Trained, measures: tuple[Measure, ...]) -> str:
    """Name what is kept beside a run by all that it depends on, besides what the key tells."""
    libraries = [version(library) for library in _LIBRARIES[file]]
    asked = measures if file == FIGURES else ()
    about = [digest_of("evaluation.metrics", _CODE[file]), asked, libraries, run.digest]
    about += [hashlib.sha256(content).hexdigest() for content in run.by_epoch.values()]
    return f"{file}-{hashlib.sha256(json.dumps(about).encode()).hexdigest()[:32]}"


def _versions(trained: Iterable[_Trained]) -> dict[str, str]:
    """Say what the runs were trained and evaluated with; several, where they differ."""
    found = {"torchvision": {version("torchvision")}}
    for run in trained:
        for what, value in run.about.items():
            found.setdefault(what, set()).add(value)
    del found["key"]
    return {what: ", ".join(sorted(values)) for what, values in sorted(found.items())}
