"""What is measured, as typed values: the content of ``reports/benchmark.json``."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class _Value(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Single(_Value):
    """One training in one process.

    Attributes:
        contender: who trained.
        epochs: number of epochs.
        threads: torch's threads.
        start_up_seconds: from the start of the process to the first epoch.
        seconds_per_epoch: mean over the epochs; what follows the last one is not in it.
        test_accuracy: a fraction; none where nothing is learned.
        peak_rss_mb: largest resident memory, in MB, until the last epoch was over.
    """

    contender: str
    epochs: int
    threads: int
    start_up_seconds: float
    seconds_per_epoch: float
    test_accuracy: float | None
    peak_rss_mb: float


class Sweep(_Value):
    """One sweep in one process, which starts the workers.

    Attributes:
        workers: number of worker processes.
        runs: number of runs.
        epochs: epochs of each run.
        seconds: from the start of the process to its end.
        worker_rss_mb: largest resident memory of a worker, in MB.
        worker_pss_mb: its largest proportional memory, in MB: what it shares with other processes,
            or maps twice, is divided.
    """

    workers: int
    runs: int
    epochs: int
    seconds: float
    worker_rss_mb: float
    worker_pss_mb: float

    @property
    def throughput(self) -> float:
        """Run-epochs per second, start-up included."""
        return self.runs * self.epochs / self.seconds


Quantity = Literal["runs", "training images", "width"]


class Point(_Value):
    """What something costs at one size of it.

    Attributes:
        quantity: what grows.
        size: how large it is.
        seconds: of the whole sweep where runs grow, else of one epoch.
    """

    quantity: Quantity
    size: int
    seconds: float


class Machine(_Value):
    """Where it was measured. There is no name in it, and no path.

    Attributes:
        cpu: the processor's model.
        cores: processor cores that may be used.
        memory_gb: main memory, in GB.
        system: operating system and its kernel.
        load: mean number of processes that were running in the minute before the start.
        versions: of Python and the libraries.
    """

    cpu: str
    cores: int
    memory_gb: float
    system: str
    load: float
    versions: dict[str, str]


class Plan(_Value):
    """How much is measured.

    Attributes:
        quick: whether this is the small form, for a change in progress.
        epochs: epochs of every training, single or in a sweep.
        rounds: how often each contender is measured, alternating.
        sweep_runs: runs of a sweep.
        sweep_rounds: in how many of the rounds the sweeps are measured too.
        growth_runs: numbers of runs, of sweeps of small runs.
        growth_images: training-set sizes.
        growth_widths: widths of both hidden layers.
        growth_epochs: epochs of a single training at such a size or width.
        small: training images of the small runs.
        width_images: training images where the width grows.
    """

    quick: bool
    epochs: int
    rounds: int
    sweep_runs: int
    sweep_rounds: int
    growth_runs: tuple[int, ...]
    growth_images: tuple[int, ...]
    growth_widths: tuple[int, ...]
    growth_epochs: int
    small: int = 1000
    width_images: int = 6000


class Measurements(_Value):
    """All of a session's measurements, in the order in which they were made."""

    plan: Plan
    machine: Machine
    singles: tuple[Single, ...]
    sweeps: tuple[Sweep, ...]
    sweep_accuracies: tuple[float, ...]
    growth: tuple[Point, ...]
