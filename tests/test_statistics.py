"""Laws of the statistics: exact values where they are known, error rates where they are stated."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from dropout_bench.analysis import statistics
from dropout_bench.analysis.statistics import (
    deviations,
    false_discovery_adjusted,
    holm_adjusted,
    log_spread_ratio,
    mean_interval,
    prediction_interval,
    rank_slope,
    seeds_needed,
    share_interval,
    sign_flip_p,
    sign_test_p,
    slopes,
    steadier_p,
    trend_p,
)


def test_sign_flip_p_counts_the_patterns() -> None:
    assert sign_flip_p([1.0] * 10) == 2**-10
    assert sign_flip_p([-1.0] * 10) == 1.0
    # Of the eight sums ±3 ±2 ±1 those of at least 3 + 2 − 1 = 4 are 6 and 4.
    values = [3.0, 2.0, -1.0]
    sums = [
        sum(s * v for s, v in zip(p, values, strict=True))
        for p in itertools.product((1, -1), repeat=3)
    ]
    assert sign_flip_p(values) == sum(total >= 4 for total in sums) / 8 == 2 / 8


def test_sign_flip_p_agrees_with_scipy() -> None:
    sample = np.random.default_rng(3).normal(0.4, 1, 9)
    theirs = stats.permutation_test(
        (sample,), np.mean, permutation_type="samples", alternative="greater", n_resamples=9999
    )
    assert sign_flip_p(sample) == pytest.approx(theirs.pvalue)


def test_sampled_sign_flips_are_near_the_exact_ones() -> None:
    sample = np.random.default_rng(4).normal(0.3, 1, 12)
    exact = sign_flip_p(sample)
    doubled = np.concatenate([sample, [0.0]])  # one more seed without a difference changes nothing
    assert sign_flip_p(doubled) == pytest.approx(exact, abs=5 * math.sqrt(exact / 4000))


def test_many_seeds_are_sampled_and_repeat() -> None:
    sample = np.random.default_rng(9).normal(0.2, 1, 14)
    signs = np.array(list(itertools.product((1.0, -1.0), repeat=14)))
    exact = np.mean(signs @ sample >= sample.sum() - 1e-12)
    assert sign_flip_p(sample) == pytest.approx(exact, abs=5 * math.sqrt(exact / 4000))
    assert sign_flip_p(sample) == sign_flip_p(sample)
    assert sign_flip_p(sample) != sign_flip_p(sample, seed=1)
    # A sum of at least 7 of 13 signs is one of at least ten that are positive.
    binomial = stats.binom.sf(9, 13, 0.5)
    few = [1.0] * 10 + [-1.0] * 3
    assert sign_flip_p(few) == pytest.approx(binomial, abs=3 * math.sqrt(binomial / 4000))
    assert sign_flip_p([1.0] * 40) == 1 / 4001, "the observed pattern is one of them"


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_p_does_not_depend_on_the_unit(scale: float) -> None:
    # Many sums are equal in theory, and differ in their last bits.
    tenths = [1, 2, 3, -3, 6, -1]
    patterns = itertools.product((1, -1), repeat=6)
    sums = [sum(s * v for s, v in zip(signs, tenths, strict=True)) for signs in patterns]
    share = sum(total >= sum(tenths) for total in sums) / 64
    assert sign_flip_p(scale * np.array(tenths) / 10) == share
    assert sign_flip_p(scale * np.zeros(4)) == 1.0


def test_under_the_null_p_is_below_a_level_no_more_often_than_that() -> None:
    random = np.random.default_rng(5)
    p_values = np.array([sign_flip_p(random.standard_t(3, 8)) for _ in range(1000)])
    for level in (0.01, 0.05, 0.2):
        slack = 4 * math.sqrt(level * (1 - level) / 1000)
        assert np.mean(p_values <= level) <= level + slack


def test_intervals_cover_as_often_as_they_say() -> None:
    random = np.random.default_rng(6)
    samples = random.normal(2.0, 3.0, (600, 10))
    student = np.mean([2.0 in mean_interval(sample) for sample in samples])
    assert student == pytest.approx(0.95, abs=4 * math.sqrt(0.05 * 0.95 / 600))
    more = random.normal(2.0, 3.0, 600)
    inside = [
        value in prediction_interval(s) for value, s in zip(more.tolist(), samples, strict=True)
    ]
    assert np.mean(inside) == pytest.approx(0.95, abs=4 * math.sqrt(0.05 * 0.95 / 600))


def test_intervals_are_the_textbook_s() -> None:
    values = [1.0, 2.0, 3.0, 4.0]
    t, sd = 3.182446305284263, math.sqrt(5 / 3)  # Student's t for 3 degrees of freedom, 97.5 %
    mean = mean_interval(values)
    assert mean == pytest.approx((2.5, 2.5 - t * sd / 2, 2.5 + t * sd / 2))
    one_more = prediction_interval(values)
    half = t * sd * math.sqrt(1.25)
    assert one_more == pytest.approx((2.5, 2.5 - half, 2.5 + half))
    assert one_more.low in one_more
    assert one_more.high in one_more
    assert one_more.high + 1e-9 not in one_more
    assert math.isfinite(mean_interval([1.0, 2.0]).low)
    alone = mean_interval([2.0])
    assert alone.mean == 2.0
    assert math.isnan(alone.low)
    assert math.isnan(alone.high)
    assert mean_interval([2.0, 2.0]) == (2.0, 2.0, 2.0)


def test_a_trend_is_told_from_its_reverse_and_from_none() -> None:
    random = np.random.default_rng(8)
    rising = np.arange(5.0) + random.normal(0, 0.5, (6, 5))
    assert trend_p(rising) < 0.001 < 0.9 < trend_p(rising[:, ::-1])
    assert rank_slope(rising).min() > 0.5
    none = [trend_p(random.normal(0, 1, (6, 5))) for _ in range(300)]
    assert np.mean(np.array(none) < 0.05) < 0.05 + 4 * math.sqrt(0.05 * 0.95 / 300)


def test_seeds_needed_give_the_power_that_they_promise() -> None:
    values = np.array([-1.0, 1.0, 2.0, 0.0])
    needed = seeds_needed(values, 0.5)
    sd = values.std(ddof=1)
    power = stats.norm.cdf(0.5 * math.sqrt(needed) / sd - stats.norm.ppf(0.975))
    assert power == pytest.approx(0.8, abs=0.01)
    assert seeds_needed(values, 0.0) == math.inf


def test_adjusted_p_values_are_benjamini_and_hochberg_s() -> None:
    assert false_discovery_adjusted([0.01, 0.04, 0.03, 0.005]) == pytest.approx(
        [0.02, 0.04, 0.04, 0.02]
    )
    assert statistics.LEVEL == 0.95


def test_adjusted_p_values_are_holm_s() -> None:
    assert holm_adjusted([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm_adjusted([0.6, 0.7]) == [1.0, 1.0]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_has_no_p(value: float) -> None:
    """Compared with NaN no sum is as large: p was 0, both ways."""
    with pytest.raises(ValueError, match="not finite"):
        sign_flip_p([0.1, value, 0.2])
    with pytest.raises(ValueError, match="not finite"):
        trend_p(np.array([[1.0, 2.0, 3.0], [1.0, value, 3.0]]))


def test_a_whole_number_is_in_an_interval_as_any_other_is() -> None:
    interval = statistics.Interval(0.5, -1.0, 2.0)
    assert 0 in interval
    assert 2 in interval
    assert 3 not in interval
    assert np.float32(0.5) in interval
    assert not interval.__contains__("0")


def test_the_sign_test_is_the_exact_binomial_s_and_ties_say_nothing() -> None:
    for above, below in itertools.product(range(8), repeat=2):
        values = [0.3] * above + [-7.0] * below
        if values:
            theirs = stats.binomtest(above, above + below, alternative="greater").pvalue
            assert sign_test_p(values) == pytest.approx(theirs)
            assert sign_test_p(values) == pytest.approx(sign_flip_p(np.sign(values)), abs=0.02)
            assert sign_test_p([*values, 0.0, 0.0]) == sign_test_p(values)
    assert sign_test_p([0.0, 0.0]) == 1.0


def test_a_share_s_interval_is_clopper_and_pearson_s() -> None:
    for n in (5, 12):
        for k in range(n + 1):
            found = share_interval([1.0] * k + [0.0] * (n - k))
            theirs = stats.binomtest(k, n).proportion_ci(0.95, method="exact")
            assert found == pytest.approx((k / n, theirs.low, theirs.high))
            turned = share_interval([0.0] * k + [1.0] * (n - k))
            assert found == pytest.approx((1 - turned.mean, 1 - turned.high, 1 - turned.low))
    assert share_interval([1.0, 0.0, 0.5, 0.5]) == share_interval([1.0, 0.0, 1.0, 0.0])


def test_a_share_s_interval_leaves_a_half_out_only_where_the_sign_test_rejects() -> None:
    for above, below, ties in itertools.product(range(13), repeat=3):
        if 2 <= above + below + ties <= 14:
            interval = share_interval([1.0] * above + [0.0] * below + [0.5] * ties)
            p = sign_test_p([1.0] * above + [-1.0] * below + [0.0] * ties)
            if ties == 0:
                assert (interval.low > 0.5) == (p < 0.025)
            assert interval.low <= 0.5 or p < 0.025


def test_a_share_s_interval_covers_the_share_with_ties_and_without() -> None:
    random = np.random.default_rng(12)
    for ties in (0.0, 0.3):
        drawn = random.choice(
            [1.0, 0.5, 0.0], p=[0.8 - ties / 2, ties, 0.2 - ties / 2], size=(800, 12)
        )
        assert np.mean([0.8 in share_interval(scores) for scores in drawn]) > 0.94


def normal(random: np.random.Generator, size: int) -> np.ndarray:
    return random.normal(size=size)


def heavy(random: np.random.Generator, size: int) -> np.ndarray:
    """One training in ten fails."""
    return random.normal(size=size) * np.where(random.random(size) < 0.1, 5.0, 1.0)


def pitman_morgan_p(one: np.ndarray, other: np.ndarray) -> float:
    """The classical test, for normal values."""
    return float(stats.pearsonr(one - other, one + other, alternative="less").pvalue)


@pytest.mark.parametrize("shape", [normal, heavy])
@pytest.mark.parametrize("shared", [0.0, 0.7])
def test_of_equal_spreads_neither_is_steadier(shape: Any, shared: float) -> None:
    random, n, level = np.random.default_rng(21), 16, 0.05
    ours, classical, covered = [], [], []
    for _ in range(500):
        common, one, other = (shape(random, n) for _ in range(3))
        a, b = (math.sqrt(shared) * common + math.sqrt(1 - shared) * own for own in (one, other))
        ours.append(steadier_p(a, b) <= level)
        classical.append(pitman_morgan_p(a, b) <= level)
        covered.append(0 in mean_interval(log_spread_ratio(2.0 * a, b) - math.log(2)))
    slack = 4 * math.sqrt(level * (1 - level) / 500)
    assert np.mean(ours) <= level + slack
    assert np.mean(covered) >= (0.95 if shape is normal else 0.92) - slack
    if shape is normal:
        assert np.mean(ours) >= level - slack
        assert np.mean(classical) <= level + slack
    elif not shared:
        assert np.mean(classical) > 2 * level, "why it is not used"


def test_a_steadier_one_is_found_and_its_ratio_is_that_of_the_spreads() -> None:
    random = np.random.default_rng(22)
    common, one, other = random.normal(size=(3, 48))
    wide, narrow = 3.0 + common + other, 7.0 + 0.4 * (common + one)
    assert steadier_p(narrow, wide) < 0.001 < 0.99 < steadier_p(wide, narrow)
    parts = log_spread_ratio(narrow, wide)
    assert parts.mean() == pytest.approx(
        math.log(deviations(narrow).mean() / deviations(wide).mean())
    )
    assert math.log(0.4) in mean_interval(parts)


def test_what_is_steadier_does_not_depend_on_the_unit_and_has_two_sides() -> None:
    one, other = np.random.default_rng(23).exponential(size=(2, 10))
    assert steadier_p(100 * one, 100 * other) == steadier_p(one, other)
    assert steadier_p(one + 5, other - 5) == pytest.approx(steadier_p(one, other))
    assert log_spread_ratio(100 * one, 100 * other) == pytest.approx(log_spread_ratio(one, other))
    assert log_spread_ratio(other, one) == pytest.approx(-log_spread_ratio(one, other))
    assert steadier_p(one, other) + steadier_p(other, one) == pytest.approx(1.0, abs=0.01)
    # Of the same values in another order neither is steadier.
    assert log_spread_ratio(one, one[::-1]).mean() == pytest.approx(0)
    with pytest.raises(ValueError, match="not finite"):
        steadier_p([1.0, math.nan], [1.0, 2.0])


def test_slopes_are_least_squares() -> None:
    random = np.random.default_rng(24)
    places = [1.0, 2.0, 4.0, 4.5]
    table = random.normal(size=(5, 4)) + np.multiply.outer(random.normal(size=5), places)
    expected = [stats.linregress(places, row).slope for row in table]
    assert slopes(table, places) == pytest.approx(expected)
    assert slopes(table[:, ::-1], places[::-1]) == pytest.approx(expected)
    assert slopes(table + 3, places) == pytest.approx(expected)
    assert slopes(np.multiply.outer([2.0, -1.0], places), places) == pytest.approx([2.0, -1.0])
