"""The pipeline as a whole: its stages by number, its workers, how long it takes, what it found.

Each stage is a process of its own, which DVC starts. What they have in common is here.
"""

import contextlib
import hashlib
import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import psutil

from dropout_bench.catalogue.datasets import DATASETS
from dropout_bench.params.experiment import Experiment
from dropout_bench.params.file import Params
from dropout_bench.params.run import Run
from dropout_bench.sharing import VARIABLE, Lender, Shared

if TYPE_CHECKING:
    from dropout_bench.analysis.effects import Effect

WORKED_WITH = (
    "dropout_bench.training.sweep",
    "dropout_bench.training.run",
    "dropout_bench.evaluation.stage",
    "dropout_bench.evaluation.metrics",
    "dropout_bench.tensorboard.live",
    "dropout_bench.tensorboard.pictures",
)
"""What training and evaluation use in workers, which start with it imported."""

_TARGETS = "DROPOUT_BENCH_TARGETS"
_FRESH = 20.0  # seconds for which an estimate is not made again


def repro(root: Path, words: Sequence[str], count: int | None = None) -> int:
    """Run ``dvc repro``; its stages share workers, which are started when the first needs them.

    The workers live in and with this process. With a scheduler of one's own, in
    ``$DROPOUT_BENCH_SCHEDULER``, there are none.

    Returns:
        The exit status of DVC.
    """
    command = [sys.executable, "-m", "dvc", "repro", *words]
    targets = {_TARGETS: " ".join(word for word in words if not word.startswith("-"))}
    if os.environ.get(VARIABLE):
        with _running(command, root, os.environ | targets) as dvc:
            return _status(dvc.wait())
    with contextlib.ExitStack() as stack:
        lender = Lender()
        stack.callback(lender.close)

        def start() -> Shared:
            from dropout_bench import engine  # Dask, which is not needed where nothing is to do

            client = stack.enter_context(engine.workers(WORKED_WITH, count=count))
            return engine.shared_by(client)

        environment = os.environ | targets | {VARIABLE: lender.address}
        with _running(command, root, environment) as dvc:

            def wait() -> None:
                dvc.wait()
                with contextlib.suppress(OSError):  # closed: this process is being stopped
                    lender.wake()

            threading.Thread(target=wait, daemon=True).start()
            lender.serve(start, over=lambda: dvc.poll() is not None)
            return _status(dvc.wait())


