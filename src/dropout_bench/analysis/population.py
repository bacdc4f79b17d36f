"""One arm against another over drawn settings: how large, how often, and what it depends on."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from dropout_bench.analysis.statistics import (
    LEVEL,
    Interval,
    Sample,
    holm_adjusted,
    mean_interval,
    prediction_interval,
    share_interval,
)
from dropout_bench.params.arms import Cell
from dropout_bench.quantities.quantity import Values
from dropout_bench.quantities.registry import quantity
from dropout_bench.tables.read import Results

PERMUTATIONS = 9999
"""Sampled orders of the draws, for each factor."""

SPAN = 2.0
"""A numeric factor that is positive and spans more than this factor is seen in doublings."""

COUNTED = frozenset({"depth"})
"""Numeric factors that are counted one by one, however far they span."""

DRAWS_PER_LEVEL = 2
"""Draws that a level of a categorical factor must have, on average, to be asked about."""


@dataclass(frozen=True)
class Population:
    """One arm against another, over the draws of an experiment.

    Attributes:
        draws: their number.
        gain: mean gain over the settings that could be drawn, with its interval (Student's).
        better: P(A > B), the share of settings at which it is better, a tie counting half, with
            Clopper and Pearson's interval.
        one_more: where the gain at one more setting would lie: x̄ ± t s √(1 + 1/n).
        sd: standard deviation of the gain from draw to draw: of settings and of seeds, together.
    """

    draws: int
    gain: Interval
    better: Interval
    one_more: Interval
    sd: float


def population(gains: Sample) -> Population:
    """Describe gains, one a draw, above 0 where it is better; see :func:`gains_of`.

    P(A > B) has Clopper and Pearson's interval, not Wilson's: it goes with the exact sign test, so
    that what a reader sees beside a verdict of a check with ``often`` never disagrees with it.
    """
    sample = np.asarray(gains, dtype=float)
    return Population(
        len(sample),
        mean_interval(sample),
        share_interval((np.sign(sample) + 1) / 2),
        prediction_interval(sample),
        float(sample.std(ddof=1)) if len(sample) > 1 else math.nan,
    )


def gains_of(
    results: Results, cell: Cell, than: Cell, metric: str = "test/accuracy", at: float | None = None
) -> Values:
    """Return by how much one arm is better than another at each draw, in the metric's unit.

    Where less of the metric is better, as of a loss, this is by how much it is lower.
    """
    difference = results.figures(cell, metric, at) - results.figures(than, metric, at)
    return -difference if quantity(metric).higher_is_better is False else difference


def from_settings(gains: Sample, repeats: Sequence[Sample]) -> Interval:
    """Return which share of the variance of gains over draws is due to the settings.

    A draw has its own setting and its own seed, so s², the variance of the gains over n draws, is
    σ²(settings) + σ²(seeds). The second is estimated by s₀², pooled over samples of gains at one
    setting each, with other seeds (``repeats``, f degrees of freedom together): the share is
    1 − s₀² / s². Its interval is from the F distribution, for normal gains whose σ²(seeds) is the
    same at every setting: 1 − (s₀² / s²) · F, at the upper and lower quantile of F₍ₙ₋₁, f₎. Below 0
    means less than the seeds alone: a share of 0.

    Source: Searle, Casella and McCulloch 1992, *Variance Components*, section 3.5.

    Raises:
        ValueError: there is no variance, or none that could be estimated.
    """
    samples = [np.asarray(sample, dtype=float) for sample in repeats]
    freedom = sum(len(sample) - 1 for sample in samples)
    spread = float(np.var(gains, ddof=1)) if len(gains) > 1 else 0.0
    if freedom < 1 or not spread > 0:
        raise ValueError("the gains must vary over draws, and some setting needs two seeds")
    within = sum(float(((sample - sample.mean()) ** 2).sum()) for sample in samples) / freedom
    lower, upper = stats.f.interval(LEVEL, len(gains) - 1, freedom)
    ratio = within / spread
    return Interval(*(max(0.0, float(1 - ratio * times)) for times in (1.0, upper, lower)))


@dataclass(frozen=True)
class Factor:
    """What was drawn, and how the gain goes with it.

    Attributes:
        name: the column.
        p: of the permutation test that the gain does not depend on it.
        adjusted: the same by Holm, over all factors that were asked about.
        share: of the variance of the gain that goes with it: R², adjusted for the degrees of
            freedom it takes (1 − (1 − R²)(n − 1)/(n − 1 − k), Ezekiel 1930) and not below 0, so
            that of a factor without any influence it is about 0 at any number of draws.
        slope: of a numeric factor, what the gain changes per unit or doubling, with its interval.
        doublings: whether the slope is per doubling, not per unit.
        levels: of a categorical factor, the mean gain at each of its levels, with its interval,
            which has no bounds where there is one draw.
    """

    name: str
    p: float
    adjusted: float
    share: float
    slope: Interval | None = None
    doublings: bool = False
    levels: Mapping[str, Interval] = field(default_factory=dict)


def depends(
    values: Sample,
    settings: pd.DataFrame,
    extra: Mapping[str, Sample] | None = None,
    seed: int = 0,
) -> list[Factor]:
    """Ask of each factor whether the gain goes with it; the smallest p first.

    One factor at a time, and Holm's correction over them. A regression on all of them would need
    more draws than there are: six factors with ten columns leave a dozen draws one degree of
    freedom; and p values after a forward selection are none. One at a time loses little here,
    because factors are drawn independently of each other: what the others do is then noise around a
    factor's own slope, and does not shift it. (With many draws a regression on all would take that
    noise away, and find more; with ``extra`` covariates, which are measured and not drawn, a factor
    and a covariate may say the same thing twice.)

    The test is of R², of the values on the factor's columns, over random orders of the values
    (Fisher 1935, Pitman 1937): exact whatever their distribution if they do not depend on the
    factor at all, which the F test is for normal ones alone. (Of 12 stratified draws any order of a
    factor's values was as likely; 24 or 48 have them balanced in their first 12 too, which leaves
    fewer orders, and the test nearly exact.) It may also find a factor that changes the spread of
    the values and not their mean. Slopes and means have Student's intervals.

    A numeric factor that is positive and spans more than a factor of 2 is seen in doublings, but
    for the depth, whose slope is per hidden layer. Not asked about is what does not vary, and a
    categorical factor with fewer than two draws a level.

    Args:
        values: the gain at each draw.
        settings: what was drawn, a row a draw in the same order; text is categorical. Widths of
            hidden layers, such as 256-128, are seen as ``depth`` and ``width`` (of the first),
            which may say the same thing twice, if the deep ones are also the wide ones.
        extra: measured covariates by name, such as the gap without dropout, a value a draw.
        seed: of the sampled orders.

    Raises:
        ValueError: a value is not finite, or there is not a row for each.
    """
    gains = np.asarray(values, dtype=float)
    covariates = {name: np.asarray(those, dtype=float) for name, those in (extra or {}).items()}
    table = _told_apart(settings).assign(**covariates)
    numbers = table.select_dtypes("number").to_numpy(dtype=float)
    finite = np.isfinite(gains).all() and np.isfinite(numbers).all()
    if len(table) != len(gains) or not finite or table.isna().to_numpy().any():
        raise ValueError("a draw has no setting, or a value that is not finite")
    random = np.random.default_rng(seed)
    orders = random.permuted(np.tile(gains - gains.mean(), (PERMUTATIONS, 1)), axis=1)
    asked = [column for column in table if _askable(table[column])]
    found = [_factor(gains, table[column], orders) for column in asked]
    adjusted = holm_adjusted([factor[0] for factor in found])
    factors = [
        Factor(str(name), p, corrected, share, *effect)
        for name, corrected, (p, share, effect) in zip(asked, adjusted, found, strict=True)
    ]
    return sorted(factors, key=lambda factor: (factor.p, factor.name))


def _told_apart(settings: pd.DataFrame) -> pd.DataFrame:
    """Put ``depth`` and ``width`` in the place of the widths of all hidden layers."""
    if "hidden" not in settings or pd.api.types.is_numeric_dtype(settings["hidden"]):
        return settings
    widths = settings["hidden"].astype(str).str.split("-")
    told = {"depth": widths.map(len).astype(float), "width": widths.str[0].astype(float)}
    return settings.drop(columns="hidden").assign(**told)


def _numeric(column: "pd.Series[float]") -> bool:
    return bool(pd.api.types.is_numeric_dtype(column))


def _askable(column: "pd.Series[float]") -> bool:
    levels = int(column.nunique())
    enough = len(column) > 2 if _numeric(column) else len(column) >= DRAWS_PER_LEVEL * levels
    return levels > 1 and enough


_Effect = tuple[Interval | None, bool, Mapping[str, Interval]]


def _factor(
    gains: NDArray[np.float64], column: "pd.Series[float]", orders: NDArray[np.float64]
) -> tuple[float, float, _Effect]:
    """Return p, share and effect of a factor."""
    effect: _Effect
    if _numeric(column):
        places = column.to_numpy(dtype=np.float64)
        spans = places.min() > 0 and places.max() > SPAN * places.min()
        doublings = bool(spans and column.name not in COUNTED)
        if doublings:
            places = np.log2(places)
        columns = places[:, None]
        effect = _slope(gains, places), doublings, {}
    else:
        names = column.astype(str)
        columns = pd.get_dummies(names).to_numpy(dtype=float)[:, 1:]
        levels = {level: gains[(names == level).to_numpy()] for level in sorted(names.unique())}
        effect = None, False, {level: mean_interval(those) for level, those in levels.items()}
    basis, _ = np.linalg.qr(columns - columns.mean(axis=0))
    total = float(((gains - gains.mean()) ** 2).sum())
    if total == 0:
        return 1.0, 0.0, effect
    explained = float((((gains - gains.mean()) @ basis) ** 2).sum())
    permuted = ((orders @ basis) ** 2).sum(axis=1)
    as_large = int((permuted >= explained - 1e-9 * total).sum())
    n, k = basis.shape
    share = 1 - (1 - explained / total) * (n - 1) / (n - 1 - k)
    return (1 + as_large) / (1 + len(orders)), max(0.0, share), effect


def _slope(gains: NDArray[np.float64], places: NDArray[np.floating]) -> Interval:
    """Return the least-squares slope with Student's interval, of n − 2 degrees of freedom."""
    line = stats.linregress(places, gains)
    half = float(stats.t.ppf((1 + LEVEL) / 2, len(gains) - 2) * line.stderr)
    return Interval(float(line.slope), float(line.slope - half), float(line.slope + half))


def goes_with(factors: Sequence[Factor], level: float = 1 - LEVEL) -> list[Factor]:
    """Return the short list: the factors whose adjusted p is below the level."""
    return [factor for factor in factors if factor.adjusted < level]
