"""What the run store has, for people: where each run is needed, and what experiments lack."""

import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path

from rich.filesize import decimal

from dropout_bench.errors import BenchError
from dropout_bench.params.experiment import Experiment
from dropout_bench.params.run import Run
from dropout_bench.training.keys import Identity
from dropout_bench.training.store import Entry, RunStore

Needs = Mapping[str, list[str]]
"""By the key of a run the places in experiments that need it."""


def table(entries: Iterable[Entry], needs: Needs) -> Iterator[str]:
    """Write a line for each place that needs a run; of thousands, so no library lays it out."""
    now = time.time()
    yield f"{'key':32}  {'age':>19}  {'size':>9}  needed by"
    for entry in entries:
        age = str(timedelta(seconds=int(now - entry.finished)))
        about = f"{entry.key:32}  {age:>19}  {decimal(entry.size):>9}  "
        for place in needs[entry.key] or [f"none{entry.trouble}"]:
            yield about + place
            about = " " * len(about)


def told(sizes: Iterable[int]) -> str:
    """Say how many runs have these sizes, and how much that is."""
    sizes = [*sizes]
    return f"{len(sizes)} run{'s' if len(sizes) != 1 else ''}, {decimal(sum(sizes))}"


def lacking(experiments: Mapping[str, Experiment], needs: Needs) -> dict[str, tuple[int, int]]:
    """Say of each experiment that lacks runs how many, and how many it has in all."""
    there = {place for places in needs.values() for place in places}
    counts = {}
    for name, experiment in experiments.items():
        jobs = experiment.jobs()
        missing = sum(f"{name}/{job.name}" not in there for job in jobs)
        if missing:
            counts[name] = missing, len(jobs)
    return counts


def adopt_restored(store: RunStore, experiments: Mapping[str, Experiment], runs: Path) -> None:
    """Take in what lies in ``runs`` of experiments, such as ``dvc pull`` brought, and is not here.

    A sweep would do so; until then the store does not have it.
    """
    for name, experiment in experiments.items():
        for job in experiment.jobs() if (runs / name).is_dir() else ():
            identity = lying(runs / name / job.name, job.run)
            if identity is not None and not (store.folder / identity.key).is_dir():
                store.adopt(identity, runs / name / job.name)


def lying(folder: Path, run: Run) -> Identity | None:
    """Return the identity of a run that lies in a folder, if it is this run, of now."""
    from dropout_bench.training.sweep import read_about  # pandas and Dask, which a list needs not

    try:
        about = read_about(folder)
        identity = Identity.here(run, about["data"], about["device"])
    except (BenchError, OSError):
        return None
    return identity if identity.key == about["key"] else None
