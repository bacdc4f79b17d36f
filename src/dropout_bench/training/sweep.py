"""The sweep: all runs of an experiment, those in the store reused, the others trained."""

import json
import platform
import shutil
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from dropout_bench import engine
from dropout_bench.data.sources import Source
from dropout_bench.errors import BenchError
from dropout_bench.files import whole_folder
from dropout_bench.params import Experiment, Run, rates_text
from dropout_bench.training.result import RunResult, epoch_file
from dropout_bench.training.store import Identity, RunStore, library_versions

ABOUT = "run.json"


def run_folder(runs: Path, experiment: str, run: Run) -> Path:
    """Return the folder of a run's weights and curves."""
    return runs / experiment / run.name


def sweep(
    name: str,
    experiment: Experiment,
    root: Path,
    source: Source,
    store: RunStore,
    scheduler: str | None = None,
    worker_count: int | None = None,
) -> dict[Run, float]:
    """Train what is missing of an experiment and write all its runs to ``runs/<name>``.

    Every finished run goes to the store as it arrives, so a sweep that is stopped goes on where
    it was. ``runs/<name>`` is written at the end, whole.

    Args:
        name: the experiment's name.
        experiment: its runs.
        root: the project's folder.
        source: the experiment's dataset.
        store: where finished runs are kept.
        scheduler: address of a Dask scheduler, if not this machine's own workers.
        worker_count: number of local workers; one per core without it.

    Returns:
        The seconds that each run's training took, when it was trained.

    Raises:
        BenchError: some runs failed; the others are kept.
    """
    title = f"train {name}"
    runs = experiment.runs()
    needed: tuple[str, ...] = ()
    if experiment.keep_every_epoch:
        needed = tuple(epoch_file(epoch) for epoch in range(1, experiment.epochs + 1))
    failures: dict[Run, BaseException] = {}
    count = min(worker_count or engine.cores(), len(runs))
    with engine.workers("dropout_bench.training.run", scheduler, count) as client:
        device = engine.ask(client, _device)
        identities = {run: Identity.here(run, source.digest, device) for run in runs}
        missing = {run.name: run for run in runs if store.get(identities[run].key, needed) is None}
        logs = (root / "logs" / name).resolve()
        logs.mkdir(parents=True, exist_ok=True)
        jobs = {
            job: (identities[run], source, logs, experiment.keep_every_epoch)
            for job, run in missing.items()
        }
        with engine.Progress(title, len(runs), reused=len(runs) - len(missing)) as progress:
            for job, outcome in engine.done(client, _train, jobs, progress):
                run = missing[job]
                if isinstance(outcome, RunResult):
                    store.put(identities[run], outcome)
                else:
                    failures[run] = outcome
    if failures:
        raise BenchError(_summary(title, failures, len(runs)))

    seconds = {}
    with whole_folder(root / "runs" / name) as folder:
        for run, identity in identities.items():
            result = store.get(identity.key)
            if result is None:
                raise BenchError(f"{title}: {run.name} vanished from the run store; run it again")
            seconds[run] = result.seconds
            _write(folder / run.name, identity, result, needed)
            _restore_events(root / "logs" / name / run.name, identity.key, result)
    return seconds


def _device() -> str:
    from dropout_bench.training.run import device_in_use  # in the worker: torch is loaded there

    return device_in_use()


def _train(identity: Identity, source: Source, logs: Path, keep_every_epoch: bool) -> RunResult:
    from dropout_bench.training.run import train  # in the worker: torch is loaded there

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
    return train(identity.run, source.at_hand(), logs, keep_every_epoch)


def _summary(title: str, failures: Mapping[Run, BaseException], total: int) -> str:
    parts = [f"{title}: {len(failures)} of {total} runs failed; the others are kept."]
    for run, error in failures.items():
        parts.append(f"\n{run.name}\n  parameters: {run.model_dump_json()}")
        parts.append("  " + engine.told(error).replace("\n", "\n  "))
    parts.append("\nThe next call tries these again, and only these.")
    return "\n".join(parts)


def _write(folder: Path, identity: Identity, result: RunResult, epochs: tuple[str, ...]) -> None:
    """Write a run's files; bytes that depend on nothing but code, parameters and data."""
    folder.mkdir(parents=True)
    for name, content in result.files.items():
        if not name.startswith("epoch-") or name in epochs:
            (folder / name).write_bytes(content)
    about = {"key": identity.key, "device": identity.device, **library_versions()}
    (folder / ABOUT).write_text(json.dumps(about, indent=1) + "\n")


def _restore_events(folder: Path, key: str, result: RunResult) -> None:
    """Give a run that was trained elsewhere, or earlier, its TensorBoard events back."""
    written_for = folder / "key"
    if not written_for.exists() or written_for.read_text() != key:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "events.out.tfevents.0").write_bytes(result.events)
        written_for.write_text(key)


def write_timings(name: str, seconds: Mapping[Run, float], timings: Path) -> None:
    """Write the time that each run's training took to ``timings/<name>.csv``.

    Times are no part of the results: they differ from one training to the next, so DVC does not
    track them.
    """
    rows = [
        {
            "experiment": name,
            "variant": run.variant,
            "input_dropout": run.input_dropout,
            "dropout": rates_text(run.dropout),
            "seed": run.seed,
            "epochs": run.epochs,
            "seconds": round(time, 2),
        }
        for run, time in seconds.items()
    ]
    timings.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(timings / f"{name}.csv", index=False, lineterminator="\n")
