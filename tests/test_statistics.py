"""Laws of the statistics: exact values where they are known, error rates where they are stated."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from dropout_bench.analysis import statistics
from dropout_bench.analysis.statistics import (
    above_p,
    deviations,
    false_discovery_adjusted,
    harmonic,
    holm_adjusted,
    log_spread_ratio,
    mean_interval,
    prediction_interval,
    rank_slope,
    share_interval,
    share_p,
    slope_values,
    slopes,
)

SAMPLES = st.lists(st.integers(-1000, 1000).map(float), min_size=2, max_size=20)
SCORES = st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=1, max_size=20)
NEITHER = 0.025
"""What each side of an interval at 95 % leaves out."""


def test_p_is_student_s() -> None:
    sample = np.random.default_rng(3).normal(0.4, 1, 9)
    theirs = stats.ttest_1samp(sample, 0, alternative="greater").pvalue
    assert above_p(sample) == pytest.approx(theirs)
    assert above_p(-sample) == pytest.approx(1 - theirs)


@given(SAMPLES)
def test_p_is_below_its_level_just_where_the_interval_is_above_0(values: list[float]) -> None:
    interval, p = mean_interval(values), above_p(values)
    assert 0 <= p <= 1
    if np.ptp(values):
        assert (interval.low > 0) == (p < NEITHER)
        assert (interval.high < 0) == (above_p(-np.array(values)) < NEITHER)
    else:
        assert interval.low > 0 or p == 1.0


@given(SAMPLES, st.sampled_from([1e-9, 3.0, 1e9]), st.randoms())
def test_p_depends_on_neither_the_unit_nor_the_order(
    values: list[float], scale: float, random: Any
) -> None:
    turned = random.sample(values, len(values))
    assert above_p(scale * np.array(turned)) == pytest.approx(above_p(values))


@given(SAMPLES, st.integers(1, 100))
def test_larger_differences_have_no_larger_p(values: list[float], more: int) -> None:
    if np.ptp(values):
        assert above_p(np.array(values) + more) <= above_p(values) * (1 + 1e-9)


def test_values_that_are_all_the_same_are_judged_by_their_signs() -> None:
    assert above_p([0.3] * 12) == 2**-12
    assert above_p([-0.3] * 12) == above_p([0.0] * 12) == 1.0
    nearly = [0.1 + 0.2, 0.3, 0.3, 0.3]
    assert len(set(nearly)) == 2
    assert above_p(nearly) == 2**-4, "they differ by rounding"


def test_under_the_null_p_is_below_a_level_as_often_as_that() -> None:
    p_values = np.array([above_p(row) for row in np.random.default_rng(5).normal(size=(1000, 12))])
    for level in (0.01, 0.05, 0.2):
        slack = 4 * math.sqrt(level * (1 - level) / 1000)
        assert np.mean(p_values <= level) == pytest.approx(level, abs=slack)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_has_no_p(value: float) -> None:
    for test in (above_p, share_p):
        with pytest.raises(ValueError, match="not finite"):
            test([0.1, value, 0.2])
    with pytest.raises(ValueError, match="not finite"):
        slope_values([1.0, 2.0, 3.0], [1.0, value, 3.0])


def test_one_value_has_no_p() -> None:
    with pytest.raises(ValueError, match="no spread"):
        above_p([1.0])


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


def test_adjusted_p_values_are_benjamini_and_yekutieli_s() -> None:
    assert harmonic(4) == pytest.approx(25 / 12)
    assert false_discovery_adjusted([0.01, 0.04, 0.03, 0.005]) == pytest.approx(
        [0.02 * 25 / 12, 0.04 * 25 / 12, 0.04 * 25 / 12, 0.02 * 25 / 12]
    )
    assert statistics.LEVEL == 0.95


def test_adjusted_p_values_are_holm_s() -> None:
    assert holm_adjusted([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm_adjusted([0.6, 0.7]) == [1.0, 1.0]


def test_a_whole_number_is_in_an_interval_as_any_other_is() -> None:
    interval = statistics.Interval(0.5, -1.0, 2.0)
    assert 0 in interval
    assert 2 in interval
    assert 3 not in interval
    assert np.float32(0.5) in interval
    assert not interval.__contains__("0")


def test_without_ties_p_of_a_share_is_the_exact_binomial_s() -> None:
    for above, below in itertools.product(range(8), repeat=2):
        scores = [1.0] * above + [0.0] * below
        for than in (0.25, 0.5):
            if scores:
                theirs = stats.binomtest(above, above + below, than, alternative="greater").pvalue
                assert share_p(scores, than) == pytest.approx(theirs)


@given(SCORES, st.sampled_from([0.25, 0.5, 0.75]))
def test_p_of_a_share_is_below_its_level_just_where_the_interval_is_above(
    scores: list[float], than: float
) -> None:
    interval = share_interval(scores)
    assert (interval.low > than) == (share_p(scores, than) < NEITHER)
    turned = share_p(1 - np.array(scores), 1 - than)
    assert (interval.high < than) == (turned < NEITHER)


@pytest.mark.parametrize("than", [0.25, 0.5])
@pytest.mark.parametrize("draws", [12, 24])
def test_with_ties_a_share_is_not_found_above_more_often_than_the_level(
    than: float, draws: int
) -> None:
    """Over all shares of ties, exactly: of success, tie and failure the mean is what is tested."""
    for ties in np.linspace(0, 2 * than, 9):
        total = np.ones(1)
        for _ in range(draws):
            total = np.convolve(total, [1 - than - ties / 2, ties, than - ties / 2])
        halves = [[1.0] * (k // 2) + [0.5] * (k % 2) for k in range(2 * draws + 1)]
        p_values = [share_p(each + [0.0] * (draws - len(each)), than) for each in halves]
        for level in (0.025, 0.005, 0.0005):
            assert total[np.array(p_values) <= level].sum() <= level * (1 + 1e-9)


def test_a_share_s_interval_is_clopper_and_pearson_s() -> None:
    for n in (5, 12):
        for k in range(n + 1):
            found = share_interval([1.0] * k + [0.0] * (n - k))
            theirs = stats.binomtest(k, n).proportion_ci(0.95, method="exact")
            assert found == pytest.approx((k / n, theirs.low, theirs.high))
            turned = share_interval([0.0] * k + [1.0] * (n - k))
            assert found == pytest.approx((1 - turned.mean, 1 - turned.high, 1 - turned.low))
    assert share_interval([1.0, 0.0, 0.5, 0.5]) == share_interval([1.0, 0.0, 1.0, 0.0])


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
        ours.append(above_p(-log_spread_ratio(a, b)) <= level)
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
    parts = log_spread_ratio(narrow, wide)
    assert above_p(-parts) < 0.001 < 0.99 < above_p(parts)
    assert parts.mean() == pytest.approx(
        math.log(deviations(narrow).mean() / deviations(wide).mean())
    )
    assert math.log(0.4) in mean_interval(parts)


def test_what_is_steadier_does_not_depend_on_the_unit_and_has_two_sides() -> None:
    one, other = np.random.default_rng(23).exponential(size=(2, 10))
    assert log_spread_ratio(100 * one, 100 * other) == pytest.approx(log_spread_ratio(one, other))
    assert log_spread_ratio(one + 5, other - 5) == pytest.approx(log_spread_ratio(one, other))
    assert log_spread_ratio(other, one) == pytest.approx(-log_spread_ratio(one, other))
    # Of the same values in another order neither is steadier.
    assert log_spread_ratio(one, one[::-1]).mean() == pytest.approx(0)


def test_slopes_are_least_squares() -> None:
    random = np.random.default_rng(24)
    places = [1.0, 2.0, 4.0, 4.5]
    table = random.normal(size=(5, 4)) + np.multiply.outer(random.normal(size=5), places)
    expected = [stats.linregress(places, row).slope for row in table]
    assert slopes(table, places) == pytest.approx(expected)
    assert slopes(table[:, ::-1], places[::-1]) == pytest.approx(expected)
    assert slopes(table + 3, places) == pytest.approx(expected)
    assert slopes(np.multiply.outer([2.0, -1.0], places), places) == pytest.approx([2.0, -1.0])


def test_kendall_s_tau_tells_rising_from_falling_and_from_neither() -> None:
    rows = np.array([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0], [1.0, 3.0, 2.0], [2.0, 2.0, 2.0]])
    assert rank_slope(rows) == pytest.approx([1.0, -1.0, 1 / 3, 0.0])


def test_slopes_from_draw_to_draw_are_the_jackknife_s() -> None:
    random = np.random.default_rng(25)
    places = random.normal(size=10)
    assert slope_values(places, 3 - 2 * places) == pytest.approx([-2.0] * 10)
    values = places + random.normal(size=10)
    whole = stats.linregress(places, values).slope
    without = [
        stats.linregress(np.delete(places, n), np.delete(values, n)).slope for n in range(10)
    ]
    assert slope_values(places, values) == pytest.approx(10 * whole - 9 * np.array(without))
    for alike in ([1.0, 1.0, 2.0], [1.0, 2.0]):
        with pytest.raises(ValueError, match="places are the same"):
            slope_values(alike, alike)


def test_where_values_go_with_nothing_no_slope_is_found_more_often_than_the_level() -> None:
    """Be the scatter of the values the same at all places, or not."""
    random, level = np.random.default_rng(26), 0.05
    for scatter in (0.0, 1.0):
        places = random.normal(size=(400, 12))
        values = random.normal(size=(400, 12)) * (1 + scatter * np.abs(places))
        found = [above_p(slope_values(*pair)) <= level for pair in zip(places, values, strict=True)]
        assert np.mean(found) <= level + 4 * math.sqrt(level * (1 - level) / 400)
