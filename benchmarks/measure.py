"""Measuring: each training in a process of its own, one after the other.

This module must never pin the numeric environment, as the package's commands do: the contenders
inherit this process's environment, and would compute in it.
"""

import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from benchmarks.contenders.__main__ import NAMES
from benchmarks.measurements import Machine, Measurements, Plan, Point, Single, Sweep
from benchmarks.process import peak_mb, proportional_mb
from benchmarks.settings import RAW, ROOT

OURS = "ours"
CONTENDERS = (*NAMES, OURS)

FULL = Plan(
    quick=False,
    epochs=5,
    rounds=5,
    sweep_runs=20,
    sweep_rounds=3,
    growth_runs=(1, 3, 10, 30, 100),
    growth_images=(1000, 4000, 15_000, 60_000),
    growth_widths=(64, 256, 1024, 2048),
    growth_epochs=3,
)
QUICK = Plan(
    quick=True,
    epochs=1,
    rounds=1,
    sweep_runs=6,
    sweep_rounds=1,
    growth_runs=(1, 10),
    growth_images=(1000, 60_000),
    growth_widths=(64, 1024),
    growth_epochs=1,
    width_images=2000,
)

# Who compares two ways to compute must not steer either: neither this shell's settings of threads
# and kernels nor the project's own reach a measured process. Nor does a GPU: half of the
# contenders would not use it.
_STEERING = (
    "ATEN_CPU_CAPABILITY",
    "ONEDNN_MAX_CPU_ISA",
    "MKL_CBWR",
    "MKL_NUM_THREADS",
    "OMP_NUM_THREADS",
)
_LOOK_EVERY = 0.5  # seconds between two looks at the memory of a process's children
_SUM_EVERY = 3.0  # seconds between two sums over their pages, which take the kernel milliseconds


def native_environment() -> dict[str, str]:
    """Return this process's environment without what steers how torch, or the project, computes."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in _STEERING and not name.startswith("DROPOUT_BENCH_")
    }
    return {**kept, "CUDA_VISIBLE_DEVICES": ""}


class Failed(RuntimeError):
    """A measured process did not end well."""


@dataclass
class Memory:
    """The memory of a process, in MB, as it was when it was largest."""

    resident: float = 0.0
    proportional: float = 0.0


@dataclass(frozen=True)
class Called:
    """What a measured process leaves.

    Attributes:
        line: the last line it printed.
        seconds: from its start to its end.
        worker: memory of the largest process that it started itself.
    """

    line: str
    seconds: float
    worker: Memory


def call(*arguments: object) -> Called:
    """Run a module of this folder in a process of its own.

    Raises:
        Failed: it ended with an error; the message has the end of what it said.
    """
    command = [sys.executable, "-m", *map(str, arguments)]
    children: dict[int, Memory] = {}
    summed = 0.0
    with tempfile.TemporaryFile("w+") as said, tempfile.TemporaryFile("w+") as complaints:
        started = time.monotonic()
        process = psutil.Popen(
            command, cwd=ROOT, env=native_environment(), stdout=said, stderr=complaints
        )
        try:
            while True:
                try:
                    status = process.wait(timeout=_LOOK_EVERY)
                    break
                except psutil.TimeoutExpired:
                    due = time.monotonic() - summed > _SUM_EVERY
                    summed = time.monotonic() if due else summed
                    _look(process, children, due)
            seconds = time.monotonic() - started
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
        said.seek(0)
        complaints.seek(0)
        lines = said.read().splitlines()
        if status:
            tail = "\n".join([*lines, *complaints.read().splitlines()][-30:])
            raise Failed(f"{' '.join(command[1:])} ended with status {status}\n{tail}")
    largest = max(children.values(), key=lambda memory: memory.resident, default=Memory())
    return Called(lines[-1] if lines else "", seconds, largest)


def _look(process: Any, children: dict[int, Memory], sum_up: bool) -> None:
    """Note the peak memory of every descendant of a process."""
    try:
        found = process.children(recursive=True)
    except psutil.NoSuchProcess:
        return
    for child in found:
        memory = children.setdefault(child.pid, Memory())
        try:
            memory.resident = max(memory.resident, peak_mb(str(child.pid)))
            if sum_up:
                memory.proportional = max(memory.proportional, proportional_mb(str(child.pid)))
        except OSError:  # it has ended meanwhile
            continue


def single(contender: str, *options: object) -> Single:
    """Train one contender once."""
    module = (
        ("benchmarks.ours", "run") if contender == OURS else ("benchmarks.contenders", contender)
    )
    return Single.model_validate_json(call(*module, "--started", time.monotonic(), *options).line)


def sweep(root: Path, workers: int, runs: int, epochs: int, *options: object) -> Sweep:
    """Run one sweep in ``root``, an empty folder."""
    sizes = ("--workers", workers, "--runs", runs, "--epochs", epochs)
    called = call("benchmarks.ours", "sweep", *sizes, *options, root)
    return Sweep(
        workers=workers,
        runs=runs,
        epochs=epochs,
        seconds=round(called.seconds, 3),
        worker_rss_mb=round(called.worker.resident, 1),
        worker_pss_mb=round(called.worker.proportional, 1),
    )


def accuracies(root: Path, runs: int, epochs: int, *options: object) -> tuple[float, ...]:
    """Return the test accuracy of each run that a sweep left in ``root``."""
    sizes = ("--runs", runs, "--epochs", epochs)
    return tuple(json.loads(call("benchmarks.ours", "accuracy", *sizes, *options, root).line))


def machine() -> Machine:
    """Describe this machine."""
    libraries = ("torch", "torchvision", "lightning", "distributed", "numpy")
    return Machine(
        cpu=_cpu(),
        cores=len(psutil.Process().cpu_affinity()),
        memory_gb=round(psutil.virtual_memory().total / 1e9, 1),
        # The number alone: what distributors append may name their machines.
        system=f"{platform.system()} {platform.release().split('-')[0]}",
        load=round(os.getloadavg()[0], 2),
        versions={"Python": platform.python_version(), **{x: version(x) for x in libraries}},
    )


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


class Progress:
    """Says on the error stream what is being measured: a line each, with its outcome.

    Args:
        total: number of measurements.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self.done = 0
        self._since = time.monotonic()

    @contextmanager
    def step(self, what: str) -> Iterator[Callable[[str], None]]:
        """Announce a measurement; give what is to be called with its outcome."""
        self.done += 1
        minutes, seconds = divmod(int(time.monotonic() - self._since), 60)
        place = f"[{self.done:{len(str(self.total))}}/{self.total}] {minutes:2}:{seconds:02}"
        print(f"{place}  {what} ... ", end="", file=sys.stderr, flush=True)
        try:
            yield lambda outcome: print(outcome, file=sys.stderr, flush=True)
        except BaseException:
            print("stopped", file=sys.stderr, flush=True)
            raise


