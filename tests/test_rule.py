"""Laws of the rule: what makes a verdict of p values, over looks and over all claims."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from dropout_bench.analysis.rule import (
    LOOKS,
    Chances,
    Look,
    Verdict,
    asked,
    draws_asked,
    looks_at,
    rule,
)
from dropout_bench.analysis.statistics import harmonic

LEVEL = 0.05
WEIGHTS = tuple(LOOKS.values())
WAYS = (Verdict.SUPPORTED, Verdict.CONTRADICTED, Verdict.SAME)


def looks(*chances: tuple[float, float, float]) -> list[Look]:
    return [Look(w, Chances(*each)) for w, each in zip(WEIGHTS, chances, strict=False)]


P = st.floats(-8, 0).map(lambda exponent: 10.0**exponent)
"""From 10⁻⁸ to 1, small ones as often as large ones."""


@st.composite
def chances(draw: st.DrawFn) -> Chances:
    """Chances as they can be: not for and against a claim at once."""
    small, same = draw(P), draw(P)
    sides = (small, 1 - small) if draw(st.booleans()) else (1 - small, small)
    return Chances(*sides, same)


CLAIM = st.lists(chances(), min_size=1, max_size=3).map(lambda each: looks(*each))
LEDGER = st.lists(CLAIM, min_size=1, max_size=12).map(
    lambda claims: {f"c{number}": each for number, each in enumerate(claims)}
)


@pytest.mark.parametrize(
    ("chance", "verdict"),
    [
        ((0.001, 0.999, 0.5), "supported"),
        ((0.999, 0.001, 0.5), "contradicted"),
        ((0.5, 0.5, 0.001), "no relevant difference"),
        ((0.3, 0.7, 0.4), "open"),
        ((0.001, 0.999, 0.0001), "supported"),
        ((0.999, 0.001, 0.0001), "contradicted"),
        ((1.0, 1.0, 1.0), "open"),
    ],
)
def test_there_are_three_ways_to_a_verdict(
    chance: tuple[float, float, float], verdict: str
) -> None:
    (ruling,) = rule({"c": looks(chance)}, LEVEL).values()
    assert ruling.verdict == verdict
    assert ruling.p == ruling.corrected == min(1, 2 * min(chance) / WEIGHTS[0])


def test_a_claim_is_held_to_its_looks_weights() -> None:
    """An early look has to say more; the weights together are the whole level."""
    assert sum(WEIGHTS) == pytest.approx(1)
    for place, weight in enumerate(WEIGHTS):
        nothing = [(0.5, 0.5, 0.5)] * place
        for times, found in ((0.999, True), (1.001, False)):
            p = times * LEVEL * weight / 2
            (ruling,) = rule({"c": looks(*nothing, (p, 1 - p, 0.5))}, LEVEL).values()
            assert (ruling.verdict is Verdict.SUPPORTED) == found
            assert ruling.look == place


def test_the_first_look_that_reaches_a_verdict_has_it() -> None:
    no, yes, against = (0.5, 0.5, 0.5), (0.0001, 0.9999, 0.5), (0.9999, 0.0001, 0.5)
    for looked, verdict, look in (
        ((yes, against), "supported", 0),
        ((no, against, yes), "contradicted", 1),
        ((no, no, no), "open", 2),
        ((no,), "open", 0),
    ):
        (ruling,) = rule({"c": looks(*looked)}, LEVEL).values()
        assert (ruling.verdict, ruling.look) == (verdict, look)


def test_there_are_looks_at_12_24_and_48_draws() -> None:
    assert looks_at(12) == looks_at(23) == {12: 0.2}
    assert looks_at(47) == {12: 0.2, 24: 0.3}
    assert looks_at(48) == looks_at(1000) == LOOKS
    assert looks_at(2) == {2: 0.2}, "fewer are one look, with no more than the first"


@given(LEDGER)
def test_the_claims_decided_are_benjamini_and_yekutieli_s(ledger: dict[str, list[Look]]) -> None:
    rulings = rule(ledger, LEVEL)
    smallest = [min(2 * min(look.chances) / look.weight for look in c) for c in ledger.values()]
    p_values = sorted(smallest)
    below = [r for r, p in enumerate(p_values, 1) if p < asked(LEVEL, r, len(ledger))]
    decided = [ruling for ruling in rulings.values() if ruling.verdict is not Verdict.OPEN]
    assert len(decided) == max(below, default=0)
    bar = asked(LEVEL, len(decided), len(ledger))
    for name, ruling in rulings.items():
        if ruling.verdict is Verdict.OPEN:
            assert ruling.look == len(ledger[name]) - 1
            continue
        look = ledger[name][ruling.look]
        assert 2 * look.chances[WAYS.index(ruling.verdict)] / look.weight <= bar * (1 + 1e-9)
        assert ruling.p <= ruling.corrected < LEVEL


def test_what_is_asked_of_one_claim_falls_with_the_claims_that_are_decided() -> None:
    assert asked(LEVEL, 1, 1) == LEVEL
    assert asked(LEVEL, 3, 68) == pytest.approx(3 * LEVEL / (68 * harmonic(68)))
    p = 1.5 * asked(LEVEL, 1, 2) * WEIGHTS[0] / 2
    unclear, clear = looks((p, 1 - p, 0.5)), looks((1e-9, 1.0, 0.5))
    assert rule({"a": unclear, "b": looks((0.5, 0.5, 0.5))}, LEVEL)["a"].verdict is Verdict.OPEN
    assert rule({"a": unclear, "b": clear}, LEVEL)["a"].verdict is Verdict.SUPPORTED


@given(LEDGER, st.randoms())
def test_the_order_of_the_claims_changes_nothing(
    ledger: dict[str, list[Look]], random: Any
) -> None:
    names = random.sample(list(ledger), len(ledger))
    turned = rule({name: ledger[name] for name in names}, LEVEL)
    for name, ruling in rule(ledger, LEVEL).items():
        assert turned[name][:3] == ruling[:3]
        assert turned[name].corrected == pytest.approx(ruling.corrected)


@given(LEDGER, st.data())
def test_what_is_decided_stays_decided(ledger: dict[str, list[Look]], data: st.DataObject) -> None:
    """When draws are added, which other claims' p can only fall by."""
    before = rule(ledger, LEVEL)
    added = st.lists(chances(), max_size=3)
    more = {
        name: looks(*(look.chances for look in looked), *data.draw(added))
        for name, looked in ledger.items()
    }
    after = rule(more, LEVEL)
    for name, ruling in before.items():
        assert after[name].p <= ruling.p
        if ruling.verdict is not Verdict.OPEN:
            assert after[name].verdict is not Verdict.OPEN
            assert after[name].look <= ruling.look, "a lower bar may be reached earlier"
            if after[name].look == ruling.look:
                ways = WAYS.index(after[name].verdict), WAYS.index(ruling.verdict)
                assert ways[0] == ways[1] or ruling.verdict is Verdict.SAME


