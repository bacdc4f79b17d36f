"""What a measured process knows of itself: its clock, its memory, and how it tells them."""

import json
import math
import time
from pathlib import Path


def peak_mb(process: str = "self") -> float:
    """Return the largest resident memory a process has had, in MB (10⁶ bytes).

    It is the kernel's own high-water mark, so nothing is missed between two looks. (``getrusage``
    would not do: on Linux its figure starts from that of the process that called.)

    Args:
        process: the process's number; this process without it.

    Raises:
        OSError: there is no such process, or this system has no /proc.
    """
    return _mb(Path(f"/proc/{process}/status"), "VmHWM:")


def proportional_mb(process: str = "self") -> float:
    """Return the memory a process holds now, in MB, each page divided by those that share it.

    Args:
        process: the process's number; this process without it.

    Raises:
        OSError: there is no such process, or this system has no /proc.
    """
    return _mb(Path(f"/proc/{process}/smaps_rollup"), "Pss:")


def _mb(path: Path, name: str) -> float:
    for line in path.read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024 / 1e6
    raise ProcessLookupError(f"{path}: the process has no memory any more")


class Stopwatch:
    """Times one training, from the start of its process on.

    Args:
        started: ``time.monotonic()`` of when the process was started, by whoever started it.
    """

    def __init__(self, started: float) -> None:
        self.started = started
        self.start_up = math.nan
        self.seconds = math.nan
        self.peak_mb = math.nan
        self.threads = 0

    def begin(self) -> None:
        """Note that everything is imported and open, and the first epoch begins."""
        self._begun = time.monotonic()
        self.start_up = self._begun - self.started

    def end(self) -> None:
        """Note that the last epoch is over; what follows is not measured."""
        self.seconds = time.monotonic() - self._begun
        self.peak_mb = peak_mb()
        import torch  # loaded already: whoever only reads memory is to do without

        self.threads = torch.get_num_threads()

    def tell(self, contender: str, epochs: int, test_accuracy: float | None) -> None:
        """Print the measurement as one line of JSON."""
        told = {
            "contender": contender,
            "epochs": epochs,
            "threads": self.threads,
            "start_up_seconds": round(self.start_up, 4),
            "seconds_per_epoch": round(self.seconds / epochs, 4),
            "test_accuracy": test_accuracy,
            "peak_rss_mb": round(self.peak_mb, 1),
        }
        print(json.dumps(told), flush=True)