def measure(plan: Plan, raw: Path = RAW) -> Measurements:
    """Measure everything, contenders and sweeps alternating, then how the cost grows.

    Args:
        plan: how much of it.
        raw: the folder of all datasets, with MNIST in it.

    Raises:
        Failed: one of the processes did not end well.
    """
    here = machine()
    # Both ends of the growth with workers; on one core there is nothing to compare.
    worker_counts = tuple(sorted({1, min(2, here.cores)}, reverse=True))
    progress = Progress(
        plan.rounds * len(CONTENDERS)
        + plan.sweep_rounds * len(worker_counts)
        + 1
        + sum(map(len, (plan.growth_runs, plan.growth_images, plan.growth_widths)))
    )
    data = ("--raw", raw.resolve())
    singles: list[Single] = []
    sweeps: list[Sweep] = []
    sweep_accuracies: tuple[float, ...] = ()
    for number in range(plan.rounds):
        title = f"round {number + 1} of {plan.rounds}"
        for contender in CONTENDERS:
            with progress.step(f"{title}: {contender}") as told:
                options = ("--epochs", plan.epochs, "--seed", number, *data)
                singles.append(single(contender, *options))
                told(f"{singles[-1].seconds_per_epoch:.2f} s per epoch")
        for workers in worker_counts if number < plan.sweep_rounds else ():
            with tempfile.TemporaryDirectory() as folder:
                root = Path(folder)
                what = f"sweep of {plan.sweep_runs} runs, {_counted(workers, 'worker')}"
                with progress.step(f"{title}: {what}") as told:
                    sweeps.append(sweep(root, workers, plan.sweep_runs, plan.epochs, *data))
                    told(f"{sweeps[-1].throughput:.2f} run-epochs/s")
                # The runs of every sweep are the same, to the last bit: one is evaluated.
                if not sweep_accuracies:
                    with progress.step(f"{title}: accuracy of these runs") as told:
                        sweep_accuracies = accuracies(root, plan.sweep_runs, plan.epochs, *data)
                        told(f"{len(sweep_accuracies)} evaluated")
    return Measurements(
        plan=plan,
        machine=here,
        singles=tuple(singles),
        sweeps=tuple(sweeps),
        sweep_accuracies=sweep_accuracies,
        growth=tuple(_growth(plan, worker_counts[0], progress, data)),
    )


def _growth(
    plan: Plan, workers: int, progress: Progress, data: tuple[object, ...]
) -> Iterator[Point]:
    for runs in plan.growth_runs:
        what = f"growth: sweep of {_counted(runs, 'small run')}"
        with progress.step(what) as told, tempfile.TemporaryDirectory() as folder:
            small = ("--train-size", plan.small, *data)
            seconds = sweep(Path(folder), workers, runs, 1, *small).seconds
            told(f"{seconds:.1f} s")
        yield Point(quantity="runs", size=runs, seconds=seconds)
    epochs = ("--epochs", plan.growth_epochs, *data)
    for images in plan.growth_images:
        with progress.step(f"growth: {images} training images") as told:
            seconds = single(OURS, "--train-size", images, *epochs).seconds_per_epoch
            told(f"{seconds:.3f} s per epoch")
        yield Point(quantity="training images", size=images, seconds=seconds)
    for width in plan.growth_widths:
        with progress.step(f"growth: width {width}") as told:
            sizes = ("--train-size", plan.width_images, "--hidden", width, width)
            seconds = single(OURS, *sizes, *epochs).seconds_per_epoch
            told(f"{seconds:.3f} s per epoch")
        yield Point(quantity="width", size=width, seconds=seconds)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
