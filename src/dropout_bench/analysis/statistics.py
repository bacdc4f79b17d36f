"""Statistics over seeds: intervals, paired tests, trends, corrections.

All tests are paired by seed: the values are differences between runs that share their split,
initial weights and batch order. Nothing here knows what a claim is.
"""

import functools
import itertools
import math
from collections.abc import Sequence
from numbers import Real
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

LEVEL = 0.95
"""Level of every interval in the report."""

RESAMPLES = 4000
"""Bootstrap resamples of an interval; sampled sign flips where all of them are too many."""

EXACT_SEEDS = 12
"""Up to so many seeds all 2ⁿ sign flips are tried."""

Sample = Sequence[float] | NDArray[np.float64]


class Interval(NamedTuple):
    """A mean with an interval around it; the bounds are NaN for fewer than two values."""

    mean: float
    low: float
    high: float

    def __contains__(self, value: object) -> bool:
        return isinstance(value, Real) and self.low <= float(value) <= self.high


def _interval(values: Sample, spread: float) -> Interval:
    sample = np.asarray(values, dtype=float)
    mean = float(sample.mean())
    if len(sample) < 2:
        return Interval(mean, math.nan, math.nan)
    half = float(stats.t.ppf((1 + LEVEL) / 2, len(sample) - 1) * sample.std(ddof=1) * spread)
    return Interval(mean, mean - half, mean + half)


def prediction_interval(values: Sample) -> Interval:
    """Where one more run would fall: x̄ ± t₍ₙ₋₁₎ s √(1 + 1/n), for normal values at n seeds."""
    return _interval(values, math.sqrt(1 + 1 / len(values)))


def mean_interval(values: Sample) -> Interval:
    """Where the mean over all seeds lies: x̄ ± t₍ₙ₋₁₎ s / √n, for normal values at n of them."""
    return _interval(values, math.sqrt(1 / len(values)))


def bootstrap_interval(values: Sample, seed: int = 0) -> Interval:
    """Where the mean lies, for values of any distribution: bias-corrected and accelerated.

    Source: Efron 1987, *Better bootstrap confidence intervals*, JASA 82; by scipy.
    """
    return bootstrap_intervals([values], seed)[0]


def bootstrap_intervals(samples: Sequence[Sample], seed: int = 0) -> list[Interval]:
    """Return a :func:`bootstrap_interval` of each of many samples of equal size, in less time."""
    table = np.asarray(samples, dtype=float)
    means = table.mean(axis=1)
    if table.shape[1] < 2:
        return [Interval(float(mean), math.nan, math.nan) for mean in means]
    low, high = means.copy(), means.copy()
    varies = np.ptp(table, axis=1) > 0
    if varies.any():
        low[varies], high[varies] = stats.bootstrap(
            (table[varies],),
            np.mean,
            axis=1,
            n_resamples=RESAMPLES,
            confidence_level=LEVEL,
            method="BCa",
            rng=np.random.default_rng(seed),
        ).confidence_interval
    return [Interval(*map(float, row)) for row in zip(means, low, high, strict=True)]


def sign_flip_p(values: Sample, seed: int = 0) -> float:
    """Return p of the one-sided sign-flip test that the mean of differences at n seeds is above 0.

    If the differences are symmetric about 0, each sign is as likely as the other: p is the share of
    sign patterns whose mean is at least the one observed. All 2ⁿ are tried up to 12 seeds, so p
    is exact and never below 2⁻ⁿ; above, sampled ones, and the observed one with them.

    Source: Fisher 1935, *The Design of Experiments*, section 21.

    Raises:
        ValueError: a value is not finite.
    """
    sample = _finite(values)
    n = len(sample)
    if n <= EXACT_SEEDS:
        signs = _all_signs(n)
    else:
        drawn = np.random.default_rng(seed).choice((1.0, -1.0), size=(RESAMPLES, n))
        signs = np.vstack([np.ones(n), drawn])
    sums = signs @ sample
    # Equal sums may differ in the last bits by the order of addition.
    tolerance = 1e-12 * float(np.abs(sample).sum())
    return float(np.mean(sums >= sample.sum() - tolerance))


def _finite(values: Sample) -> NDArray[np.float64]:
    sample = np.asarray(values, dtype=float)
    if not np.isfinite(sample).all():
        raise ValueError("a value is not finite")
    return sample


@functools.cache
def _all_signs(n: int) -> NDArray[np.float64]:
    return np.array(list(itertools.product((1.0, -1.0), repeat=n)))


def trend_p(table: Sample) -> float:
    """Return p of Page's test that values rise along the columns, one-sided.

    The table's shape is (seeds, columns). The null: at each seed every order of the columns is as
    likely. Source: Page 1963, *Ordered hypotheses for multiple treatments*, JASA 58; by scipy.

    Raises:
        ValueError: a value is not finite, or there are fewer than two seeds.
    """
    return float(stats.page_trend_test(_finite(table)).pvalue)


def rank_slope(table: Sample) -> NDArray[np.float64]:
    """Return at each seed Kendall's τ between a value and its column, in [−1, 1]."""
    rows = np.asarray(table, dtype=float)
    order = np.arange(rows.shape[1])
    return np.array([stats.kendalltau(order, row).statistic for row in rows])


def false_discovery_adjusted(p_values: Sequence[float]) -> list[float]:
    """Adjust p values so that those below a level hold a share of false ones of at most the level.

    Source: Benjamini and Hochberg 1995, JRSS B 57; by scipy.
    """
    adjusted: list[float] = stats.false_discovery_control(p_values).tolist()
    return adjusted


def holm_adjusted(p_values: Sequence[float]) -> list[float]:
    """Adjust p values so that any false one at all is below a level with at most that probability.

    Source: Holm 1979, *A simple sequentially rejective multiple test procedure*. Not used for the
    verdicts: a sign-flip test of n seeds has no p below 2/2ⁿ, which is above level / claims where
    claims are many and seeds few. The report shows what it would have found.
    """
    order = np.argsort(p_values)
    factors = len(p_values) - np.arange(len(p_values))
    steps = np.maximum.accumulate(np.asarray(p_values)[order] * factors)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(steps, 1.0)
    result: list[float] = adjusted.tolist()
    return result


def seeds_needed(values: Sample, distance: float) -> float:
    """Return how many seeds would tell the mean from a bound, at the observed spread.

    n = ((z₀.₉₇₅ + z₀.₈) s / d)²: the normal approximation at 5 %, two-sided, and a power of 80 %,
    with d the distance |mean − bound|; where it is 0 no number is enough.
    """
    if distance == 0:
        return math.inf
    sd = float(np.asarray(values, dtype=float).std(ddof=1))
    return ((stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) * sd / distance) ** 2
