"""The ledger: checks as they are measured, and verdicts on data whose truth is known."""

import dataclasses
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import experiment
from hypothesis import given
from hypothesis import strategies as st

from dropout_bench.analysis.claims import Check, Claim
from dropout_bench.analysis.generality import generality
from dropout_bench.analysis.ledger import (
    LedgerEntry,
    judged,
    ledger,
    unfinished,
    what_must_hold,
)
from dropout_bench.analysis.measured import (
    AS_WIDE,
    MOSTLY,
    Measured,
    chances,
    measure,
    of_difference,
    of_spreads,
)
from dropout_bench.analysis.overview import overview
from dropout_bench.analysis.rule import Verdict, draws_asked
from dropout_bench.analysis.statistics import (
    above_p,
    log_spread_ratio,
    mean_interval,
    rank_slope,
    share_p,
    slope_values,
    slopes,
)
from dropout_bench.errors import BenchError
from dropout_bench.params.arms import Cell
from dropout_bench.params.experiment import Experiment
from dropout_bench.tables.read import Results

LEVEL = 0.05
SMALLEST = 0.5
HIGHER = {"metric": "test/accuracy", "of": "dropout 0.5", "than": "standard", "is": "higher"}


def check(**changes: object) -> Check:
    return Check.model_validate(HIGHER | changes)


def claim(*checks: Check, **more: Any) -> Claim:
    return Claim(source="someone", says="so", experiment="e", checks=checks, **more)


def alone(*measured: Measured) -> LedgerEntry:
    """Judge one claim of such checks, at one look."""
    of = claim(*(each.check for each in measured))
    (entry,) = judged({"c": of}, {"c": {1.0: measured}}, LEVEL)
    return entry


@pytest.mark.parametrize(
    ("changes", "mean", "verdict"),
    [
        ({}, 1.0, "supported"),
        ({}, -1.0, "contradicted"),
        ({}, 0.0, "no relevant difference"),
        ({}, 0.3, "supported"),
        ({}, -0.3, "contradicted"),
        ({"margin": 0.5}, 1.0, "supported"),
        ({"margin": 1.0}, 1.0, "open"),
        ({"margin": 2.0}, 1.0, "contradicted"),
        ({"is": "lower"}, -1.0, "supported"),
        ({"is": "lower"}, 1.0, "contradicted"),
        ({"is": "lower"}, 0.0, "no relevant difference"),
        ({"is": "lower", "margin": 2.0}, -1.0, "contradicted"),
        ({"is": "lower", "margin": -0.5}, 0.0, "supported"),
        ({"is": "equal", "margin": 0.5}, 0.0, "supported"),
        ({"is": "equal", "margin": 0.5}, 1.0, "contradicted"),
        ({"is": "equal", "margin": 0.5}, -1.0, "contradicted"),
        ({"is": "equal", "margin": 1.0}, 1.0, "open"),
    ],
)
def test_the_rule(changes: dict[str, object], mean: float, verdict: str) -> None:
    spread = np.array([-0.2, 0.2, -0.1, 0.1, -0.15, 0.15, -0.05, 0.05, -0.12, 0.12])
    entry = alone(of_difference(check(**changes), mean + spread, SMALLEST))
    assert entry.verdict == verdict
    assert entry.draws == 10


def test_without_a_smallest_difference_of_interest_none_is_too_small() -> None:
    spread = np.linspace(-0.2, 0.2, 10)
    assert alone(of_difference(check(), spread)).verdict is Verdict.OPEN
    assert alone(of_difference(check(), spread, 0.05)).verdict is Verdict.OPEN, "not shown"
    assert alone(of_difference(check(margin=-0.01), spread, 0.5)).verdict is Verdict.OPEN


def test_a_check_s_p_values_are_those_of_its_direction_and_margin() -> None:
    values = np.array([0.9, 0.1, 0.4, -0.3, 0.8, 0.2, 0.5])
    margin = 0.15

    def p_values(direction: str, sign: int = 1) -> tuple[float, float]:
        measured = of_difference(check(**{"is": direction, "margin": margin}), sign * values)
        return measured.for_it, measured.against_it

    assert p_values("higher") == (above_p(values - margin), above_p(margin - values))
    assert p_values("lower") == (above_p(-values - margin), above_p(values + margin))
    above, below = above_p(values - margin), above_p(-values - margin)
    assert p_values("equal") == (
        max(above_p(margin - values), above_p(values + margin)),
        2 * min(above, below),
    )
    assert p_values("equal", sign=-1) == p_values("equal"), "either side is as far"
    centred = check(**{"is": "equal", "margin": 0.01})
    assert of_difference(centred, np.array([-1.0, 1.0])).against_it == 1.0, "no p is above 1"
    same = of_difference(check(), values, SMALLEST).same
    assert same == max(above_p(SMALLEST - values), above_p(values + SMALLEST))


