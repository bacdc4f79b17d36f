"""The stage ``evaluate``: all runs of an experiment, those in the store reused, and its tables."""

import hashlib
import itertools
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from dropout_bench import engine
from dropout_bench.catalogue.source import digest_of
from dropout_bench.data.download import Source
from dropout_bench.errors import BenchError, one_line
from dropout_bench.evaluation.pictures import examples, features
from dropout_bench.files import whole_folder
from dropout_bench.params.experiment import PICTURES, Experiment
from dropout_bench.params.run import Cell, Job, Run
from dropout_bench.tables.evaluation import EVALUATION
from dropout_bench.tables.write import Told, write_tables
from dropout_bench.training.result import CURVES, epoch_file, evaluated_weights
from dropout_bench.training.store import RunStore
from dropout_bench.training.sweep import read_about

FIGURES = "evaluation.json"
EVENTS = "pictures.tfevents"

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
    """Evaluate the runs in ``runs/<name>`` and write their tables to ``results/<name>``.

    What comes out of each run is written to ``evaluations/<name>`` too: all its figures, and for
    the first seed of a cell histograms and images for TensorBoard. It is kept beside the run in
    the store, so that an added rate costs its own alone. Scheduler and workers are those of
    :func:`~dropout_bench.engine.workers`.

    Raises:
        BenchError: weights are missing, an option changes nothing, or an evaluation failed.
    """
    jobs = experiment.jobs()
    trained = {
        job.name: _read(root / "runs" / name / job.name, job.run, experiment) for job in jobs
    }
    _check_options(name, jobs, trained)
    evaluated = _evaluated(name, experiment, trained, source, store, scheduler, worker_count)
    with whole_folder(root / "evaluations" / name) as folder:
        for call, files in evaluated.items():
            (folder / call).mkdir(parents=True)
            for file, content in files.items():
                (folder / call / file).write_bytes(content)
    runs = [
        Told(job, run.about["key"], run.digest, run.curves, EVALUATION.validate_json(figures))
        for job in jobs
        for run, figures in [(trained[job.name], evaluated[job.name][FIGURES])]
    ]
    pictures = [
        *features(experiment, {run.job: run.evaluation.features for run in runs}),
        *examples(experiment, {run.job: run.evaluation.predicted for run in runs}, source.raw),
    ]
    with whole_folder(results / name) as folder:
        write_tables(folder, name, experiment, runs, pictures, _versions(trained.values()))


def _evaluated(
    name: str,
    experiment: Experiment,
    trained: Mapping[str, _Trained],
    source: Source,
    store: RunStore,
    scheduler: str | None,
    worker_count: int | None,
) -> dict[str, Files]:
    """Return what evaluation gives of each run, from the store where that has it."""
    found: dict[str, Files] = {}
    kept: dict[str, dict[str, str]] = {}
    missing = {}
    for job in experiment.jobs():
        run = trained[job.name]
        # Histograms and images are large: they are made for one seed a cell.
        illustrated = job.run.seed == experiment.seeds[0]
        kept[job.name] = _kept_as(run, experiment.measures, illustrated)
        contents = {
            file: content
            for file, place in kept[job.name].items()
            if (content := store.get_beside(run.about["key"], place)) is not None
        }
        if contents.keys() == kept[job.name].keys():
            found[job.name] = contents
        else:
            asked = (experiment.measures, illustrated)
            missing[job.name] = (job.run, source, run.weights, run.by_epoch, *asked)
    count = min(worker_count or engine.cores(), len(missing))
    with engine.Progress(f"evaluate {name}", len(trained), reused=len(found)) as progress:
        if missing:
            with engine.workers("dropout_bench.evaluation.metrics", scheduler, count) as client:
                for call, outcome in engine.done(client, _evaluate, missing, progress):
                    if isinstance(outcome, BaseException):
                        raise BenchError(f"evaluate {name}: {call} failed\n{engine.told(outcome)}")
                    found[call] = outcome
                    for file, content in outcome.items():
                        store.put_beside(trained[call].about["key"], kept[call][file], content)
    return found