@contextlib.contextmanager
def _running(
    command: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a child; it and what it started end before whatever ends this block too early."""
    with subprocess.Popen(command, cwd=folder, env=environment) as child:  # noqa: S603
        try:
            yield child
        except BaseException:
            family = []
            with contextlib.suppress(psutil.Error):
                family = [one := psutil.Process(child.pid), *one.children(recursive=True)]
            for one in family:
                with contextlib.suppress(psutil.Error):
                    one.terminate()
            psutil.wait_procs(family, timeout=10)
            raise


def _status(code: int) -> int:
    return code if code >= 0 else 128 - code  # as a shell tells a signal


def stages(params: Params) -> list[str]:
    """Name the stages of the pipeline, in the order in which DVC takes them."""
    datasets = {name for experiment in params.experiments.values() for name in experiment.datasets}
    return [
        "code",
        *(f"download@{name}" for name in sorted(datasets, key=list(DATASETS).index)),
        *(f"{stage}@{name}" for name in params.experiments for stage in ("train", "evaluate")),
        "report",
    ]


def place(params: Params) -> str:
    """Return ``[7 of 28]``, with a space, where DVC runs this as a stage of the pipeline."""
    stage = os.environ.get("DVC_STAGE", "").rpartition(":")[2]
    named = stages(params)
    return f"[{named.index(stage) + 1} of {len(named)}] " if stage in named else ""


def digests(root: Path) -> dict[str, str]:
    """Return the digest of each dataset that is here, as recorded: nothing is read again."""
    found = {}
    for name in DATASETS:
        with contextlib.suppress(OSError):
            sums = (root / "data" / "raw" / name / "SHA256SUMS").read_bytes()
            found[name] = hashlib.sha256(sums.rstrip()).hexdigest()
    return found


class Outlook:
    """What is still to be trained in the pipeline, and how long that takes.

    Every run counts once, however many experiments ask for it. How long it takes is told by the
    finished runs of its experiment, else by all: seconds per image and epoch.
    """

    def __init__(self, root: Path, params: Params, name: str) -> None:
        self.root, self.name = root, name
        targets = {word.partition("@")[2] for word in os.environ.get(_TARGETS, "").split()}
        chosen = {key: one for key, one in params.experiments.items() if key in targets}
        self.experiments = chosen if "" not in targets and chosen else params.experiments
        self._at, self._others, self._total, self._seconds = -math.inf, 0, 0, math.nan

    def __call__(self, workers: int) -> str:
        """Say what is left in all; nothing where nothing is but for this experiment's own."""
        if time.monotonic() - self._at > _FRESH:
            self._look()
            self._at = time.monotonic()
        if not self._others:
            return ""
        left = self._seconds / workers - (time.monotonic() - self._at)
        about = "" if math.isnan(left) else f", about {duration(max(left, 0.0))}"
        return f" · in all {self._total} trainings left{about}"

    def _look(self) -> None:
        left = trainings_left(self.root, self.experiments).values()
        self._others = sum(one.experiment != self.name for one in left)
        self._total, self._seconds = len(left), sum(one.seconds for one in left)


class Left(NamedTuple):
    """A run that must still be trained: for which experiment, and its seconds of one core."""

    experiment: str
    seconds: float


def trainings_left(root: Path, experiments: Mapping[str, Experiment]) -> dict[Run, Left]:
    """Return the runs that must still be trained, each with the first experiment that needs it.

    How long they take is told by the finished runs of that experiment, else by all that any of
    these experiments needs; it is NaN before any is finished.
    """
    from dropout_bench.training.listed import lying
    from dropout_bench.training.store import RunStore, default_store, needed_by

    entries = RunStore(default_store(root)).entries()
    needs = needed_by(entries, experiments, digests(root))
    finished = {place for places in needs.values() for place in places}
    missing: dict[Run, str] = {}
    for name, experiment in experiments.items():
        for job in experiment.jobs():
            if f"{name}/{job.name}" in finished:
                continue
            if lying(root / "runs" / name / job.name, job.run) is None:
                missing.setdefault(job.run, name)
    took: dict[str, list[tuple[float, float]]] = {}
    for entry in entries:
        if entry.identity and needs[entry.key] and math.isfinite(entry.seconds):
            for name in {place.partition("/")[0] for place in needs[entry.key]} | {""}:
                took.setdefault(name, []).append((entry.seconds, _work(entry.identity.run)))
    rates = {name: sum(s for s, _ in its) / sum(w for _, w in its) for name, its in took.items()}
    overall = rates.get("", math.nan)
    return {run: Left(name, _work(run) * rates.get(name, overall)) for run, name in missing.items()}


def _work(run: Run) -> float:
    return float(run.train_size * run.epochs)


def duration(seconds: float) -> str:
    """Write a time as one is told it: ``40 s``, ``12 min``, ``1 h 05 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02} min"


def found(reports: Path, name: str, experiment: Experiment) -> str:
    """Say in a line what an experiment found: its clearest change of test accuracy by dropout."""
    from dropout_bench.analysis.effects import effects
    from dropout_bench.report.text import change
    from dropout_bench.tables.read import read_results

    metric, draws = "test/accuracy", len(experiment.seeds)
    seen = effects(read_results(reports, name, experiment), metric)
    if not seen:
        return f"{name}: no network in it has a twin without dropout"

    def clearness(effect: "Effect") -> float:
        mean, low, high = effect.difference
        return abs(mean) / (high - low) if high > low else abs(mean)

    first = max(seen, key=clearness)
    told = change(metric, first.difference, draws)
    base = experiment.without_dropout(first.cell)
    line = f"{name}: {first.cell.label} − {base.label if base else 'none'}: test accuracy {told}"
    line += f", {draws} draws" if draws > 1 else ", 1 draw"
    if len(seen) > 1:
        line += f"; clear in {sum(one.clear for one in seen)} of {len(seen)} comparisons"
    return line
