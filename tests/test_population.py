"""Laws of what is said of an arm over drawn settings."""

import math

import numpy as np
import pandas as pd
import pytest
from conftest import experiment
from scipy import stats

from dropout_bench.analysis import population as module
from dropout_bench.analysis.population import (
    Factor,
    depends,
    from_settings,
    gains_of,
    goes_with,
    population,
)
from dropout_bench.analysis.statistics import mean_interval, prediction_interval
from dropout_bench.params.experiment import Experiment
from dropout_bench.tables.read import Results


def drawn(draws: int, seed: int = 0) -> pd.DataFrame:
    """Settings as an experiment draws them: each level about as often, all independent."""
    random = np.random.default_rng(seed)

    def stratified(levels: list[str]) -> list[str]:
        return random.permutation(np.resize(levels, draws)).tolist()  # type: ignore[no-any-return]

    def between(low: float, high: float) -> np.ndarray:
        places = (random.permutation(draws) + random.random(draws)) / draws
        return np.asarray(low * (high / low) ** places)

    return pd.DataFrame({
        "dataset": stratified(["mnist", "fashion-mnist"]),
        "train_size": between(250, 8000).round(),
        "normalise": stratified(["zero to one", "centred", "standardised"]),
        "hidden": stratified(["64", "256-128", "512-256-128", "128-128"]),
        "batch_size": between(16, 256).round(),
        "learning_rate": between(3e-4, 3e-3),
    })  # fmt: skip


def test_known_gains_are_described_exactly() -> None:
    gains = [0.01, 0.02, -0.01, 0.0, 0.03]
    found = population(gains)
    assert found.draws == 5
    assert found.gain == mean_interval(gains)
    assert found.one_more == prediction_interval(gains)
    assert found.better.mean == 3.5 / 5, "a tie is a half"
    assert found.sd == pytest.approx(np.std(gains, ddof=1))
    assert population([1.0] * 7).better == pytest.approx((1, 0.025 ** (1 / 7), 1))
    assert math.isnan(population([0.5]).sd)


def test_with_both_arms_changed_places_every_sign_turns() -> None:
    gains = np.random.default_rng(1).normal(0.3, 1, 12)
    here, there = population(gains), population(-gains)
    for name in ("gain", "one_more"):
        one, other = getattr(here, name), getattr(there, name)
        assert one == pytest.approx((-other.mean, -other.high, -other.low))
    better = there.better
    assert here.better == pytest.approx((1 - better.mean, 1 - better.high, 1 - better.low))
    assert here.sd == there.sd
    settings = drawn(12)
    for one, other in zip(depends(gains, settings), depends(-gains, settings), strict=True):
        assert (one.name, one.p) == (other.name, other.p)
        assert one.share == pytest.approx(other.share)
        if one.slope and other.slope:
            assert one.slope.mean == pytest.approx(-other.slope.mean)


def test_a_gain_is_towards_the_better_side() -> None:
    asked = experiment(seeds=[0, 1, 2])
    standard, dropout = asked.cells()
    random = np.random.default_rng(2)
    rows = [
        {**cell.row(), "seed": seed, "test/accuracy": random.random(), "test/loss": random.random()}
        for cell in asked.cells()
        for seed in asked.seeds
    ]
    others = ("candidates", "curves", "measures", "confusion", "pictures")
    nothing = dict.fromkeys(others, pd.DataFrame())
    results = Results("small", asked, runs=pd.DataFrame(rows), versions={}, **nothing)
    accuracy = gains_of(results, dropout, standard)
    assert accuracy == pytest.approx(
        results.figures(dropout, "test/accuracy") - results.figures(standard, "test/accuracy")
    )
    loss = results.figures(standard, "test/loss") - results.figures(dropout, "test/loss")
    assert gains_of(results, dropout, standard, "test/loss") == pytest.approx(loss)
    assert gains_of(results, standard, dropout) == pytest.approx(-accuracy)


