"""The sweep: all runs of an experiment, those in the store reused, the others trained."""

import contextlib
import functools
import json
import math
import platform
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from filelock import FileLock, Timeout

from dropout_bench import engine
from dropout_bench.data.download import Source
from dropout_bench.errors import BenchError, one_line
from dropout_bench.files import whole_folder
from dropout_bench.params.arms import Job
from dropout_bench.params.experiment import Experiment
from dropout_bench.params.file import Params, validated
from dropout_bench.params.options import chosen
from dropout_bench.params.run import Run
from dropout_bench.training.keys import Identity, library_versions
from dropout_bench.training.result import CURVES, RunResult, Time, epoch_file
from dropout_bench.training.store import ABOUT, RunStore, checksums, weights_file

if TYPE_CHECKING:
    import lightning as L

Watch = Callable[[Path], "L.Callback"]


def sweep(
    name: str,
    experiment: Experiment,
    root: Path,
    sources: Mapping[str, Source],
    store: RunStore,
    scheduler: str | None = None,
    worker_count: int | None = None,
    watch: Watch | None = None,
) -> dict[Job, Time]:
    """Train what is missing of an experiment and write all its runs to ``runs/<name>``.

    Every finished run goes to the store as it arrives, so a sweep that is stopped goes on where
    it was. ``runs/<name>`` is written at the end, whole. A second sweep of the same experiment
    waits for the first, and then finds its runs. Scheduler and workers are those of
    :func:`~dropout_bench.engine.workers`; ``watch`` gives each training a callback that writes to
    a folder of its own in ``logs/live``.

    Returns:
        The time that each run's training took, when it was trained.

    Raises:
        BenchError: some runs failed; the others are kept.
    """
    title = f"train {name}"
    jobs = experiment.jobs()
    _check_own(name, jobs)
    kept_all = experiment.keep_every_epoch
    epochs = tuple(map(epoch_file, range(1, (experiment.epochs or 0) + 1))) if kept_all else ()
    needed = {job: (weights_file(job), *epochs) for job in jobs}
    failures: dict[Job, BaseException] = {}
    count = min(worker_count or engine.cores(), len(jobs))
    with _alone(root / "runs", name):
        with engine.workers("dropout_bench.training.run", scheduler, count) as client:
            device = engine.ask(client, _device)
            identities = {
                job: Identity.here(job.run, sources[job.run.dataset].digest, device) for job in jobs
            }
            here = root / "runs"
            missing = {}
            wanted: set[Run] = set()
            for job in jobs:
                if not _at_hand(store, identities[job], needed[job], here):
                    if job.run not in wanted:  # two arms may evaluate one run differently
                        missing[job.name] = job
                    wanted.add(job.run)
            logs = (root / "logs" / "live" / name).resolve()
            logs.mkdir(parents=True, exist_ok=True)
            # Seed by seed, so that runs that are compared are trained at about the same time.
            calls = {
                call: (identities[job], sources[job.run.dataset], kept_all, call, logs, watch)
                for call, job in sorted(missing.items(), key=lambda item: item[1].run.seed)
            }
            with engine.Progress(title, len(jobs), reused=len(jobs) - len(missing)) as progress:
                for call, outcome in engine.done(client, _train, calls, progress):
                    job = missing[call]
                    if isinstance(outcome, RunResult):
                        store.put(identities[job], outcome)
                    else:
                        failures[job] = outcome
        if failures:
            raise BenchError(_summary(title, failures, len(jobs)))

        times = {}
        with whole_folder(root / "runs" / name) as folder:
            for job, identity in identities.items():
                if (result := store.get(identity.key)) is None:
                    told = f"{title}: {job.name} vanished from the run store; run it again"
                    raise BenchError(told)
                times[job] = result.time
                _write(folder / job.name, identity, result, needed[job])
        return times


def _check_own(name: str, jobs: Iterable[Job]) -> None:
    """Check options of the variants' own, which only their classes know."""
    own = {(job.run.variant, values) for job in jobs if (values := chosen(job.run).get("own"))}
    for variant, values in own:
        from dropout_bench.models.variants import variant_class  # torch, which is seldom needed

        place = Path(f"{Params.file}: experiments.{name}.own, variant {variant}")
        validated(variant_class(variant).Own, dict(values), place)


def _at_hand(store: RunStore, identity: Identity, needed: tuple[str, ...], runs: Path) -> bool:
    """Whether the store has a run, or can adopt it from where DVC put it."""
    if store.get(identity.key, needed) is None:
        for folder in _lying_in(runs).get(identity.key, ()):
            store.adopt(identity, folder)
    return store.get(identity.key, needed) is not None


