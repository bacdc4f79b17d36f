"""What the report shows, computed from the measurements: medians, ratios, goals, exponents."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from benchmarks.measurements import Measurements, Single, Sweep

OURS = "ours"
BARE = "bare-loop"
TUTORIAL = "tutorial-loop"
LIMIT = "matrix-products"

MOST_TIMES_BARE = 1.15
AIM_TIMES_BARE = 1.0
LEAST_TIMES_TUTORIAL = 10.0
LEAST_TIMES_ONE_WORKER = 1.9
MOST_WORKER_MB = 600.0


@dataclass(frozen=True)
class Spread:
    """A median, with the smallest and the largest value beside it."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Summarise values, of which there must be some."""
        return cls(median(values), min(values), max(values))


@dataclass(frozen=True)
class Contender:
    """A line of the table of single trainings.

    Attributes:
        name: who trains.
        threads: torch's threads.
        seconds: of an epoch.
        start_up: seconds from the start of the process to the first epoch.
        times_bare: seconds of an epoch, over those of the bare loop.
        limit_share: the time of the matrix products alone, over the time of an epoch.
        accuracy: on the test images, a fraction; none where nothing is learned.
        memory: largest resident memory, in MB.
    """

    name: str
    threads: int
    seconds: Spread
    start_up: float
    times_bare: float
    limit_share: float
    accuracy: Spread | None
    memory: float


@dataclass(frozen=True)
class SweepRow:
    """A line of the table of sweeps.

    Attributes:
        workers: number of worker processes.
        seconds: of the whole process, start-up included.
        throughput: run-epochs per second, start-up included.
        limit_share: throughput over what the matrix products alone would allow as many workers.
        memory: largest resident memory of a worker, in MB.
        proportional: the same with pages divided among those that share them.
    """

    workers: int
    seconds: Spread
    throughput: float
    limit_share: float
    memory: float
    proportional: float


@dataclass(frozen=True)
class Goal:
    """A goal, and whether it is met.

    Attributes:
        what: what is measured.
        value: the measurement.
        wanted: the bound.
        at_most: whether the bound is one from above.
        unit: of both.
        aim: a bound beyond the goal, where there is one.
    """

    what: str
    value: float
    wanted: float
    at_most: bool
    unit: str = ""
    aim: float | None = None

    @property
    def met(self) -> bool:
        """Whether the measurement is on the right side of the bound."""
        return self._reaches(self.wanted)

    @property
    def aim_reached(self) -> bool:
        """Whether it is on the right side of the aim too."""
        return self.aim is not None and self._reaches(self.aim)

    def _reaches(self, bound: float) -> bool:
        return self.value <= bound if self.at_most else self.value >= bound


@dataclass(frozen=True)
class Growth:
    """How a cost grows with a size.

    Attributes:
        quantity: what grows.
        cost: what is counted, in seconds.
        points: sizes and seconds, in order.
    """

    quantity: str
    cost: str
    points: tuple[tuple[int, float], ...]

    @property
    def overall(self) -> float:
        """The exponent fitted to all points."""
        return exponent(self.points)

    @property
    def at_the_end(self) -> float:
        """The exponent between the two largest sizes, where fixed costs weigh least."""
        return exponent(self.points[-2:])


def exponent(points: Sequence[tuple[int, float]]) -> float:
    """Fit seconds ∝ sizeᵇ, a line through the logarithms of both, and return b."""
    sizes, seconds = np.log(np.asarray(points, dtype=np.float64)).T
    return float(np.polyfit(sizes, seconds, 1)[0])


def contenders(measured: Measurements) -> list[Contender]:
    """Summarise the single trainings, the slowest contender first."""
    by_name: dict[str, list[Single]] = {}
    for one in measured.singles:
        by_name.setdefault(one.contender, []).append(one)
    bare, limit = (seconds_per_epoch(measured, name) for name in (BARE, LIMIT))
    rows = []
    for name, ones in by_name.items():
        seconds = Spread.of([one.seconds_per_epoch for one in ones])
        accuracies = [one.test_accuracy for one in ones if one.test_accuracy is not None]
        rows.append(
            Contender(
                name=name,
                threads=ones[0].threads,
                seconds=seconds,
                start_up=median(one.start_up_seconds for one in ones),
                times_bare=seconds.median / bare,
                limit_share=limit / seconds.median,
                accuracy=Spread.of(accuracies) if accuracies else None,
                memory=max(one.peak_rss_mb for one in ones),
            )
        )
    return sorted(rows, key=lambda row: -row.seconds.median)


