"""A check with what was measured: a value at each draw, their mean with its interval, and p values.

Whatever a check compares, it is brought into one number a draw, and what is asked is whether their
mean lies beyond a bound: by Student's t, for the interval and for p, so that the two cannot
disagree. Only a check with ``often`` counts draws: by the binomial distribution, for both.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dropout_bench.analysis import statistics
from dropout_bench.analysis.axes import AXES
from dropout_bench.analysis.claims import LEAST_SEEDS, Check
from dropout_bench.analysis.rule import Chances
from dropout_bench.analysis.statistics import Interval
from dropout_bench.errors import BenchError
from dropout_bench.params.arms import Cell
from dropout_bench.quantities.quantity import Values
from dropout_bench.tables.read import Results

MOSTLY = 0.25
"""Shares of draws no further from a half are no relevant difference: P(A > B) is meaningful from
0.75 on (Bouthillier et al. 2021, *Accounting for variance in machine learning benchmarks*)."""

AS_WIDE = math.log(1.25)
"""Spreads whose ratio is between 0.8 and 1.25 are no relevant difference: the convention of
bioequivalence."""


@dataclass(frozen=True)
class Measured:
    """A check with what was measured at some draws.

    Attributes:
        check: the check.
        values: at each draw, the quantity minus what it is compared with; for a trend Kendall's τ,
            or the slope, along the cells; for ``often`` whether the claim holds there, 1 or 0, or ½
            for a tie; for ``steadier`` parts of the log ratio of both spreads.
        interval: mean of the values with its 95 % interval.
        for_it: p of the test that could support it.
        against_it: p of the test that could contradict it.
        same: p of the test that there is no relevant difference; 1 where the check has a margin of
            its own, or none is stated.
        smallest: the smallest difference of interest, in the unit of the values; NaN if none is
            stated.
    """

    check: Check
    values: Values
    interval: Interval
    for_it: float
    against_it: float
    same: float = 1.0
    smallest: float = math.nan

    @property
    def seen(self) -> list[Interval]:
        """The interval as seen from each of the claim's bounds: above 0 is the claim's side."""
        seen = self._from_bounds(np.array(self.interval)).tolist()
        return [Interval(mean, *sorted(ends)) for mean, *ends in seen]

    @property
    def sides(self) -> Values:
        """The values as seen from each of the claim's bounds, a row a bound."""
        return self._from_bounds(self.values)

    def _from_bounds(self, values: Values) -> Values:
        return np.stack([values - 0.5]) if self.check.often else _seen(self.check, values)

    @property
    def nearest(self) -> Interval:
        """The interval as seen from the nearest of the claim's bounds."""
        return min(self.seen, key=lambda side: side.mean)

    @property
    def towards_the_claim(self) -> Interval:
        """The same in standard deviations of the values."""
        sd = float(self.values.std(ddof=1)) or 1.0
        return Interval(*(value / sd for value in self.nearest))

    @property
    def small(self) -> bool:
        """Whether the whole interval is nearer to no difference than the smallest of interest."""
        middle = 0.5 if self.check.often else 0.0
        return max(abs(end - middle) for end in self.interval[1:]) < self.smallest

    def draws_needed(self, asked: float) -> float:
        """Return how many draws would tell the mean from the claim's bound: asked · s² / d².

        The distance d is the smallest of interest, or the one that is seen if that is larger.

        Args:
            asked: squared standard errors that must be told; see
                :func:`dropout_bench.analysis.rule.draws_asked`.
        """
        distance = float(np.fmax(self.smallest, abs(self.nearest.mean)))
        return asked * float(self.values.var(ddof=1)) / distance**2 if distance else math.inf


def chances(measured: Sequence[Measured]) -> Chances:
    """Return the chances of a claim: all its checks must hold, any of them may decide against it.

    The first is an intersection-union test: its p is the largest of theirs. The others are
    Bonferroni's: as often the smallest as there are checks. That one check has no relevant
    difference decides too: the claim says that all have one.
    """
    m = len(measured)
    return Chances(
        max(check.for_it for check in measured),
        min(1.0, m * min(check.against_it for check in measured)),
        min(1.0, m * min(check.same for check in measured)),
    )