@functools.cache
def _lying_in(runs: Path) -> dict[str, list[Path]]:
    """List the folders of all runs that lie in ``runs`` by their keys; they may be damaged."""
    found: dict[str, list[Path]] = {}
    for path in runs.glob(f"**/{ABOUT}"):
        with contextlib.suppress(BenchError):
            found.setdefault(read_about(path.parent)["key"], []).append(path.parent)
    return found


def _alone(runs: Path, name: str) -> contextlib.AbstractContextManager[object]:
    """Wait until no other process of this machine sweeps the experiment here."""
    runs.mkdir(parents=True, exist_ok=True)
    lock = FileLock(runs / f".{name}.lock")
    try:
        return lock.acquire(timeout=0)
    except Timeout:
        print(f"train {name}: another sweep of it is under way here; waiting for it", flush=True)
        return lock.acquire()


def _device() -> str:
    from dropout_bench.training.run import device_in_use  # in the worker: torch is loaded there

    return device_in_use()


def _train(
    identity: Identity,
    source: Source,
    keep_every_epoch: bool,
    name: str,
    logs: Path,
    watch: "Watch | None",
) -> RunResult:
    from dropout_bench.training.run import Diverged, train  # in the worker: torch is loaded there

    # A cluster's workers may differ. What is kept under a key is what the key says.
    here = Identity.here(identity.run, source.digest, _device())
    if differences := [
        f"{name}: {found}, not {wanted}"
        for name, wanted in vars(identity).items()
        if (found := getattr(here, name)) != wanted
    ]:
        raise BenchError(
            f"the worker on {platform.node()} is not like the others ({'; '.join(differences)}); "
            "give all workers the same device and the same versions of code and libraries"
        )
    # On another machine than the project's there is no folder of logs.
    watching = [watch(logs / name)] if watch is not None and logs.is_dir() else []
    try:
        return train(identity.run, source.at_hand(), keep_every_epoch, watching)
    except Diverged as error:
        raise BenchError(f"Diverged: {error}; lower learning_rate in {Params.file}") from error
    except RuntimeError as error:
        if "allocate" not in str(error):
            raise
        told = f"no memory for a network of {identity.run.hidden} hidden units"
        raise BenchError(f"{told} ({one_line(error)}); lower hidden in {Params.file}") from error


def _summary(title: str, failures: Mapping[Job, BaseException], total: int) -> str:
    parts = [f"{title}: {len(failures)} of {total} runs failed; the others are kept."]
    for job, error in failures.items():
        parts.append(f"\n{job.name}\n  parameters: {job.run.model_dump_json()}")
        parts.append("  " + engine.told(error).replace("\n", "\n  "))
    parts.append("\nThe next call tries these again, and only these.")
    return "\n".join(parts)


def _write(folder: Path, identity: Identity, result: RunResult, needed: tuple[str, ...]) -> None:
    """Write a run's files, as far as they are evaluated: bytes that depend on the run alone."""
    folder.mkdir(parents=True)
    files = {name: result.files[name] for name in (CURVES, *needed)}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    about = {
        "key": identity.key,
        "device": identity.device,
        "data": identity.data,
        **library_versions(),
        "files": checksums(files),
    }
    (folder / ABOUT).write_text(json.dumps(about, indent=1) + "\n")


def read_about(folder: Path) -> dict[str, str]:
    """Return what a run's folder says of it: its key, its device, its data, library versions.

    Raises:
        BenchError: there is no such run, or the file is damaged.
    """
    path = folder / ABOUT
    try:
        about = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise BenchError(f"{path}: no trained weights; run: dvc repro") from error
    except ValueError as error:
        raise BenchError(f"{path}: damaged ({one_line(error)}); run: dvc repro") from error
    expected = {"key", "device", "data", *library_versions()}
    if not isinstance(about, dict) or set(about) != {*expected, "files"}:
        raise BenchError(f"{path}: damaged (it lacks what a run has); run: dvc repro")
    return {name: str(about[name]) for name in sorted(expected)}


def write_timings(name: str, times: Mapping[Job, Time], timings: Path) -> None:
    """Write the time that each run's training took to ``timings/<name>.csv``.

    Times are no part of the results: they differ from one training to the next, so DVC does not
    track them.
    """
    rows = [
        {
            "experiment": name,
            **job.cell.row(),
            "seed": job.run.seed,
            "candidate": job.candidate,
            "epochs": time.epochs,
            "seconds": max(0.01, round(time.seconds, 2)),
        }
        for job, time in times.items()
        if not math.isnan(time.seconds)  # trained elsewhere
    ]
    if rows:
        timings.mkdir(parents=True, exist_ok=True)
        pd.DataFrame(rows).to_csv(timings / f"{name}.csv", index=False, lineterminator="\n")
