"""Train one contender and print its measurement: ``python -m benchmarks.contenders NAME``."""

import argparse
import importlib
import importlib.util
import sys
import time
from pathlib import Path

from benchmarks.process import Stopwatch
from benchmarks.settings import RAW, ROOT

NAMES = ("tutorial-loop", "conventional-lightning", "bare-loop", "matrix-products")


def make_torchvision_importable() -> None:
    """Do beside a CPU-only torch what importing the package does, without importing it."""
    path = ROOT / "src" / "dropout_bench" / "torchvision_schemas.py"
    spec = importlib.util.spec_from_file_location("torchvision_schemas", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # what it declares lives as long as it does
    spec.loader.exec_module(module)
    module.declare_when_needed()


def main() -> None:
    """Read the arguments, train, and print one line of JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.contenders", description=__doc__)
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--raw", type=Path, default=RAW)
    parser.add_argument("--started", type=float, default=time.monotonic())
    arguments = parser.parse_args()
    watch = Stopwatch(arguments.started)
    make_torchvision_importable()
    contender = importlib.import_module(f"benchmarks.contenders.{arguments.name.replace('-', '_')}")
    accuracy = contender.train(arguments.raw / "mnist", arguments.epochs, arguments.seed, watch)
    watch.tell(arguments.name, arguments.epochs, accuracy)


if __name__ == "__main__":
    main()
