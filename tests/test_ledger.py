"""The ledger's rule on data whose truth is known."""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
from conftest import experiment

from dropout_bench.analysis.claims import Check, Claim
from dropout_bench.analysis.ledger import (
    Verdict,
    decided_by_holm,
    judged,
    ledger,
    measure,
    of_difference,
    of_spreads,
    of_trend,
    unfinished,
    what_must_hold,
)
from dropout_bench.analysis.simulation import simulate
from dropout_bench.analysis.statistics import (
    false_discovery_adjusted,
    holm_adjusted,
    rank_slope,
    sign_flip_p,
    sign_test_p,
    slopes,
    steadier_p,
    trend_p,
)
from dropout_bench.errors import BenchError
from dropout_bench.params.arms import Cell
from dropout_bench.tables.read import Results

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


def test_small_ledgers_err_as_often_as_they_may() -> None:
    """Or the null would be none: five claims at ten seeds can be rejected one by one."""
    nothing = simulate(0.0, real=0, nothing=5, ledgers=200, seeds=SEEDS)
    assert nothing.false == pytest.approx(LEVEL, abs=4 * math.sqrt(LEVEL / 200))
    assert nothing.false > LEVEL / 3


@pytest.mark.parametrize("ledgers", LEDGERS)
def test_among_effects_false_verdicts_stay_below_the_level_and_effects_are_found(
    ledgers: int,
) -> None:
    """Effects of two standard deviations, as large as most that we see: nearly all are found."""
    mixed = simulate(2.0, real=20, nothing=15, ledgers=ledgers, seeds=SEEDS)
    assert mixed.false <= LEVEL + 4 * math.sqrt(LEVEL / ledgers / 5)
    assert mixed.found > 0.95


def test_holm_finds_no_difference_among_35_at_ten_seeds_whatever_the_effect() -> None:
    """2 / 2¹⁰ > 0.05 / 35: why the ledger controls the share of false verdicts instead.

    A trend's p may be smaller, and where few claims are left Holm asks for less.
    """
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


def test_a_check_s_p_values_are_those_of_its_direction_and_margin() -> None:
    values = np.array([0.9, 0.1, 0.4, -0.3, 0.8, 0.2, 0.5])
    margin = 0.15

    def p_values(direction: str, sign: int = 1) -> tuple[float, float]:
        measured = of_difference(check(**{"is": direction, "margin": margin}), sign * values)
        return measured.for_it, measured.against_it

    assert p_values("higher") == (sign_flip_p(values - margin), sign_flip_p(margin - values))
    assert p_values("lower") == (sign_flip_p(-values - margin), sign_flip_p(values + margin))
    above, below = sign_flip_p(values - margin), sign_flip_p(-values - margin)
    assert p_values("equal") == (
        max(sign_flip_p(margin - values), sign_flip_p(values + margin)),
        2 * min(above, below),
    )
    assert p_values("equal", sign=-1) == p_values("equal"), "either side is as far"
    centred = check(**{"is": "equal", "margin": 0.01})
    assert of_difference(centred, np.array([-1.0, 1.0])).against_it == 1.0, "no p is above 1"


