"""Measure, and write the report: ``python -m benchmarks.run``.

The full form takes some 20 minutes on 2 cores and writes ``reports/benchmark.md`` and its raw
numbers, ``reports/benchmark.json``. With ``--quick`` it takes under 3 minutes and the report is
printed. The machine should have nothing else to do.
"""

import argparse
import signal
import sys
from pathlib import Path

from benchmarks.measure import FULL, QUICK, Failed, measure
from benchmarks.measurements import Measurements
from benchmarks.report import render
from benchmarks.settings import RAW, ROOT

REPORT = ROOT / "reports" / "benchmark.md"


def main() -> None:
    """Read the arguments, measure, and write."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.run",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="the small form, printed")
    parser.add_argument("--raw", type=Path, default=RAW, help="the folder of all datasets")
    parser.add_argument("--out", type=Path, help="where to write instead; the numbers go beside it")
    parser.add_argument(
        "--numbers", type=Path, help="render these raw numbers again; measure nothing"
    )
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what is measured stops too
    if arguments.numbers:
        measured = Measurements.model_validate_json(arguments.numbers.read_text(encoding="utf-8"))
    else:
        if not Path("/proc/self/status").exists():
            sys.exit("benchmark: memory is read from /proc, which this system has not; use Linux")
        if not (arguments.raw / "mnist").is_dir():
            sys.exit("MNIST is not there; run: dropout-bench download mnist")
        try:
            measured = measure(QUICK if arguments.quick else FULL, arguments.raw)
        except Failed as error:
            sys.exit(f"benchmark: {error}")
        except KeyboardInterrupt:
            sys.exit(130)
    text = render(measured)
    path = arguments.out or (None if measured.plan.quick else REPORT)
    if path is None:
        print(text, end="")
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    numbers = measured.model_dump_json(indent=1)
    path.with_suffix(".json").write_text(numbers + "\n", encoding="utf-8")
    print(f"benchmark: {path}")


if __name__ == "__main__":
    main()