@given(LEDGER, CLAIM)
def test_a_claim_and_its_opposite_have_opposite_verdicts(
    ledger: dict[str, list[Look]], claim: list[Look]
) -> None:
    opposite = [Look(w, Chances(against, for_it, same)) for w, (for_it, against, same) in claim]
    rulings = rule({**ledger, "one": claim, "other": opposite}, LEVEL)
    turned = {
        Verdict.SUPPORTED: Verdict.CONTRADICTED,
        Verdict.CONTRADICTED: Verdict.SUPPORTED,
    }
    one, other = rulings["one"], rulings["other"]
    assert other.verdict is turned.get(one.verdict, one.verdict)
    assert other.look == one.look


def test_without_claims_there_are_no_verdicts_and_without_looks_none() -> None:
    assert rule({}, LEVEL) == {}
    assert rule({"c": []}, LEVEL)["c"].verdict is Verdict.OPEN


@pytest.mark.parametrize("relevant", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("at", [0.0, 0.5, 1.0, 2.0])
def test_wherever_the_truth_lies_a_verdict_is_false_no_more_often_than_the_level(
    relevant: float, at: float
) -> None:
    """Twice the smallest of three is enough: of the three, two can be false, or they are nested."""
    samples, draws = 4000, 12
    values = np.random.default_rng(7).normal(at * relevant, 1, (samples, draws))
    mean, error = values.mean(axis=1), values.std(axis=1, ddof=1) / math.sqrt(draws)

    def p(above: np.ndarray) -> np.ndarray:
        return np.asarray(stats.t.sf(above / error, draws - 1))

    supported, contradicted = p(mean), p(-mean)
    same = np.maximum(p(relevant - mean), p(relevant + mean))
    false = [contradicted] + [supported] * (at == 0) + [same] * (at >= 1)
    wrong = 2 * np.min(false, axis=0) <= LEVEL
    assert wrong.mean() <= LEVEL + 4 * math.sqrt(LEVEL * (1 - LEVEL) / samples)
    if at == 0:
        assert wrong.mean() >= LEVEL - 4 * math.sqrt(LEVEL * (1 - LEVEL) / samples)


@pytest.mark.parametrize("decided", [0, 20])
def test_the_draws_asked_for_tell_what_they_are_to_tell(decided: int) -> None:
    effect = 0.5
    draws = draws_asked(LEVEL, decided, 68) / effect**2
    bar = stats.t.isf(asked(LEVEL, decided + 1, 68) * max(WEIGHTS) / 2, draws - 1)
    power = stats.nct.sf(bar, draws - 1, effect * math.sqrt(draws))
    assert 0.8 - 0.07 < power < 0.8, "the normal distribution stands for Student's"
