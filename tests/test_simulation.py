"""The rule on simulated ledgers: how often its verdicts are false, and what it finds."""

import math

import pytest

from dropout_bench.analysis import simulation
from dropout_bench.analysis.simulation import (
    POWER_LEDGERS,
    SHAPES,
    SKEWED,
    coverage,
    powers,
    simulate,
)

LEVEL = 0.05
CLAIMS = 68
EFFECTS = (0.0, 0.25, 0.5, 1.0)


@pytest.mark.parametrize(
    "ledgers",
    [
        pytest.param(10, id="10 ledgers"),
        pytest.param(1000, id="1000 ledgers", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("shape", SHAPES)
def test_false_verdicts_stay_below_the_level_whatever_the_differences(
    shape: str, ledgers: int
) -> None:
    """Of claims that share noise, that are opposed, of two checks, at three looks."""
    for effect in EFFECTS:
        made = simulate(effect, CLAIMS, ledgers, shape)
        assert made.false <= LEVEL + 3 * math.sqrt(LEVEL * (1 - LEVEL) / ledgers)


def test_what_is_large_is_found_and_what_is_larger_sooner() -> None:
    some, large, larger = (simulate(effect, CLAIMS, 10) for effect in (0.5, 1.0, 2.0))
    assert some.found < 0.9 < large.found <= larger.found == 1.0
    assert some.draws > large.draws > larger.draws
    assert larger.draws == pytest.approx(12, abs=1)


def test_without_an_effect_nothing_is_found_but_that(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = simulate(0.0, CLAIMS, 10)
    assert nothing.found < 0.02
    assert nothing.draws > 47
    # With a smallest difference of interest that is large, that there is none is found everywhere.
    monkeypatch.setattr(simulation, "RELEVANT", 2.0)
    assert simulate(0.0, CLAIMS, 10).same == 1.0


def test_a_simulated_ledger_is_what_it_says() -> None:
    certain = simulate(50.0, 6, 3)
    assert (certain.effect, certain.found, certain.false, certain.draws) == (50.0, 1.0, 0.0, 12.0)
    assert simulate(0.5, 12, 5) == simulate(0.5, 12, 5), "it repeats"
    assert math.isnan(simulate(0.5, 3, 2).same), "the first three all have the effect"


def test_the_level_is_held_by_the_correction(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the simulation would find nothing wrong with any rule."""
    monkeypatch.setattr(simulation, "LOOKS", {12: 1.0, 24: 1.0, 48: 1.0})
    assert simulate(0.0, 1, 200, level=0.3).false > 0.3, "each look with the whole level"


def test_the_interval_of_skewed_values_covers_less() -> None:
    covered = {shape: coverage(shape, 12, 4000) for shape in SHAPES}
    slack = 4 * math.sqrt(0.05 * 0.95 / 4000)
    assert covered["normal"] == pytest.approx(0.95, abs=slack)
    assert covered[SKEWED] == pytest.approx(0.905, abs=2 * slack)
    assert all(share > 0.95 - slack for shape, share in covered.items() if shape != SKEWED)


def test_the_report_has_normal_and_mixed_differences_side_by_side(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(simulation, "POWER_LEDGERS", 2)
    rows = powers(6, LEVEL)
    assert [normal.effect for normal, _ in rows] == list(simulation.EFFECTS)
    assert rows[0][0] == simulate(0.25, 6, 2)
    assert rows[0][1] == simulate(0.25, 6, 2, simulation.MIXED)
    assert POWER_LEDGERS >= 40
    assert powers(0, LEVEL) == []
