"""What a run leaves, as values: apart from :mod:`.run`, so that it can be read without torch."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from dropout_bench.params.experiment import Experiment

LAST = "last.safetensors"
BEST = "best.safetensors"
CURVES = "curves.csv"


def evaluated_weights(experiment: "Experiment") -> str:
    """Name the file of the weights that an experiment evaluates."""
    return BEST if experiment.checkpoint == "best" else LAST


def epoch_file(epoch: int) -> str:
    """Name the file of the weights after an epoch, counted from 1."""
    return f"epoch-{epoch:03}.safetensors"


class Time(NamedTuple):
    """How long a training took.

    Attributes:
        seconds: all of it.
        epochs: how many epochs it had; early stopping may end it before its time.
    """

    seconds: float
    epochs: int


@dataclass
class RunResult:
    """What a finished run leaves.

    Attributes:
        files: content of each file by name: weights after the last epoch, weights of the best
            epoch on the validation split where there is one, weights after every epoch where
            asked for, and the curves; bytes that depend on nothing but code, parameters and data.
        seconds: the time that training took.
        device: what it was computed on and in which arithmetic.
    """

    files: dict[str, bytes]
    device: str
    seconds: float = math.nan

    @property
    def time(self) -> Time:
        """The training's time."""
        return Time(self.seconds, self.files[CURVES].count(b"\n") - 1)