VALUES = st.lists(st.integers(-20, 20).map(lambda n: n / 10), min_size=2, max_size=14).map(np.array)
ALL = (
    *({"is": way, "margin": margin} for way in ("higher", "lower") for margin in (-0.5, 0.0, 0.5)),
    {"is": "equal", "margin": 0.5},
    {"of": ["a", "b", "c"], "is": "rising", "than": None},
    {"of": ["a", "b", "c"], "is": "falling", "than": None, "over": "place", "margin": 0.2},
    {"is": "rising", "along": "gap/loss", "than": None},
    {"often": True},
    {"often": True, "is": "lower", "margin": -0.5},
    {"often": True, "is": "equal", "margin": 0.5},
)
"""Every kind of check, but for steadier."""


def no_verdict_beside_an_interval_that_contradicts_it(measured: Measured) -> None:
    """The p of each way is below 2.5 % just where the interval lies there as a whole."""
    assert measured.interval.low <= measured.interval.mean <= measured.interval.high
    seen, middle = measured.seen, 0.5 if measured.check.often else 0.0
    low, high = (abs(end - middle) < measured.smallest for end in measured.interval[1:])
    inside = low and high
    assert measured.small == inside
    if np.ptp(measured.values) > 1e-9 or measured.check.often:
        assert (measured.for_it < 0.025) == all(side.low > 0 for side in seen)
        beyond = any(side.high < 0 for side in seen)
        assert beyond if measured.against_it < 0.025 else (not beyond or len(seen) == 2)
        if not measured.check.margin or measured.check.often:
            assert (measured.same < 0.025) == inside
    verdict = alone(measured).verdict
    if verdict is Verdict.SUPPORTED:
        assert all(side.low > 0 for side in seen)
    elif verdict is Verdict.CONTRADICTED:
        assert any(side.high < 0 for side in seen)
    elif verdict is Verdict.SAME:
        assert inside


@given(VALUES, st.sampled_from(ALL), st.sampled_from([math.nan, 0.3, 1.0]))
def test_no_verdict_stands_beside_an_interval_that_contradicts_it(
    values: np.ndarray, kind: dict[str, object], smallest: float
) -> None:
    one = check(**kind)
    no_verdict_beside_an_interval_that_contradicts_it(of_difference(one, values, smallest))


@given(VALUES, VALUES)
def test_nor_does_one_about_spreads(one: np.ndarray, other: np.ndarray) -> None:
    one, other = one[: len(other)], other[: len(one)]
    if np.ptp(one) and np.ptp(other):
        steadier = check(**{"is": "steadier"})
        no_verdict_beside_an_interval_that_contradicts_it(of_spreads(steadier, one, other))


@given(VALUES, st.booleans())
def test_a_claim_and_its_opposite_are_never_both_supported(values: np.ndarray, often: bool) -> None:
    checks = {way: check(**{"is": way}, often=often) for way in ("higher", "lower")}
    measured = {way: {1.0: [of_difference(one, values, SMALLEST)]} for way, one in checks.items()}
    higher, lower = judged({way: claim(one) for way, one in checks.items()}, measured, LEVEL)
    turned = {"supported": "contradicted", "contradicted": "supported"}
    assert lower.verdict == turned.get(higher.verdict, higher.verdict)


def test_a_difference_that_is_its_margin_but_for_rounding_is_neither_side_of_it() -> None:
    """The same at each draw, it would be above by 10⁻¹⁷, with the p of twelve equal signs."""
    values = np.full(12, 0.95 - 0.94)
    assert values[0] > 0.01
    measured = of_difference(check(margin=0.01), values)
    assert (measured.for_it, measured.against_it) == (1.0, 1.0)
    assert alone(measured).verdict is Verdict.OPEN


def test_a_ledger_s_p_values_are_two_sided_and_over_weights_and_corrected() -> None:
    random = np.random.default_rng(3)
    values = {name: random.normal(mean, 1, 12) for name, mean in (("a", 2.0), ("b", -0.5))}
    measured = {name: [of_difference(check(), each)] for name, each in values.items()}
    measured["c"] = [measured["a"][0], measured["b"][0]]
    claims = {name: claim(*[check()] * len(parts)) for name, parts in measured.items()}
    looked = {name: {0.2: parts} for name, parts in measured.items()}
    entries = judged(claims, looked, LEVEL)
    one_sided = {n: (above_p(v), above_p(-v)) for n, v in values.items()}
    expected = [
        2 * min(one_sided["a"]),
        2 * min(one_sided["b"]),
        # All parts must hold, so the largest p is for it; any may fail, so twice the smallest.
        2 * min(max(one_sided["a"][0], one_sided["b"][0]), 2 * one_sided["b"][1]),
    ]
    assert [entry.p for entry in entries] == pytest.approx([min(1, p / 0.2) for p in expected])
    assert [entry.name for entry in entries] == ["a", "b", "c"]
    assert [entry.claim for entry in entries] == list(claims.values())
    assert all(entry.corrected >= entry.p for entry in entries)
    assert [entry.looks for entry in entries] == [(tuple(parts),) for parts in measured.values()]