def _evaluate(
    run: Run,
    source: Source,
    weights: bytes,
    by_epoch: Mapping[int, bytes],
    measures: tuple[str, ...],
    illustrated: bool,
) -> Files:
    # In the worker: torch is loaded there.
    from safetensors import SafetensorError

    from dropout_bench.evaluation.metrics import evaluate
    from dropout_bench.tensorboard.pictures import events
    from dropout_bench.training.run import load_weights, network_of

    try:
        for content in (weights, *by_epoch.values()):
            load_weights(network_of(run), content)
    except (SafetensorError, RuntimeError) as error:  # damaged, or of another network
        told = one_line(error)
        raise BenchError(f"its weights cannot be used ({told}); run: dvc repro") from error
    files: Files = {}
    show = (lambda *seen: files.update({EVENTS: events(*seen)})) if illustrated else None
    evaluation = evaluate(run, source.at_hand(), weights, by_epoch, measures, show)
    measured = {f"{name} at {at:g}": value for name, at, value in evaluation.measured}
    for name, value in (evaluation.final | measured).items():
        if not math.isfinite(value):
            raise BenchError(
                f"{name} is {value}; ask for less in params.yaml, measures, or train otherwise"
            )
    return files | {FIGURES: EVALUATION.dump_json(evaluation)}


def _check_options(name: str, jobs: Sequence[Job], trained: Mapping[str, _Trained]) -> None:
    """Refuse an experiment in which an option changes nothing: it would be compared with itself.

    Such an option gives, at every seed, the weights of another arm that differs in nothing else.
    """
    first: dict[tuple[object, ...], Cell] = {}
    for cell, arm in itertools.groupby(jobs, lambda job: job.cell):
        network = {**cell.row(), "options": ""}
        digests = [trained[job.name].digest for job in arm]
        other = first.setdefault((*network.values(), *digests), cell)
        if other != cell:
            raise BenchError(
                f'evaluate {name}: "{cell.label}" has the weights of "{other.label}" at every '
                f"seed: its options change nothing; in params.yaml change with.{cell.options} of "
                f"{name}, or take it out"
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
    least = 1 if getattr(run, "patience", None) else run.epochs  # it may stop early
    if epochs != list(range(1, len(epochs) + 1)) or not least <= len(epochs) <= run.epochs:
        raise BenchError(f"{path}: damaged (epochs are missing); run: dvc repro")
    return curves


def measuring(measures: Iterable[str]) -> list[str]:
    """Name the modules that measure what is asked for, besides those that they import."""
    files = (name.replace("-", "_") for name in measures if name not in PICTURES)
    return [f"quantities.measured.{file}" for file in files]


def _kept_as(run: _Trained, measures: tuple[str, ...], illustrated: bool) -> dict[str, str]:
    """Name each file that is kept beside a run by what it depends on, besides the key's parts."""
    about = {FIGURES: [digest_of("evaluation.metrics", *measuring(measures)), measures, []]}
    if illustrated:
        libraries = [version("pillow"), version("tensorboard")]
        about[EVENTS] = [digest_of("evaluation.metrics", "tensorboard.pictures"), [], libraries]
    weights = [hashlib.sha256(each).hexdigest() for each in (run.weights, *run.by_epoch.values())]
    digests = {
        file: hashlib.sha256(json.dumps([*own, *weights]).encode()).hexdigest()
        for file, own in about.items()
    }
    return {file: f"{Path(file).stem}-{digest[:32]}" for file, digest in digests.items()}


def _versions(trained: Iterable[_Trained]) -> dict[str, str]:
    """Say what the runs were trained and evaluated with; several, where they differ."""
    found = {"torchvision": {version("torchvision")}}
    for run in trained:
        for what, value in run.about.items():
            found.setdefault(what, set()).add(value)
    del found["key"]
    return {what: ", ".join(sorted(values)) for what, values in sorted(found.items())}