def test_a_ledger_s_p_values_are_two_sided_and_corrected() -> None:
    random = np.random.default_rng(3)
    values = {name: random.normal(mean, 1, 8) for name, mean in (("a", 2.0), ("b", -0.5))}
    measured = {name: [of_difference(check(), each)] for name, each in values.items()}
    measured["c"] = [measured["a"][0], measured["b"][0]]
    claims = {name: claim(*[check()] * len(parts)) for name, parts in measured.items()}
    entries = judged(claims, measured, LEVEL)
    one_sided = {n: (sign_flip_p(v), sign_flip_p(-v)) for n, v in values.items()}
    expected = [
        2 * min(one_sided["a"]),
        2 * min(one_sided["b"]),
        # All parts must hold, so the largest p is for it; any may fail, so twice the smallest.
        2 * min(max(one_sided["a"][0], one_sided["b"][0]), 2 * one_sided["b"][1]),
    ]
    assert [entry.p for entry in entries] == pytest.approx(expected)
    corrected = false_discovery_adjusted([entry.p for entry in entries])
    assert [entry.corrected for entry in entries] == corrected
    assert [entry.name for entry in entries] == ["a", "b", "c"]
    assert [entry.claim for entry in entries] == list(claims.values())
    hopeless = [of_difference(check(), np.array([-1.0, 1.0, -1.0, 1.0]))] * 3
    (entry,) = judged({"d": claim(*[check()] * 3)}, {"d": hopeless}, LEVEL)
    assert entry.p == 1.0
    exactly = judged({"a": claims["a"]}, {"a": measured["a"]}, level=2 * min(one_sided["a"]))
    assert exactly[0].verdict is Verdict.INCONCLUSIVE, "below the level, not at it"


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


def test_a_trend_s_p_values_are_page_s() -> None:
    rows = np.arange(4.0) + np.random.default_rng(4).normal(0, 2, (5, 4))
    for direction, turned in (("rising", rows), ("falling", rows[:, ::-1])):
        one = Check.model_validate({"metric": "x", "of": ["a", "b", "c", "d"], "is": direction})
        measured = of_trend(one, rows)
        assert measured.for_it == trend_p(turned)
        assert measured.against_it == trend_p(turned[:, ::-1])
        assert measured.values.tolist() == rank_slope(rows).tolist()
        assert measured.interval.mean == pytest.approx(rank_slope(rows).mean())


def test_a_simulated_ledger_is_what_it_says() -> None:
    certain = simulate(50.0, real=5, nothing=0, ledgers=3, seeds=10)
    assert (certain.effect, certain.seeds) == (50.0, 10)
    assert (certain.found, certain.false) == (1.0, 0.0)
    # At three seeds no p is below the level, whatever is true.
    assert simulate(50.0, real=5, nothing=5, ledgers=2, seeds=3).found == 0.0


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
    gain = rising(gain=True, of=[*ALONG[1:], ALONG[1]])
    assert measure(gain, three).values == pytest.approx(expected)
    for margin, falls in ((0.0, False), (1.2, False), (0.0, True)):
        one = rising(margin=margin, **{"is": "falling" if falls else "rising"})
        measured = measure(one, three)
        towards = (-expected if falls else expected) - margin
        assert measured.for_it == pytest.approx(sign_flip_p(towards))
        assert measured.against_it == pytest.approx(sign_flip_p(-towards))
        (entry,) = judged({"c": claim(one)}, {"c": [measured]}, LEVEL)
        assert entry.verdict == ("contradicted" if falls else "supported")


def test_often_is_judged_by_the_sign_test(three: Results) -> None:
    behind = check(of="dropout 0.5", **{"is": "lower"}, often=True)
    measured = measure(behind, three)
    # Above at seeds 0 and 1, a tie at 2, below at the nine others.
    assert measured.values.tolist() == [0.0, 0.0, 0.5] + [1.0] * 9
    assert measured.for_it == sign_test_p([1.0] * 9 + [-1.0] * 2)
    assert measured.against_it == sign_test_p([1.0] * 2 + [-1.0] * 9)
    assert measured.interval.mean == 9.5 / 12
    ahead = measure(check(of="dropout 0.5", often=True), three)
    assert ahead.values == pytest.approx(1 - measured.values)
    assert (ahead.for_it, ahead.against_it) == (measured.against_it, measured.for_it)
    for is_, verdict in (("lower", "supported"), ("higher", "contradicted")):
        always = check(of="dropout 0.5", metric="test/accuracy", often=True, **{"is": is_})
        parts = [of_difference(always, np.full(12, -0.01))]
        (entry,) = judged({"c": claim(always)}, {"c": parts}, LEVEL)
        assert entry.verdict == verdict
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
    standard, dropout = (np.linspace(0, step, 12, dtype=np.float64) for step in (0.11, 0.66))
    assert measured.for_it == pytest.approx(steadier_p(standard, dropout))
    assert measured.against_it == pytest.approx(steadier_p(dropout, standard))
    random = np.random.default_rng(5)
    narrow, wide = random.normal(0, 1, 30), random.normal(5, 4, 30)
    for pair, verdict in (
        ((narrow, wide), "supported"),
        ((wide, narrow), "contradicted"),
        ((narrow, narrow[::-1]), "inconclusive"),
    ):
        (entry,) = judged({"c": claim(steadier)}, {"c": [of_spreads(steadier, *pair)]}, LEVEL)
        assert entry.verdict == verdict


