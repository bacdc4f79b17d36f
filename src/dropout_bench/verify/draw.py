"""Which runs are trained again: each as likely as any other."""

import hashlib
import math
import random
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from dropout_bench.params.arms import Job
from dropout_bench.params.experiment import Experiment
from dropout_bench.params.file import Params, Suite
from dropout_bench.params.run import Run


class Place(NamedTuple):
    """A run in an experiment whose tables hold it, in a folder of reports."""

    reports: Path
    name: str
    experiment: Experiment
    job: Job


Places = dict[Run, list[Place]]
"""The distinct runs of some suites, each with every experiment that holds it."""


def distinct_runs(suites: Iterable[Suite]) -> Places:
    """List every run of suites once, with its places in them."""
    places: Places = {}
    for suite in suites:
        for name, experiment in suite.experiments.items():
            for job in experiment.jobs():
                places.setdefault(job.run, []).append(Place(suite.reports, name, experiment, job))
    return places


def draw(places: Places, count: int | None, seed: int) -> Places:
    """Draw distinct runs, each as likely as any other; all of them without ``count``."""
    count = len(places) if count is None else min(count, len(places))
    drawn = random.Random(seed).sample(list(places), count)  # noqa: S311
    return {run: places[run] for run in drawn}


def chance(runs: int, drawn: int, forged: int) -> float:
    """Return the chance that at least one of the forged runs is among those drawn."""
    return 1 - math.comb(runs - forged, drawn) / math.comb(runs, drawn)


FIRST_EPOCHS = 2
"""Of a run of a suite apart, which takes an hour, a sample trains so many."""


def beginnings(drawn: Places, params: Params) -> dict[Run, int]:
    """Return how many epochs are trained of the runs that no experiment of the pipeline holds."""
    return {
        run: min(FIRST_EPOCHS, run.epochs)
        for run, places in drawn.items()
        if all(place.name not in params.experiments for place in places)
    }


def told(runs: int, drawn: int, beginning: int, seed: int) -> str:
    """Say what was drawn, and how probably a forgery is found by that."""
    odds = {forged: chance(runs, drawn, forged) for forged in (1, runs // 100, runs // 10)}
    those = ", ".join(f"{p:.2f} if {m} of them are forged" for m, p in odds.items() if m)
    part = f" (of {beginning}, the curves of the first {FIRST_EPOCHS} epochs alone)" * bool(
        beginning
    )
    return (
        f"verify: {drawn} of {runs} distinct runs are trained again{part}, drawn by --draw {seed}; "
        f"a forgery is found with probability {those}"
    )


def commit_of(root: Path) -> str:
    """Return the name of the commit that is checked out; "" where Git knows none."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "--verify", "HEAD"],  # noqa: S607
            cwd=root, capture_output=True, text=True, check=False,
        )  # fmt: skip
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def seed_of(commit: str) -> int:
    """Return the draw's seed that belongs to a commit: everyone draws the same of it.

    It is known when the commit is made, and not before; a forger could but make commits until one
    has a draw to their liking.
    """
    return int(hashlib.sha256(commit.encode()).hexdigest()[:8], 16)
