"""The stage ``evaluate``: all runs of an experiment, those in the store reused, and its tables."""

import hashlib
import itertools
import json
import math
from collections.abc import Iterable, Mapping
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
from dropout_bench.params.arms import Arm, Job
from dropout_bench.params.experiment import PICTURES, Experiment
from dropout_bench.params.options import Options, chosen
from dropout_bench.params.run import Run
from dropout_bench.tables.evaluation import EVALUATION
from dropout_bench.tables.write import Told, Trained, best_of, write_tables
from dropout_bench.training.result import CURVES, epoch_file
from dropout_bench.training.store import RunStore, weights_file
from dropout_bench.training.sweep import read_about

FIGURES = "evaluation.json"
EVENTS = "pictures.tfevents"

Files = dict[str, bytes]
_NEUTRAL = dict(Options())


class _Left(NamedTuple):
    """What a run left: what is told of it, its curves, its weights, those after each epoch."""

    about: dict[str, str]
    curves: list[dict[str, float]]
    weights: bytes
    by_epoch: dict[int, bytes]

    def trained(self, job: Job) -> Trained:
        digest = hashlib.sha256(self.weights).hexdigest()[:32]
        return Trained(job, self.about["key"], digest, self.curves)


def evaluate_experiment(
    name: str,
    experiment: Experiment,
    root: Path,
    sources: Mapping[str, Source],
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
    left = {job: _read(root / "runs" / name / job.name, job, experiment) for job in jobs}
    trained = [run.trained(job) for job, run in left.items()]
    chosen = best_of(trained)
    _check_options(name, trained)
    these = {job: left[job] for job in chosen}
    evaluated = _evaluated(name, experiment, these, sources, store, scheduler, worker_count)
    with whole_folder(root / "evaluations" / name) as folder:
        for call, files in evaluated.items():
            (folder / call).mkdir(parents=True)
            for file, content in files.items():
                (folder / call / file).write_bytes(content)
    runs = [
        Told(one, EVALUATION.validate_json(evaluated[job.name][FIGURES]))
        for job, one in chosen.items()
    ]
    raw = next(iter(sources.values())).raw
    pictures = [
        *features(experiment, {run.trained.job: run.evaluation.features for run in runs}),
        *examples(experiment, {run.trained.job: run.evaluation.predicted for run in runs}, raw),
    ]
    with whole_folder(results / name) as folder:
        write_tables(folder, name, experiment, trained, runs, pictures, _versions(left))


def _evaluated(
    name: str,
    experiment: Experiment,
    trained: Mapping[Job, _Left],
    sources: Mapping[str, Source],
    store: RunStore,
    scheduler: str | None,
    worker_count: int | None,
) -> dict[str, Files]:
    """Return what evaluation gives of each run, from the store where that has it."""
    keys = {job.name: run.about["key"] for job, run in trained.items()}
    found: dict[str, Files] = {}
    kept: dict[str, dict[str, str]] = {}
    missing = {}
    for job, run in trained.items():
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
            source = sources[job.run.dataset]
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
                        store.put_beside(keys[call], kept[call][file], content)
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


def _check_options(name: str, trained: Iterable[Trained]) -> None:
    """Refuse an experiment in which an option changes nothing: it would be compared with itself.

    Such an option, or a value of it that is to choose from, gives at every seed the weights of
    another network that differs in nothing else.
    """
    first: dict[tuple[object, ...], tuple[Arm, str]] = {}
    for cell, of_cell in itertools.groupby(trained, lambda one: one.job.cell):
        runs, candidates = list(of_cell), cell.arm.candidates()
        for number, arm in enumerate(candidates):
            digests = tuple(one.weights for one in runs[number :: len(candidates)])
            plain = arm.model_copy(update=_NEUTRAL)
            same = (*plain.compared().values(), plain.times_learning_rate, cell.hidden)
            label = ", ".join(filter(None, (cell.label, arm.text(cell.arm))))
            other, its = first.setdefault((str(same), cell.train_size, digests), (arm, label))
            if chosen(other) != chosen(arm):
                place = f"arms.{cell.label}" if not cell.options else f"with.{cell.options}"
                raise BenchError(
                    f'evaluate {name}: "{label}" has the weights of "{its}" at every '
                    f"seed: its options change nothing; in params.yaml change {place} of "
                    f"{name}, or take it out"
                )


def _read(folder: Path, job: Job, experiment: Experiment) -> _Left:
    about = read_about(folder)
    epochs = range(1, job.run.epochs + 1) if experiment.keep_every_epoch else ()
    try:
        weights = (folder / weights_file(job)).read_bytes()
        by_epoch = {epoch: (folder / epoch_file(epoch)).read_bytes() for epoch in epochs}
    except OSError as error:
        raise BenchError(f"{error.filename}: no trained weights; run: dvc repro") from error
    return _Left(about, _read_curves(folder / CURVES, job.run), weights, by_epoch)


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


def _kept_as(run: _Left, measures: tuple[str, ...], illustrated: bool) -> dict[str, str]:
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


def _versions(left: Mapping[Job, _Left]) -> dict[str, str]:
    """Say what the runs were trained and evaluated with; several, where they differ."""
    found = {"torchvision": {version("torchvision")}}
    for job, run in left.items():
        for what, value in run.about.items():
            told = f"{job.run.dataset} {value}" if what == "data" else value
            found.setdefault(what, set()).add(told)
    del found["key"]
    return {what: ", ".join(sorted(values)) for what, values in sorted(found.items())}