def measure(
    check: Check,
    results: Results,
    draws: int | None = None,
    smallest: Mapping[str, float] | None = None,
) -> Measured:
    """Measure a check on the tables of its experiment.

    Args:
        check: what is asked.
        results: the tables.
        draws: how many of the draws, the first ones; all of them without a number.
        smallest: by quantity, the smallest difference of interest.

    Raises:
        BenchError: the tables do not have such values, one is not finite, or those that a slope is
            along do not differ.
    """
    cells = {cell.label: cell for cell in results.experiment.cells()}
    least = (smallest or {}).get(check.metric, math.nan)
    if isinstance(check.of, tuple):
        along = [cells[label] for label in check.of]
        table = np.column_stack([_values(check, cell, results, check.at) for cell in along])[:draws]
        if check.over is None:
            return of_difference(check, statistics.rank_slope(table))
        places = AXES[check.over].places(along)
        # From one end of the axis to the other it is then the smallest difference.
        return of_difference(check, statistics.slopes(table, places), least / np.ptp(places))
    values = _values(check, cells[check.of], results, check.at)[:draws]
    if check.along and (base := results.experiment.without_dropout(cells[check.of])):
        other = results.figures(base, check.along)[:draws]
        try:
            return of_difference(check, statistics.slope_values(other, values))
        except ValueError as error:
            raise BenchError(f"{check.metric} along {check.along}: {error}") from error
    if isinstance(check.than, float):
        return of_difference(check, values - check.than)
    if check.than is None and check.than_at is None:
        return of_difference(check, values, least)
    at = check.at if check.than_at is None else check.than_at
    others = _values(check, cells[check.than or check.of], results, at)[:draws]
    if check.direction == "steadier":
        return of_spreads(check, values, others)
    return of_difference(check, values - others, least)


def _values(check: Check, cell: Cell, results: Results, at: float | None) -> Values:
    if len(results.of(cell, "runs")) < LEAST_SEEDS:
        seeds = len(results.of(cell, "runs"))
        raise BenchError(
            f"{cell.label} of {results.name} has {seeds} seed{'s' * (seeds != 1)}; "
            f"a verdict needs {LEAST_SEEDS}"
        )
    values = results.figures(cell, check.metric, at, check.epoch)
    if check.gain and (base := results.experiment.without_dropout(cell)) is not None:
        values = values - results.figures(base, check.metric, at, check.epoch)
    if not np.isfinite(values).all():
        raise BenchError(f"{check.metric} of {cell.label} is not a finite number at every seed")
    return values


TIE = 1e-12
"""What is no further from a bound is at it, but for rounding."""


def _seen(check: Check, values: Values) -> Values:
    """Return values as seen from each bound of a check, a row a bound."""
    match check.direction:
        case "higher" | "rising":
            seen = np.stack([values - check.margin])
        case "lower" | "falling" | "steadier":
            seen = np.stack([-values - check.margin])
        case "equal":
            seen = np.stack([check.margin - values, check.margin + values])
    return np.where(np.abs(seen) <= TIE, 0.0, seen)


def of_difference(check: Check, values: Values, smallest: float = math.nan) -> Measured:
    """Test paired differences, one a draw, against the check's direction and margin.

    A check with a margin says itself what is relevant; one without may find no relevant difference.
    """
    sides = _seen(check, values)
    if check.often:
        return _of_signs(check, sides.min(axis=0))
    # For "equal", two one-sided tests (Schuirmann 1987): both bounds must be rejected.
    for_it = max(statistics.above_p(side) for side in sides)
    against_it = len(sides) * min(statistics.above_p(-side) for side in sides)
    interval = statistics.mean_interval(values)
    if check.margin:
        smallest = abs(check.margin)
        return Measured(check, values, interval, for_it, min(1.0, against_it), 1.0, smallest)
    same = _same_p(values, smallest)
    return Measured(check, values, interval, for_it, min(1.0, against_it), same, smallest)


def _same_p(values: Values, smallest: float) -> float:
    """Return p of two one-sided tests that the mean is nearer to 0 than what is of interest."""
    if math.isnan(smallest):
        return 1.0
    return max(statistics.above_p(smallest - values), statistics.above_p(smallest + values))


def _of_signs(check: Check, values: Values) -> Measured:
    """Test whether values, which are above 0 where a claim holds, mostly are; a tie is a half."""
    scores = (np.sign(values) + 1) / 2
    # Equivalence, as below: nearer to a half than what is meaningful, to both sides.
    same = max(statistics.share_p(side, 0.5 - MOSTLY) for side in (scores, 1 - scores))
    for_it, against_it = statistics.share_p(scores), statistics.share_p(1 - scores)
    interval = statistics.share_interval(scores)
    return Measured(check, scores, interval, for_it, against_it, same, MOSTLY)


def of_spreads(check: Check, values: Values, others: Values) -> Measured:
    """Test whether values vary less over the draws than others, which share them.

    Raises:
        BenchError: one of them does not vary.
    """
    for side in (values, others):
        if np.ptp(side) == 0:
            raise BenchError(f"{check.metric} is the same at every seed")
    return of_difference(check, statistics.log_spread_ratio(values, others), AS_WIDE)