def seconds_per_epoch(measured: Measurements, contender: str) -> float:
    """Return a contender's median."""
    return median(one.seconds_per_epoch for one in measured.singles if one.contender == contender)


def sweeps(measured: Measurements) -> list[SweepRow]:
    """Summarise the sweeps, by number of workers."""
    by_workers: dict[int, list[Sweep]] = {}
    for one in measured.sweeps:
        by_workers.setdefault(one.workers, []).append(one)
    limit = seconds_per_epoch(measured, LIMIT)
    rows = []
    for workers, ones in sorted(by_workers.items()):
        throughput = median(one.throughput for one in ones)
        rows.append(
            SweepRow(
                workers=workers,
                seconds=Spread.of([one.seconds for one in ones]),
                throughput=throughput,
                limit_share=throughput * limit / workers,
                memory=max(one.worker_rss_mb for one in ones),
                proportional=max(one.worker_pss_mb for one in ones),
            )
        )
    return rows


def goals(measured: Measurements) -> list[Goal]:
    """Compare what was measured with what was wanted of it."""
    rows = sweeps(measured)
    most = rows[-1]
    ratio = seconds_per_epoch(measured, OURS) / seconds_per_epoch(measured, BARE)
    workers = f"{most.workers} worker{'s' if most.workers > 1 else ''}"
    found = [
        Goal(
            "one run, time of an epoch ÷ the bare loop's",
            ratio,
            MOST_TIMES_BARE,
            at_most=True,
            aim=AIM_TIMES_BARE,
        ),
        Goal(
            f"sweep of {measured.plan.sweep_runs} runs with {workers}, run-epochs per second "
            "÷ the tutorials' loop's",
            most.throughput * seconds_per_epoch(measured, TUTORIAL),
            LEAST_TIMES_TUTORIAL,
            at_most=False,
        ),
    ]
    if len(rows) > 1:
        found.append(
            Goal(
                f"the same sweep, throughput with {workers} ÷ with {rows[0].workers}",
                most.throughput / rows[0].throughput,
                LEAST_TIMES_ONE_WORKER,
                at_most=False,
            )
        )
    memory = max(row.memory for row in rows)
    found.append(
        Goal("largest resident memory of a worker", memory, MOST_WORKER_MB, at_most=True, unit="MB")
    )
    return found


def sweep_ceiling(measured: Measurements) -> float:
    """Return the highest ratio to the tutorials' loop that a sweep could reach on this machine.

    As if each worker did the matrix products, at the pace of one that has the machine to itself,
    and nothing else, without start-up.
    """
    workers = max(one.workers for one in measured.sweeps)
    limit = seconds_per_epoch(measured, LIMIT)
    return workers * seconds_per_epoch(measured, TUTORIAL) / limit


def sweep_start_up(measured: Measurements) -> float:
    """Return the seconds of the smallest sweep: one small run, so nearly all of it is start-up."""
    return min((p.size, p.seconds) for p in measured.growth if p.quantity == "runs")[1]


def speed_up_without_start_up(measured: Measurements) -> float:
    """Return the most workers' throughput over one worker's, start-up taken off both times."""
    start_up = sweep_start_up(measured)
    seconds = [row.seconds.median - start_up for row in sweeps(measured)]
    return seconds[0] / seconds[-1]


def accuracies(measured: Measurements) -> dict[str, Spread]:
    """Return the test accuracy of each contender, and of the sweep's runs, over seeds."""
    found = {row.name: row.accuracy for row in contenders(measured) if row.accuracy is not None}
    return {**found, "sweep": Spread.of(measured.sweep_accuracies)}


def growth(measured: Measurements) -> list[Growth]:
    """Return how the cost grows with runs, workers, training images and width."""
    plan = measured.plan
    rows = {
        "runs": f"a whole sweep of runs of {plan.small:,} images, 1 epoch",
        "training images": "an epoch of one run",
        "width": f"an epoch of one run, {plan.width_images:,} images, both hidden layers as wide",
    }
    found = [
        Growth(
            quantity,
            cost,
            tuple((p.size, p.seconds) for p in measured.growth if p.quantity == quantity),
        )
        for quantity, cost in rows.items()
    ]
    workers = tuple((row.workers, row.seconds.median) for row in sweeps(measured))
    if len(workers) > 1:
        cost = f"a whole sweep of {plan.sweep_runs} runs of {plan.epochs} epochs"
        found.insert(1, Growth("workers", cost.replace("of 1 epochs", "of 1 epoch"), workers))
    return found