def test_a_claim_of_several_parts_needs_all_of_them() -> None:
    spread = np.linspace(-0.2, 0.2, 10)
    true, false, none, unsure = (
        of_difference(check(), spread + mean, 0.5 if mean == 0 else math.nan)
        for mean in (1.0, -1.0, 0.0, 0.01)
    )
    for parts, verdict in (
        ((true, true), "supported"),
        ((true, unsure), "open"),
        ((true, false), "contradicted"),
        ((unsure, false), "contradicted"),
        ((none, false), "contradicted"),
        ((true, none), "no relevant difference"),
    ):
        assert alone(*parts).verdict == verdict
    assert chances([true, none]).same == 2 * none.same


def test_trends_have_a_direction() -> None:
    rows = np.arange(5.0) + np.random.default_rng(1).normal(0, 0.3, (10, 5))
    for direction, verdict in (("rising", "supported"), ("falling", "contradicted")):
        cells = ["a", "b", "c", "d", "e"]
        one = Check.model_validate({"metric": "test/loss", "of": cells, "is": direction})
        assert alone(of_difference(one, rank_slope(rows))).verdict == verdict


def test_the_check_that_decides_is_the_one_that_contradicts() -> None:
    """Not the one with the largest p for the claim, which may decide nothing."""
    values = np.linspace(-0.2, 0.2, 10)
    hopeless, unclear, true = (of_difference(check(), values + m) for m in (-1.0, -0.02, 1.0))
    small = of_difference(check(), values, SMALLEST)
    narrow = of_difference(check(), np.array([-1.0] * 9 + [-0.4]))
    for parts, verdict, decides in (
        ((unclear, hopeless, true), "contradicted", hopeless),
        ((true, narrow, hopeless), "contradicted", hopeless),
        ((true, unclear), "open", unclear),
        ((true, small), "no relevant difference", small),
        ((true, of_difference(check(), values + 0.3)), "supported", None),
    ):
        entry = alone(*parts)
        assert entry.verdict == verdict
        assert entry.deciding is (decides or parts[1])


def looked(*means: float) -> dict[float, list[Measured]]:
    """Looks at 12, 24, … draws whose means are these, around a spread of 0.1."""
    noise = np.tile([-0.1, 0.1], 24)
    counts = {0.2: 12, 0.3: 24, 0.5: 48}
    return {
        weight: [of_difference(check(), mean + noise[:count], 0.05)]
        for (weight, count), mean in zip(counts.items(), means, strict=False)
    }


def test_a_verdict_is_shown_with_the_draws_that_it_rests_on() -> None:
    for means, verdict, draws in (
        ((1.0, 1.0, 1.0), "supported", 12),
        ((0.04, -1.0, 1.0), "contradicted", 24),
        ((0.04, 0.03), "open", 24),
        ((0.04,), "open", 12),
        ((0.03, 0.03, 0.0), "no relevant difference", 48),
    ):
        (entry,) = judged({"c": claim(check())}, {"c": looked(*means)}, LEVEL)
        assert (entry.verdict, entry.draws) == (verdict, draws)
        assert entry.deciding is entry.measured[0]
        assert len(entry.looks) == len(means)


def test_an_open_claim_says_how_many_draws_it_would_need() -> None:
    values = 0.3 + np.tile([-1.0, 1.0], 6)
    seen = 0.3  # between the two that are of interest
    parts = [of_difference(check(), values, smallest) for smallest in (0.5, 0.25, math.nan)]
    for chosen, distance in (
        (parts[:1], 0.5),
        (parts[:2], max(0.25, seen)),
        (parts[2:], seen),
    ):
        expected = draws_asked(LEVEL, 0, 1) * values.var(ddof=1) / distance**2
        assert alone(*chosen).needed == pytest.approx(expected)
    assert math.isnan(alone(of_difference(check(), values + 9, 0.5)).needed), "it is decided"
    level = of_difference(check(), np.array([-1.0, 1.0, -1.0, 1.0]))
    assert math.isinf(alone(level).needed), "nothing is seen, and nothing is small"


