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
"""Sampled sign flips, or permutations, where all of them are too many."""

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


def share_interval(scores: Sample) -> Interval:
    """Where the share of all draws lies at which something holds, of scores 1, 0 and, for a tie, ½.

    Clopper and Pearson's: the shares π that two one-sided binomial tests of k = Σ scores out of n
    do not reject. So it never leaves ½ out where :func:`sign_test_p` does not reject at 2.5 %, and
    it covers π with at least 95 %, where Wilson's covers it so on average over π and with less for
    some. A tie has less variance than a success or a failure, so that ties make it wider only.

    Source: Clopper and Pearson 1934, *The use of confidence or fiducial limits*, Biometrika 26.
    That P(A > B) over all sources of variation is what to report, and meaningful from 0.75 on:
    Bouthillier et al. 2021, *Accounting for variance in machine learning benchmarks*, MLSys 3.
    """
    n, k = len(scores), float(np.sum(scores))
    tail = (1 - LEVEL) / 2
    low = float(stats.beta.ppf(tail, k, n - k + 1)) if k > 0 else 0.0
    high = float(stats.beta.ppf(1 - tail, k + 1, n - k)) if k < n else 1.0
    return Interval(k / n, low, high)


def sign_test_p(values: Sample) -> float:
    """Return p of the one-sided sign test that values above 0 are more frequent than those below.

    P(above) + P(0) / 2 > 1/2 says the same. Given how many are not 0, those above are binomial with
    1/2 under the null: p is exact, and values of 0 say nothing on either side.

    Source: Arbuthnot 1710; Dixon and Mood 1946, *The statistical sign test*, JASA 41.

    Raises:
        ValueError: a value is not finite.
    """
    signs = np.sign(_finite(values))
    above, decided = int((signs > 0).sum()), int((signs != 0).sum())
    return float(stats.binom.sf(above - 1, decided, 0.5))


def deviations(values: Sample) -> NDArray[np.float64]:
    """Return how far each value is from the median of all: |x − x̃|."""
    sample = np.asarray(values, dtype=float)
    deviation: NDArray[np.float64] = np.abs(sample - np.median(sample))
    return deviation


def log_spread_ratio(one: Sample, other: Sample) -> NDArray[np.float64]:
    """Return, at each seed, its part in the logarithm of the ratio of two spreads.

    The spread is the mean deviation from the median; with a and b the :func:`deviations` of both,
    the values log(ā / b̄) + a / ā − b / b̄ have the mean log(ā / b̄), and, being the first order of
    the delta method, its standard error: so that their :func:`mean_interval` is that of the log
    ratio. Both samples must vary.
    """
    a, b = deviations(one), deviations(other)
    parts: NDArray[np.float64] = np.log(a.mean() / b.mean()) + a / a.mean() - b / b.mean()
    return parts


def steadier_p(one: Sample, other: Sample, seed: int = 0) -> float:
    """Return p of a one-sided test that ``one`` varies less over the seeds than ``other``.

    The sign-flip test of the paired differences of :func:`deviations`: Brown and Forsythe's test
    for pairs. If both vary alike, it is as likely that one is the further from its median at a seed
    as that the other is.

    The classical test is Pitman and Morgan's, of the correlation of sums and differences: exact for
    normal values, and for these more powerful (equal spreads are told from a ratio of 1.6, at n =
    24 and r = 0.7, in 84 % of samples, and by this test in 66 %). With heavy tails it fails, the
    worse the more seeds: at 2.5 % it rejects equal spreads of Student's t with 3 degrees of freedom
    in 12 % of samples of 12 and in 19 % of 48, and its interval (Pitman 1939) covers the ratio with
    77 and 63 % instead of 95. This test rejects 1.1 to 3.1 % of all that was tried (normal, t,
    exponential, one in ten five times as wide, with and without correlation), and the interval of
    :func:`log_spread_ratio` covers 92 to 97 %. As a training that fails now and then is such a
    tail, this is the one that is used.

    Source: Brown and Forsythe 1974, *Robust tests for the equality of variances*, JASA 69; Wilcox
    1989, *Comparing the variances of dependent groups*, Psychometrika 54; Pitman 1939, *A note on
    normal correlation*, Biometrika 31.

    Raises:
        ValueError: a value is not finite.
    """
    return sign_flip_p(deviations(_finite(other)) - deviations(_finite(one)), seed)


def slopes(table: Sample, places: Sequence[float]) -> NDArray[np.float64]:
    """Return at each seed the least-squares slope of the values over the places of the columns."""
    centred = np.asarray(places, dtype=float) - np.mean(places)
    found: NDArray[np.float64] = np.asarray(table, dtype=float) @ centred / (centred @ centred)
    return found


def slope_values(places: Sample, values: Sample) -> NDArray[np.float64]:
    """Return a value at each draw whose mean is the slope of values over places, draw by draw.

    They are the jackknife's pseudo-values n b − (n − 1) bᵢ, with b the least-squares slope over
    all n draws and bᵢ that without the i-th; they are treated as a sample of slopes. It holds too
    where the values scatter more at some places than at others.

    Source: Tukey 1958, *Bias and confidence in not-quite large samples*; Miller 1974, *The
    jackknife: a review*, Biometrika 61.

    Raises:
        ValueError: a value is not finite, or without one draw all places are the same.
    """
    x, y = _finite(places), _finite(values)
    n = len(x)
    without = ~np.eye(n, dtype=bool)
    if min(np.ptp(x[rest]) for rest in without) == 0:
        raise ValueError("there is no slope: the places are the same")

    def slope(rest: NDArray[np.bool_]) -> float:
        centred = x[rest] - x[rest].mean()
        return float(centred @ y[rest] / (centred @ centred))

    whole = slope(np.ones(n, dtype=bool))
    return np.array([n * whole - (n - 1) * slope(rest) for rest in without])


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
