"""Intervals for figures over seeds."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

LEVEL = 0.95
"""Level of every interval in the report."""


class Interval(NamedTuple):
    """A mean with an interval around it; the bounds are NaN for fewer than two values."""

    mean: float
    low: float
    high: float

    def __contains__(self, value: object) -> bool:
        return isinstance(value, float) and self.low <= value <= self.high


def _interval(values: Sequence[float], spread: float) -> Interval:
    sample = np.asarray(values, dtype=float)
    mean = float(sample.mean())
    if len(sample) < 2:
        return Interval(mean, math.nan, math.nan)
    half = float(stats.t.ppf((1 + LEVEL) / 2, len(sample) - 1) * sample.std(ddof=1) * spread)
    return Interval(mean, mean - half, mean + half)


def prediction_interval(values: Sequence[float]) -> Interval:
    """Where one more run would fall: x̄ ± t₍ₙ₋₁₎ s √(1 + 1/n), for normal values.

    Args:
        values: a figure at each of n seeds.
    """
    return _interval(values, math.sqrt(1 + 1 / len(values)))


def mean_interval(values: Sequence[float]) -> Interval:
    """Where the mean over all seeds lies: x̄ ± t₍ₙ₋₁₎ s / √n, for normal values.

    Args:
        values: a figure, or a paired difference, at each of n seeds.
    """
    return _interval(values, math.sqrt(1 / len(values)))