def test_what_is_said_of_the_whole_ledger() -> None:
    made: dict[str, tuple[Any, dict[str, Any]]] = {
        "zebra": (looked(1.0), {"contradicts": ("apple",)}),
        "apple": (looked(1.0, 1.0), {"contradicts": ("zebra",)}),
        "mouse": (looked(0.04, 0.03), {}),
        "snail": (looked(-1.0), {"contradicts": ("mouse", "gone")}),
    }
    claims = {name: claim(check(), **more) for name, (_, more) in made.items()}
    entries = judged(claims, {name: parts for name, (parts, _) in made.items()}, LEVEL)
    seen = overview(entries, LEVEL)
    assert seen
    assert [len(those) for those in seen.by_verdict.values()] == [2, 1, 0, 1]
    assert (seen.draws, seen.decided) == ((12, 24), 3)
    assert seen.asked == pytest.approx(3 * LEVEL / 4 / (25 / 12))
    pairs = [{one.name, other.name} for one, other in seen.opposed]
    assert pairs == [{"zebra", "apple"}, {"mouse", "snail"}], "each once, whoever names it"
    assert overview([], LEVEL) is None


@pytest.fixture
def results() -> Results:
    """Two cells, three seeds, three epochs; figures that can be checked by eye."""
    asked = experiment(seeds=[0, 1, 2], epochs=3)
    runs, curves, measures = [], [], []
    for place, cell in enumerate(asked.cells()):
        for seed in asked.seeds:
            row = {**cell.row(), "seed": seed}
            figures = {"train/loss": 0.1 + place, "test/loss": 0.4 + place + seed / 10}
            accuracy = {"train/accuracy": 0.99, "test/accuracy": 0.9 - place / 100}
            runs.append({**row, **figures, **accuracy})
            for epoch, loss in enumerate((1.0, 0.5, 0.25 + place), start=1):
                curves.append({**row, "epoch": epoch, "train/loss": loss})
            for at in (0.0, 50.0):
                value = 0.9 + at / 1000 + place
                measures.append({**row, "metric": "masks/accuracy", "at": at, "value": value})
    tables = {"runs": runs, "curves": curves, "measures": measures}
    tables |= {"candidates": [], "confusion": [], "pictures": []}
    frames = {name: pd.DataFrame(rows) for name, rows in tables.items()}
    return Results("e", asked, versions={}, **frames)


def test_figures_are_read_from_the_tables(results: Results) -> None:
    standard, dropout = results.experiment.cells()

    def figures(metric: str, **places: float) -> list[float]:
        values: list[float] = results.figures(standard, metric, **places).tolist()  # type: ignore[arg-type]
        return values

    assert figures("test/loss") == pytest.approx([0.4, 0.5, 0.6])
    assert figures("gap/loss") == pytest.approx([0.3, 0.4, 0.5])
    assert figures("gap/accuracy") == pytest.approx([0.09] * 3)
    assert figures("train/loss", epoch=2) == [0.5] * 3
    assert figures("deviation/test/loss") == pytest.approx([0.1, 0.0, 0.1])
    assert figures("masks/accuracy", at=50) == pytest.approx([0.95] * 3)
    assert figures("epochs-to/train/loss", at=0.75) == [1.5] * 3
    assert figures("epochs-to/train/loss", at=1.0) == [1.0] * 3
    assert figures("epochs-to/train/loss", at=0.1) == [4.0] * 3
    assert results.figures(dropout, "epochs-to/train/loss", at=0.4).tolist() == [4.0] * 3
    for unknown, told in (
        ("test/los", 'no quantity "test/los"; did you mean "test/loss"'),
        ("seed", 'no quantity "seed"'),
        ("masks/accuracy", "no masks/accuracy at 3 of every run"),
        ("masks/loss", "no masks/loss at 3 of every run"),
    ):
        with pytest.raises(BenchError, match=told):
            figures(unknown, at=3)
    with pytest.raises(BenchError, match="no train/loss, epoch 4 of every run"):
        figures("train/loss", epoch=4)


def test_a_level_of_accuracy_is_reached_from_below(results: Results) -> None:
    results.curves["train/accuracy"] = 1 - results.curves["train/loss"]
    standard = results.experiment.cells()[0]
    for level, epochs in ((0.0, 1.0), (0.25, 1.5), (0.75, 3.0), (0.9, 4.0)):
        found = results.figures(standard, "epochs-to/train/accuracy", at=level)
        assert found.tolist() == [epochs] * 3


