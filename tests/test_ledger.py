"""The ledger's rule on data whose truth is known."""

import math

import numpy as np
import pandas as pd
import pytest
from conftest import experiment

from dropout_bench.analysis.claims import Check, Claim
from dropout_bench.analysis.ledger import Verdict, judged, ledger, measure, of_difference, of_trend
from dropout_bench.analysis.results import Results
from dropout_bench.analysis.simulation import simulate
from dropout_bench.analysis.statistics import holm_adjusted
from dropout_bench.errors import BenchError

LEVEL = 0.05
SEEDS = 10
HIGHER = {"metric": "test/accuracy", "of": "dropout 0.5", "than": "standard", "is": "higher"}


def check(**changes: object) -> Check:
    return Check.model_validate(HIGHER | changes)


def claim(*checks: Check) -> Claim:
    return Claim(source="someone", says="so", experiment="e", checks=checks)


LEDGERS = (
    pytest.param(40, id="40 ledgers"),
    pytest.param(1000, id="1000 ledgers", marks=pytest.mark.slow),
)


@pytest.mark.parametrize("ledgers", LEDGERS)
def test_without_any_effect_false_verdicts_stay_below_the_level(ledgers: int) -> None:
    nothing = simulate(0.0, real=0, nothing=35, ledgers=ledgers, seeds=SEEDS)
    assert nothing.false <= LEVEL + 4 * math.sqrt(LEVEL / ledgers)


@pytest.mark.parametrize("ledgers", LEDGERS)
def test_among_effects_false_verdicts_stay_below_the_level_and_effects_are_found(
    ledgers: int,
) -> None:
    """Effects of two standard deviations, as large as most that we see: nearly all are found."""
    mixed = simulate(2.0, real=20, nothing=15, ledgers=ledgers, seeds=SEEDS)
    assert mixed.false <= LEVEL + 4 * math.sqrt(LEVEL / ledgers / 5)
    assert mixed.found > 0.95


def test_holm_finds_nothing_at_ten_seeds_whatever_the_effect() -> None:
    """2 / 2¹⁰ > 0.05 / 35: why the ledger controls the share of false verdicts instead."""
    hopeless = simulate(9.0, real=35, nothing=0, ledgers=2, seeds=SEEDS, correction=holm_adjusted)
    assert hopeless.found == 0
    found = simulate(9.0, real=35, nothing=0, ledgers=2, seeds=12, correction=holm_adjusted)
    assert found.found == 1


@pytest.mark.parametrize(
    ("changes", "mean", "verdict"),
    [
        ({}, 1.0, "supported"),
        ({}, -1.0, "contradicted"),
        ({}, 0.0, "inconclusive"),
        ({"margin": 0.5}, 1.0, "supported"),
        ({"margin": 1.0}, 1.0, "inconclusive"),
        ({"margin": 2.0}, 1.0, "contradicted"),
        ({"is": "lower"}, -1.0, "supported"),
        ({"is": "lower"}, 1.0, "contradicted"),
        ({"is": "lower", "margin": 2.0}, -1.0, "contradicted"),
        ({"is": "equal", "margin": 0.5}, 0.0, "supported"),
        ({"is": "equal", "margin": 0.5}, 1.0, "contradicted"),
        ({"is": "equal", "margin": 0.5}, -1.0, "contradicted"),
        ({"is": "equal", "margin": 1.0}, 1.0, "inconclusive"),
    ],
)
def test_the_rule(changes: dict[str, object], mean: float, verdict: str) -> None:
    spread = np.array([-0.2, 0.2, -0.1, 0.1, -0.15, 0.15, -0.05, 0.05, -0.12, 0.12])
    one = check(**changes)
    (entry,) = judged({"c": claim(one)}, {"c": [of_difference(one, mean + spread)]}, LEVEL)
    assert entry.verdict == verdict
    assert entry.seeds == 10


def test_a_claim_of_several_parts_needs_all_of_them() -> None:
    spread = np.linspace(-0.2, 0.2, 10)
    true, false, unsure = (of_difference(check(), spread + mean) for mean in (1.0, -1.0, 0.01))
    for parts, verdict in (
        ((true, true), "supported"),
        ((true, unsure), "inconclusive"),
        ((true, false), "contradicted"),
        ((unsure, false), "contradicted"),
    ):
        (entry,) = judged({"c": claim(*[check()] * len(parts))}, {"c": parts}, LEVEL)
        assert entry.verdict == verdict


def test_trends_have_a_direction() -> None:
    rows = np.arange(5.0) + np.random.default_rng(1).normal(0, 0.3, (SEEDS, 5))
    for direction, verdict in (("rising", "supported"), ("falling", "contradicted")):
        cells = ["a", "b", "c", "d", "e"]
        one = Check.model_validate({"metric": "test/loss", "of": cells, "is": direction})
        (entry,) = judged({"c": claim(one)}, {"c": [of_trend(one, rows)]}, LEVEL)
        assert entry.verdict == verdict


def test_an_inconclusive_claim_says_how_many_seeds_it_would_need() -> None:
    random = np.random.default_rng(2)
    values = random.normal(0.3, 1.0, SEEDS)
    (entry,) = judged({"c": claim(check())}, {"c": [of_difference(check(), values)]}, LEVEL)
    assert entry.verdict is Verdict.INCONCLUSIVE
    needed = entry.seeds_needed
    effect = float(abs(values.mean()) / values.std(ddof=1))
    enough = simulate(effect, real=1, nothing=0, ledgers=100, seeds=math.ceil(needed))
    assert enough.found == pytest.approx(0.8, abs=0.15)


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
    tables |= {"confusion": [], "pictures": []}
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
    for unknown in ("test/los", "masks/accuracy", "masks/loss"):
        with pytest.raises(KeyError):
            figures(unknown, at=3)


def test_checks_are_measured_on_the_tables(results: Results) -> None:
    lower = check(metric="test/loss", **{"is": "lower"})
    assert measure(lower, results).values == pytest.approx([1.0] * 3)
    itself = check(metric="masks/accuracy", than=None, at=50, than_at=0)
    assert measure(itself, results).values == pytest.approx([0.05] * 3)
    gain = check(than=None, gain=True)
    assert measure(gain, results).values == pytest.approx([-0.01] * 3)


def test_a_claim_about_a_figure_that_is_not_there_is_an_error(results: Results) -> None:
    with pytest.raises(BenchError, match=r"claims\.c: e has no figure 'test/los'"):
        ledger({"c": claim(check(metric="test/los"))}, LEVEL, {"e": results})
