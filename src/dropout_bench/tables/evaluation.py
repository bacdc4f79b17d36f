"""What the evaluation of a run gives, as a value: what the tables are written from."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import ConfigDict, TypeAdapter


@dataclass(frozen=True)
class Evaluation:
    """A run's figures.

    Attributes:
        parameters: number of trained parameters.
        final: ``split/metric`` of the weights that the experiment evaluates.
        by_epoch: test figures of the weights after each epoch, by epoch; empty unless kept.
        confusion: number of test images by true class and predicted class.
        measured: (metric, at, value) of what the experiment measures besides.
        predicted: predicted class of each test image, a byte each; empty unless asked for.
        features: weights into hidden units as images, a byte a pixel; empty unless asked for.
    """

    __pydantic_config__ = ConfigDict(
        ser_json_bytes="hex", val_json_bytes="hex", ser_json_inf_nan="constants"
    )

    parameters: int
    final: dict[str, float]
    by_epoch: dict[int, dict[str, float]]
    confusion: list[list[int]]
    measured: list[tuple[str, float, float]]
    predicted: bytes = b""
    features: Sequence[bytes] = ()


EVALUATION = TypeAdapter(Evaluation)
"""Reads an evaluation from JSON and writes it."""