def test_checks_are_measured_on_the_tables(results: Results) -> None:
    lower = check(metric="test/loss", **{"is": "lower"})
    assert measure(lower, results).values == pytest.approx([1.0] * 3)
    itself = check(metric="masks/accuracy", than=None, at=50, than_at=0)
    assert measure(itself, results).values == pytest.approx([0.05] * 3)
    gain = check(than=None, gain=True)
    assert measure(gain, results).values == pytest.approx([-0.01] * 3)
    at_epoch = check(metric="train/loss", epoch=3)
    assert measure(at_epoch, results).values == pytest.approx([1.0] * 3)
    assert measure(check(metric="train/loss", epoch=2), results).values.tolist() == [0.0] * 3
    gained = check(metric="train/loss", than=None, gain=True, epoch=3)
    assert measure(gained, results).values == pytest.approx([1.0] * 3)
    of_masks = check(metric="masks/accuracy", than=None, gain=True, at=50)
    assert measure(of_masks, results).values == pytest.approx([1.0] * 3)
    against_a_number = check(metric="test/loss", of="standard", than=0.5)
    assert measure(against_a_number, results).values == pytest.approx([-0.1, 0.0, 0.1])


ALONG = ["standard", "dropout 0.3", "dropout 0.5"]


@pytest.fixture
def three() -> Results:
    """Three rates, 12 seeds: loss 0.5 + rate × (1 + seed / 10), accuracy 0.9 less rate / 10."""
    asked = experiment(seeds=list(range(12)), dropout=[0.0, 0.3, 0.5])
    rows = [
        {
            **cell.row(),
            "seed": seed,
            "test/loss": 0.5 + seed / 100 + cell.dropout[0] * (1 + seed / 10),
            "test/accuracy": 0.9 - cell.dropout[0] * (seed - 2) / 10,
        }
        for cell in asked.cells()
        for seed in asked.seeds
    ]
    tables = {"runs": pd.DataFrame(rows)}
    others = ("candidates", "curves", "measures", "confusion", "pictures")
    nothing = dict.fromkeys(others, pd.DataFrame())
    return Results("e", asked, versions={}, **tables, **nothing)


def rising(**changes: object) -> Check:
    content = {"metric": "test/loss", "of": ALONG, "is": "rising", "over": "rate"}
    return Check.model_validate(content | changes)


def test_a_slope_is_tested_as_a_difference_is(three: Results) -> None:
    expected = 1 + np.arange(12) / 10
    assert measure(rising(), three).values == pytest.approx(expected)
    cells = {cell.label: cell for cell in three.experiment.cells()}
    table = np.column_stack([three.figures(cells[label], "test/loss") for label in ALONG])
    by_place = measure(rising(over="place"), three)
    assert by_place.values == pytest.approx(slopes(table, [1, 2, 3]))
    by_rank = measure(rising(over=None), three)
    assert by_rank.values == pytest.approx(rank_slope(table))
    gain = rising(gain=True, of=[*ALONG[1:], ALONG[1]])
    assert measure(gain, three).values == pytest.approx(expected)
    for margin, falls in ((0.0, False), (1.2, False), (0.0, True)):
        one = rising(margin=margin, **{"is": "falling" if falls else "rising"})
        measured = measure(one, three)
        towards = (-expected if falls else expected) - margin
        assert measured.for_it == pytest.approx(above_p(towards))
        assert measured.against_it == pytest.approx(above_p(-towards))
        assert alone(measured).verdict == ("contradicted" if falls else "supported")


def test_the_smallest_difference_of_a_slope_is_from_end_to_end(three: Results) -> None:
    told = {"test/loss": 0.6}
    assert measure(rising(), three, smallest=told).smallest == pytest.approx(0.6 / 0.5)
    assert measure(rising(over="place"), three, smallest=told).smallest == pytest.approx(0.6 / 2)
    assert math.isnan(measure(rising(over=None), three, smallest=told).smallest)
    assert math.isnan(measure(rising(), three, smallest={"test/accuracy": 0.1}).smallest)
    loss = check(metric="test/loss", of="dropout 0.5")
    assert measure(loss, three, smallest=told).smallest == 0.6
    against_a_number = check(metric="test/loss", than=0.5)
    assert math.isnan(measure(against_a_number, three, smallest=told).smallest)
    margin = check(metric="test/loss", of="dropout 0.5", margin=-0.1)
    assert measure(margin, three, smallest=told).smallest == 0.1, "it says so itself"


def test_arms_that_are_all_alike_neither_rise_nor_fall(three: Results) -> None:
    three.runs["test/loss"] = 0.5
    measured = measure(rising(over=None), three)
    assert measured.values.tolist() == [0.0] * 12
    assert (measured.for_it, measured.against_it) == (1.0, 1.0)