def test_what_does_not_vary_has_no_ratio_of_spreads(three: Results) -> None:
    steadier = check(of="standard", than="dropout 0.5", **{"is": "steadier"})
    with pytest.raises(BenchError, match=r"claims\.c\.checks\[0\]: .* of standard is the same"):
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
    assert (entry.verdict, sound.verdict) == ("inconclusive", "supported")
    assert entry.reason == "cut short by the limit of epochs: dropout 0.5 at 3 of 12 draws"
    assert sound.reason == ""
    (whole,) = ledger({"c": clear}, LEVEL, {"e": three})
    assert (whole.verdict, whole.reason) == ("supported", "")
    assert whole.p == entry.p


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


def test_what_must_hold_is_judged_by_its_interval_alone(results: Results) -> None:
    """At three seeds no p is below the level."""
    identity = check(metric="test/loss", **{"is": "equal"}, margin=0.1, than="dropout 0.5")
    held = {
        "holds": claim(identity.model_copy(update={"of": "dropout 0.5"})),
        "broken": claim(identity.model_copy(update={"of": "standard"})),
    }
    holds, broken = what_must_hold(held, {"e": results})
    assert (holds.verdict, broken.verdict) == ("supported", "contradicted")
    assert ledger(held, LEVEL, {"e": results})[0].verdict == "inconclusive"
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
    assert [entry.seeds for entry in entries] == [3, 3]
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


def test_the_check_that_decides_is_the_one_that_contradicts() -> None:
    """Not the one with the largest p for the claim, which may decide nothing."""
    values = np.linspace(-0.2, 0.2, 10)
    hopeless, unclear, true = (of_difference(check(), values + m) for m in (-1.0, -0.11, 1.0))
    # Larger p for it than the one that fails, which is below 0 at every seed but one.
    narrow = of_difference(check(), np.array([-1.0] * 9 + [0.1]))
    for parts, verdict, decides in (
        ((unclear, hopeless, true), "contradicted", hopeless),
        ((true, narrow, hopeless), "contradicted", hopeless),
        ((hopeless, narrow), "contradicted", hopeless),
        ((true, unclear), "inconclusive", unclear),
        ((true, of_difference(check(), values + 0.3)), "supported", true),
    ):
        (entry,) = judged({"c": claim(*[check()] * len(parts))}, {"c": parts}, LEVEL)
        assert entry.verdict == verdict
        assert entry.deciding is decides


def test_holm_s_verdicts_are_counted() -> None:
    """2 / 2¹⁰ is below 0.05 / 25, so of so few claims Holm leaves those that are clear."""
    clear, unclear = np.linspace(0.8, 1.2, 10), np.linspace(-1, 1.6, 10)
    for claims, left in ((25, 1), (26, 0)):
        measured = {f"c{n}": [of_difference(check(), unclear)] for n in range(claims - 1)}
        measured["clear"] = [of_difference(check(), clear)]
        entries = judged(dict.fromkeys(measured, claim(check())), measured, LEVEL)
        assert decided_by_holm(entries, LEVEL) == left