def planted(draws: int, seed: int) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Settings, and gains that depend on one of them, by its name."""
    settings = drawn(draws, seed)
    noise = np.random.default_rng(1000 + seed).normal(0, 0.3, draws)
    return settings, {
        "train_size": 0.5 * np.log2(settings["train_size"].to_numpy()) + noise,
        "dataset": np.where(settings["dataset"] == "mnist", 1.0, -1.0) + noise,
    }


@pytest.mark.parametrize("draws", [12, 48])
def test_a_planted_factor_is_found_and_another_no_more_often_than_at_the_level(
    draws: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PERMUTATIONS", 999)
    missed, wrong = 0, 0
    for seed in range(40):
        settings, gains = planted(draws, seed)
        for name, values in gains.items():
            found = {factor.name for factor in goes_with(depends(values, settings))}
            missed += name not in found
            wrong += bool(found - {name})
    assert missed == 0
    assert wrong / 80 <= 0.05 + 4 * math.sqrt(0.05 * 0.95 / 80)


@pytest.mark.parametrize("draws", [12, 48])
def test_how_a_gain_goes_with_a_factor_is_measured(draws: int) -> None:
    settings, gains = planted(draws, 2)
    size = depends(gains["train_size"], settings)[0]
    assert (size.name, size.doublings) == ("train_size", True)
    assert size.slope
    assert 0.5 in size.slope
    assert size.share > 0.6
    data = depends(gains["dataset"], settings)[0]
    assert data.name == "dataset"
    assert data.slope is None
    assert 1.0 in data.levels["mnist"]
    assert -1.0 in data.levels["fashion-mnist"]
    of_mnist = (settings["dataset"] == "mnist").to_numpy()
    assert data.levels["mnist"] == mean_interval(gains["dataset"][of_mnist])


def test_what_an_experiment_draws_can_be_asked_about() -> None:
    asked = Experiment.model_validate({
        "draw": {
            "dataset": ["mnist", "fashion-mnist"],
            "train_size": {"low": 250, "high": 8000},
            "normalise": ["unit", "symmetric", "standardised"],
            "hidden": [[64], [256, 128], [512, 256, 128], [128, 128]],
            "batch_size": {"low": 16, "high": 256},
            "learning_rate": {"low": 3e-4, "high": 3e-3},
        },
        "draws": 12,
        "arms": {"none": {}, "dropout": {"variant": "dropout", "dropout": 0.5}},
        "validation_images": 1000,
        "steps": 1000,
    })  # fmt: skip
    tables = ("runs", "candidates", "curves", "measures", "confusion", "pictures")
    results = Results("e", asked, versions={}, **dict.fromkeys(tables, pd.DataFrame()))
    settings = results.settings
    noise = np.random.default_rng(13).normal(0, 0.3, 12)
    factors = depends(np.log2(settings["train_size"].to_numpy()) + noise, settings)
    assert {factor.name for factor in factors} == {*settings, "depth", "width"} - {"hidden"}
    assert (factors[0].name, factors[0].doublings) == ("train_size", True)
    levels = {factor.name: sorted(factor.levels) for factor in factors if factor.levels}
    assert levels == {
        "dataset": ["fashion-mnist", "mnist"],
        "normalise": ["standardised", "symmetric", "unit"],
    }
    doubled = {factor.name for factor in factors if factor.doublings}
    assert doubled == {"train_size", "batch_size", "learning_rate", "width"}


def test_depth_and_width_are_told_apart() -> None:
    settings = drawn(48)
    depth = settings["hidden"].str.count("-") + 1
    noise = np.random.default_rng(5).normal(0, 0.3, 48)
    found = depends(2.0 * depth.to_numpy() + noise, settings)[0]
    assert (found.name, found.doublings) == ("depth", False)
    assert found.slope
    assert 2.0 in found.slope
    asked = {factor.name for factor in depends(noise, settings)}
    assert asked == {*settings.columns, "depth", "width"} - {"hidden"}


def test_of_nothing_a_factor_is_found_no_more_often_than_at_the_level(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "PERMUTATIONS", 399)
    found, shares = [], []
    for seed in range(300):
        gains = np.random.default_rng(seed).standard_t(3, 12)
        factors = depends(gains, drawn(12, seed))
        found.append(bool(goes_with(factors)))
        shares += [factor.share for factor in factors]
    assert np.mean(found) <= 0.05 + 4 * math.sqrt(0.05 * 0.95 / 300)
    assert np.mean(found) > 0.005
    assert np.mean(shares) < 0.08


def test_p_and_slope_are_those_of_the_library() -> None:
    random = np.random.default_rng(6)
    places = random.normal(size=9)
    gains = places + random.normal(size=9)
    (factor,) = depends(gains, pd.DataFrame({"place": places}))
    theirs = stats.permutation_test(
        (places,), lambda x: abs(stats.pearsonr(x, gains).statistic), n_resamples=4999,
        permutation_type="pairings", alternative="greater", rng=np.random.default_rng(1),
    )  # fmt: skip
    assert factor.p == pytest.approx(theirs.pvalue, abs=0.02)
    line = stats.linregress(places, gains)
    assert factor.slope
    assert factor.slope.mean == pytest.approx(line.slope)
    assert (factor.slope.low > 0) == (line.pvalue < 0.05)
    assert not factor.doublings, "there are places below 0"


def test_the_share_is_the_adjusted_one_and_p_is_holm_s() -> None:
    random = np.random.default_rng(7)
    gains, level = random.normal(size=12), ["a", "b", "c"] * 4
    numbers = {f"x{n}": random.normal(size=12) for n in range(3)}
    factors = depends(gains, pd.DataFrame(numbers | {"level": level}))
    assert [factor.p for factor in factors] == sorted(factor.p for factor in factors)
    assert factors[0].adjusted == pytest.approx(min(1.0, 4 * factors[0].p))
    groups = [gains[np.array(level) == name] for name in "abc"]
    within = sum(((group - group.mean()) ** 2).sum() for group in groups)
    adjusted = 1 - within / ((gains - gains.mean()) ** 2).sum() * 11 / 9
    (factor,) = (factor for factor in factors if factor.name == "level")
    assert factor.share == pytest.approx(max(0.0, adjusted))


def test_nothing_depends_on_units_or_on_the_order_of_draws() -> None:
    settings = drawn(24)
    gains = np.random.default_rng(8).normal(size=24) + np.log2(settings["batch_size"].to_numpy())
    turned = np.random.default_rng(9).permutation(24)

    def told(factors: list[Factor]) -> dict[str, tuple[float, float]]:
        return {factor.name: (factor.p, round(factor.share, 9)) for factor in factors}

    plain = told(depends(gains, settings))
    assert told(depends(100 * gains + 3, settings)) == plain
    other = told(depends(gains[turned], settings.iloc[turned].reset_index(drop=True)))
    for name, (p, share) in plain.items():
        assert other[name] == pytest.approx((p, share), abs=0.02)


def test_covariates_are_asked_about_too_and_what_cannot_tell_is_not() -> None:
    settings = drawn(12).assign(same="x", each=[f"level {n}" for n in range(12)], fixed=3.0)
    settings.index = pd.Index(range(100, 112))
    gains = np.random.default_rng(10).random(12)
    factors = depends(gains, settings, {"gap without dropout": gains})
    assert factors[0].name == "gap without dropout"
    assert factors[0].p == 1 / (module.PERMUTATIONS + 1)
    assert not {"same", "each", "fixed"} & {factor.name for factor in factors}
    assert depends(gains, pd.DataFrame(index=range(12))) == []
    assert all(factor.p == 1 for factor in depends(np.ones(12), settings))


def test_a_value_that_is_not_finite_is_refused() -> None:
    settings = drawn(3)
    for values in ([1.0, math.nan, 2.0], [1.0, 2.0]):
        with pytest.raises(ValueError, match="not finite"):
            depends(values, settings)
    with pytest.raises(ValueError, match="not finite"):
        depends([1.0, 2.0, 3.0], settings.assign(batch_size=[1.0, math.inf, 2.0]))
    with pytest.raises(ValueError, match="not finite"):
        depends([1.0, 2.0, 3.0], settings.assign(dataset=["mnist", np.nan, "mnist"]))


def test_the_share_of_settings_is_that_of_their_variance() -> None:
    random = np.random.default_rng(11)
    covered = []
    for _ in range(400):
        gains = random.normal(0, 2, 24) + random.normal(0, 1, 24)
        repeats = [random.normal(mean, 1, 10) for mean in (0.0, 5.0)]
        covered.append(0.8 in from_settings(gains, repeats))
    assert np.mean(covered) == pytest.approx(0.95, abs=4 * math.sqrt(0.05 * 0.95 / 400))
    exact = from_settings([-2.0, 2.0], [[-1.0, 1.0], [9.0, 11.0]])
    assert exact.mean == pytest.approx(1 - 2 / 8)
    assert from_settings([-1.0, 1.0], [[-2.0, 2.0]]).mean == 0.0
    for draws, again in (([1.0, 1.0], [0.0, 1.0]), ([1.0, 2.0], [0.0]), ([1.0], [0.0, 1.0])):
        with pytest.raises(ValueError, match="must vary"):
            from_settings(draws, [again])