def test_a_slope_from_draw_to_draw_is_the_jackknife_s(three: Results) -> None:
    along = check(metric="test/accuracy", than=None, along="test/loss", **{"is": "falling"})
    measured = measure(along, three)
    cells = {cell.label: cell for cell in three.experiment.cells()}
    loss = three.figures(cells["standard"], "test/loss")
    accuracy = three.figures(cells["dropout 0.5"], "test/accuracy")
    assert measured.values == pytest.approx(slope_values(loss, accuracy))
    assert alone(measured).verdict is Verdict.SUPPORTED


def test_along_what_does_not_vary_there_is_no_slope(three: Results) -> None:
    three.runs["test/loss"] = 0.5
    along = check(metric="test/accuracy", than=None, along="test/loss", **{"is": "falling"})
    told = r"claims\.c\.checks\[0\]: test/accuracy along test/loss: there is no slope"
    with pytest.raises(BenchError, match=told):
        ledger({"c": claim(along)}, LEVEL, {"e": three})


def test_the_first_draws_can_be_measured_alone(three: Results) -> None:
    for one in (check(metric="test/loss"), check(than=0.5), rising(), check(often=True),
                check(of="standard", metric="test/loss", **{"is": "steadier"}, than="dropout 0.5"),
                check(than=None, along="test/loss", **{"is": "rising"})):  # fmt: skip
        assert len(measure(one, three, 5).values) == 5
        if not one.along and one.direction != "steadier":
            assert measure(one, three, 5).values == pytest.approx(measure(one, three).values[:5])


def test_often_is_judged_by_the_binomial_distribution(three: Results) -> None:
    behind = check(of="dropout 0.5", **{"is": "lower"}, often=True)
    measured = measure(behind, three)
    # Above at seeds 0 and 1, a tie at 2, below at the nine others.
    scores = np.array([0.0, 0.0, 0.5] + [1.0] * 9)
    assert measured.values.tolist() == scores.tolist()
    assert measured.for_it == share_p(scores)
    assert measured.against_it == share_p(1 - scores)
    assert measured.same == max(share_p(scores, 0.5 - MOSTLY), share_p(1 - scores, 0.5 - MOSTLY))
    assert (measured.interval.mean, measured.smallest) == (9.5 / 12, MOSTLY)
    assert measured.sides.tolist() == [(scores - 0.5).tolist()]
    ahead = measure(check(of="dropout 0.5", often=True), three)
    assert ahead.values == pytest.approx(1 - measured.values)
    assert (ahead.for_it, ahead.against_it) == (measured.against_it, measured.for_it)
    for is_, verdict in (("lower", "supported"), ("higher", "contradicted")):
        always = check(of="dropout 0.5", metric="test/accuracy", often=True, **{"is": is_})
        assert alone(of_difference(always, np.full(12, -0.01))).verdict == verdict
    half = of_difference(check(often=True), np.tile([-1.0, 1.0], 24))
    assert alone(half).verdict is Verdict.SAME
    margin = measure(check(of="dropout 0.5", **{"is": "lower"}, often=True, margin=-0.06), three)
    assert margin.values.tolist() == [0.0] + [1.0] * 11
    near = check(of="dropout 0.5", **{"is": "equal"}, often=True, margin=0.125)
    assert measure(near, three).values.tolist() == [1.0] * 5 + [0.0] * 7
    assert measure(rising(often=True, margin=1.55), three).values.tolist() == [0.0] * 6 + [1.0] * 6


def test_a_rounding_error_is_a_tie() -> None:
    often = check(often=True, margin=0.01)
    values = np.array([0.95 - 0.94, 0.31 - 0.30, 0.02, -0.02])
    assert of_difference(often, values).values.tolist() == [0.5, 0.5, 1.0, 0.0]


def test_steadier_is_judged_by_the_spreads(three: Results) -> None:
    steadier = check(metric="test/loss", of="standard", than="dropout 0.5", **{"is": "steadier"})
    measured = measure(steadier, three)
    assert measured.interval.mean == pytest.approx(math.log(0.01 / 0.06))
    random = np.random.default_rng(5)
    narrow, wide = random.normal(0, 1, 30), random.normal(5, 4, 30)
    parts = of_spreads(steadier, narrow, wide)
    assert parts.interval == mean_interval(log_spread_ratio(narrow, wide))
    assert parts.for_it == above_p(-log_spread_ratio(narrow, wide))
    assert parts.smallest == AS_WIDE
    for pair, verdict in (
        ((narrow, wide), "supported"),
        ((wide, narrow), "contradicted"),
        ((narrow, narrow[::-1]), "open"),
        ((narrow, 3 + narrow), "no relevant difference"),
    ):
        assert alone(of_spreads(steadier, *pair)).verdict == verdict


