"""Ours: one run, a sweep, and the sweep's accuracy. All that ``benchmarks`` knows of the package.

``python -m benchmarks.ours run`` trains and prints its measurement, as the contenders do;
``sweep ROOT`` makes a project of its own in an empty folder and trains its runs there; ``accuracy
ROOT`` then prints the test accuracy of each. The last two are timed by whoever calls them.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import dropout_bench.pinned  # noqa: F401 (before torch is loaded)
from benchmarks.process import Stopwatch
from benchmarks.settings import (
    BATCH,
    DROPOUT,
    HIDDEN,
    LEARNING_RATE,
    MEAN,
    RAW,
    SD,
    TRAIN_SIZE,
)
from dropout_bench.params.experiment import Experiment

NAME = "benchmark"


def experiment(arguments: argparse.Namespace) -> Experiment:
    """Return the contenders' training as an experiment, with one run for each seed."""
    return Experiment.model_validate(
        {
            "dataset": "mnist",
            "train_size": arguments.train_size,
            "validation": 0.0,
            "normalise": {"mean": MEAN, "sd": SD},
            "hidden": list(arguments.hidden),
            "variants": ["dropout"],
            "dropout": [DROPOUT],
            "learning_rate": LEARNING_RATE,
            "batch_size": BATCH,
            "epochs": arguments.epochs,
            "seeds": range(arguments.seed, arguments.seed + arguments.runs),
        }
    )


def run(arguments: argparse.Namespace) -> None:
    """Train one run and print its measurement."""
    watch = Stopwatch(arguments.started)

    from dropout_bench.evaluation.metrics import evaluate
    from dropout_bench.models.base import MLP
    from dropout_bench.training.result import LAST
    from dropout_bench.training.run import train

    def begin(_: Any) -> None:
        watch.begin()

    # A hook of Lightning's that the network leaves free: the package itself has no stopwatch.
    setattr(MLP, "on_train_start", begin)  # noqa: B010 (mypy: a method is not assigned to)
    one = experiment(arguments).runs()[0]
    result = train(one, arguments.raw)
    watch.end()
    figures = evaluate(one, arguments.raw, result.files[LAST], {}).final
    watch.tell("ours", arguments.epochs, figures["test/accuracy"])


def sweep(arguments: argparse.Namespace) -> None:
    """Train all runs in a new project in ``root``, with nothing to reuse."""
    from dropout_bench.data.download import Source
    from dropout_bench.training.store import RunStore
    from dropout_bench.training.sweep import sweep as sweep_of

    root = arguments.root
    (root / "data").mkdir()
    (root / "data" / "raw").symlink_to(arguments.raw.resolve(), target_is_directory=True)
    sources = {"mnist": Source.of("mnist", root)}
    store = RunStore(root / "run-store")
    sweep_of(NAME, experiment(arguments), root, sources, store, worker_count=arguments.workers)


def accuracy(arguments: argparse.Namespace) -> None:
    """Print the test accuracies of the runs that :func:`sweep` left in ``root``, as a list."""
    from dropout_bench.evaluation.metrics import evaluate
    from dropout_bench.training.result import LAST

    accuracies = []
    for job in experiment(arguments).jobs():
        weights = (arguments.root / "runs" / NAME / job.name / LAST).read_bytes()
        accuracies.append(evaluate(job.run, arguments.raw, weights, {}).final["test/accuracy"])
    print(json.dumps(accuracies))


def main() -> None:
    """Read the arguments and do what they say."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ours", description=__doc__)
    commands = parser.add_subparsers(required=True)
    for function in (run, sweep, accuracy):
        command = commands.add_parser(function.__name__, help=function.__doc__)
        command.set_defaults(function=function)
        command.add_argument("--epochs", type=int, default=1)
        command.add_argument("--seed", type=int, default=0)
        command.add_argument("--runs", type=int, default=1)
        command.add_argument("--train-size", type=int, default=TRAIN_SIZE)
        command.add_argument("--hidden", type=int, nargs="+", default=HIDDEN)
        command.add_argument("--raw", type=Path, default=RAW)
        command.add_argument("--started", type=float, default=time.monotonic())
        if function is not run:
            command.add_argument("root", type=Path)
    commands.choices["sweep"].add_argument("--workers", type=int, default=None)
    arguments = parser.parse_args()
    arguments.function(arguments)


if __name__ == "__main__":
    main()