def test_what_does_not_vary_has_no_ratio_of_spreads(three: Results) -> None:
    steadier = check(of="standard", than="dropout 0.5", **{"is": "steadier"})
    with pytest.raises(BenchError, match=r"claims\.c\.checks\[0\]: test/accuracy is the same"):
        ledger({"c": claim(steadier)}, LEVEL, {"e": three})


@dataclasses.dataclass(frozen=True)
class CutShort(Results):
    """Results some of whose trainings were cut short, by the cells' labels."""

    short: dict[str, tuple[int, ...]] = dataclasses.field(default_factory=dict)

    def unfinished(self, cell: Cell) -> tuple[int, ...]:
        return self.short.get(cell.label, ())


def cut_short(results: Results, **short: tuple[int, ...]) -> Results:
    values = {f.name: getattr(results, f.name) for f in dataclasses.fields(results)}
    return CutShort(**values, short={k.replace("_", " "): v for k, v in short.items()})


def test_a_claim_on_trainings_cut_short_has_no_verdict(three: Results) -> None:
    clear = claim(check(metric="test/loss", of="dropout 0.5"))
    other = claim(check(metric="test/loss", of="dropout 0.3"))
    short = cut_short(three, **{"dropout_0.5": (3, 4, 11)})
    entry, sound = ledger({"c": clear, "d": other}, LEVEL, {"e": short})
    assert (entry.verdict, sound.verdict) == ("open", "supported")
    assert entry.reason == "cut short by the limit of epochs: dropout 0.5 at 3 of 12 draws"
    assert sound.reason == ""
    (whole,) = ledger({"c": clear}, LEVEL, {"e": three})
    assert (whole.verdict, whole.reason) == ("supported", "")
    assert (entry.p, entry.corrected) == (1.0, 1.0)


def test_a_gain_rests_on_its_baseline_and_a_point_of_the_curve_on_nothing_later(
    three: Results,
) -> None:
    short = cut_short(three, standard=(0,), **{"dropout_0.3": (1, 2)})
    alone = check(of="dropout 0.5", than=None)
    assert unfinished(claim(alone), short) == ""
    gain = check(of="dropout 0.5", than=None, gain=True)
    assert unfinished(claim(gain), short).endswith(": standard at 1 of 12 draws")
    trend = claim(rising(), alone)
    told = ": standard at 1 of 12 draws, dropout 0.3 at 2 of 12 draws"
    assert unfinished(trend, short).endswith(told)
    early = check(metric="train/loss", of="dropout 0.3", epoch=1)
    assert unfinished(claim(early), short) == ""


def test_what_must_hold_is_judged_by_its_intervals_alone(results: Results) -> None:
    """At three draws that are all the same no p is below the level."""
    identity = check(metric="test/loss", **{"is": "equal"}, margin=0.1, than="dropout 0.5")
    holding = identity.model_copy(update={"of": "dropout 0.5"})
    breaking = identity.model_copy(update={"of": "standard"})
    unclear = check(metric="test/loss", than=0.45, of="standard")
    held = {
        "holds": claim(holding), "broken": claim(holding, breaking), "unclear": claim(unclear)
    }  # fmt: skip
    entries = what_must_hold(held, {"e": results})
    assert [entry.verdict for entry in entries] == ["supported", "contradicted", "open"]
    assert {entry.verdict for entry in ledger(held, LEVEL, {"e": results})} == {Verdict.OPEN}
    with pytest.raises(BenchError, match=r"must_hold\.c\.checks\[0\]: no quantity"):
        what_must_hold({"c": claim(check(metric="test/los"))}, {"e": results})
    assert what_must_hold({}, {}) == []


def test_an_empty_table_is_an_error_that_names_the_claim(results: Results) -> None:
    for runs in (results.runs.iloc[:0], pd.DataFrame()):
        empty = dataclasses.replace(results, runs=runs)
        for metric in ("test/loss", "gap/loss", "epochs-to/train/loss"):
            one = check(metric=metric, at=0.5 if metric.startswith("epochs") else None)
            with pytest.raises(BenchError, match=r"claims\.c\.checks\[0\]: .*0 seeds.* needs 2"):
                ledger({"c": claim(one)}, LEVEL, {"e": empty})


def test_the_ledger_measures_and_judges(results: Results) -> None:
    claims = {"c": claim(check(metric="test/loss")), "d": claim(check(**{"is": "lower"}))}
    entries = ledger(claims, LEVEL, {"e": results})
    assert [entry.name for entry in entries] == ["c", "d"]
    assert [entry.draws for entry in entries] == [3, 3]
    assert ledger({}, LEVEL, {"e": results}) == []


def test_a_claim_about_a_figure_that_is_not_there_is_an_error(results: Results) -> None:
    with pytest.raises(BenchError, match=r"claims\.c\.checks\[0\]: no quantity \"test/los\""):
        ledger({"c": claim(check(metric="test/los"))}, LEVEL, {"e": results})


def test_a_value_that_is_not_a_number_is_an_error_that_names_the_claim(results: Results) -> None:
    results.runs.loc[1, "test/loss"] = np.nan
    results.curves["val/loss"] = np.nan
    for metric in ("test/loss", "gap/loss", "swing/val/loss", "swing/train/loss"):
        with pytest.raises(BenchError, match=rf"claims\.c\.checks\[1\]: {metric} of .* finite"):
            ledger({"c": claim(check(), check(metric=metric))}, LEVEL, {"e": results})


def test_one_seed_is_an_error_that_names_the_claim(results: Results) -> None:
    asked = experiment(seeds=[0], epochs=3, dropout=[0.0, 0.3, 0.5])
    runs = pd.DataFrame([{**cell.row(), "seed": 0, "test/loss": 0.5} for cell in asked.cells()])
    alone = dataclasses.replace(results, experiment=asked, runs=runs)
    cells = [cell.label for cell in asked.cells()]
    trend = Check.model_validate({"metric": "test/loss", "of": cells, "is": "rising"})
    for one in (trend, check(metric="test/loss")):
        with pytest.raises(BenchError, match=r"claims\.c\.checks\[0\]: .*1 seed.* needs 2"):
            ledger({"c": claim(one)}, LEVEL, {"e": alone})


def drawn(draws: int) -> Results:
    """An experiment that draws whether to centre pixels; with dropout the loss is lower there."""
    asked = Experiment.model_validate({
        "dataset": "mnist", "train_size": 300, "draw": {"normalise": ["unit", "symmetric"]},
        "draws": draws, "validation_images": 100, "hidden": [16], "batch_size": 32,
        "learning_rate": 1e-2, "steps": 20,
        "arms": {"none": {}, "dropout": {"variant": "dropout", "dropout": 0.5}},
    })  # fmt: skip
    random = np.random.default_rng(4)
    noise = random.normal(0, 0.1, 48)
    levels = {}
    for job in asked.jobs():
        levels[job.run.seed] = job.run.normalise.sd == 1.0
    rows = [
        {
            **cell.row(), "seed": seed, "train/accuracy": 0.9 + noise[seed] / 10,
            "val/accuracy": 0.8, "test/loss": 0.5,
            "test/accuracy": 0.8 + noise[seed] / 10
            + (cell.label == "dropout") * (levels[seed] / 2 + noise[seed]),
        }
        for cell in asked.cells()
        for seed in asked.seeds
    ]  # fmt: skip
    tables = {"runs": pd.DataFrame(rows)}
    others = ("candidates", "curves", "measures", "confusion", "pictures")
    return Results("e", asked, versions={}, **tables, **dict.fromkeys(others, pd.DataFrame()))


GAINED = {"of": "dropout", "than": "none"}


@pytest.mark.parametrize(("draws", "counts"), [(5, [5]), (12, [12]), (30, [12, 24])])
def test_drawn_settings_are_looked_at_and_listed_seeds_once(draws: int, counts: list[int]) -> None:
    (entry,) = ledger({"c": claim(check(**GAINED))}, LEVEL, {"e": drawn(draws)})
    assert [len(look[0].values) for look in entry.looks] == counts


def test_listed_seeds_are_one_look_with_the_whole_level(three: Results) -> None:
    (entry,) = ledger({"c": claim(check(metric="test/loss"))}, LEVEL, {"e": three})
    (measured,) = entry.measured
    assert entry.p == min(1.0, chances([measured]).p)
    assert len(entry.looks) == 1


def test_a_claim_is_general_or_depends_on_what_was_drawn() -> None:
    results = drawn(24)
    for one, names in ((check(**GAINED), ["normalise"]), (check(**GAINED, often=True), None)):
        (entry,) = ledger({"c": claim(one)}, LEVEL, {"e": results})
        found = generality(entry, results)
        assert found
        above = (entry.measured[0].values > (0.5 if one.often else 0)).mean()
        assert found.holds.mean == pytest.approx(above)
        if names:
            assert [factor.name for factor in found.found] == names
    for one in (
        check(**GAINED, **{"is": "steadier"}),
        check(of="dropout", than=None, along="train/accuracy", **{"is": "rising"}),
    ):
        (entry,) = ledger({"c": claim(one)}, LEVEL, {"e": results})
        assert generality(entry, results) is None


def test_where_no_setting_is_drawn_nothing_is_general(three: Results) -> None:
    (entry,) = ledger({"c": claim(check(metric="test/loss"))}, LEVEL, {"e": three})
    assert generality(entry, three) is None
