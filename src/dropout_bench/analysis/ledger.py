"""The ledger: every claim with its verdict.

The rule, for each check of a claim, with x̄ the mean over seeds of the paired difference, less the
margin, in the claim's direction:

- *supported*: the whole 95 % interval is on the claim's side of 0, and the corrected p of that side
  is below the level;
- *contradicted*: the same on the other side;
- *inconclusive* otherwise.

A claim with several checks is supported when all of them are, contradicted when one of them is
(an intersection-union test: its p is the largest of theirs). Each claim has one p in the ledger,
two-sided, and these are corrected together by Benjamini and Hochberg's false discovery rate.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from dropout_bench.analysis import statistics
from dropout_bench.analysis.claims import LEAST_SEEDS, Check, Claim
from dropout_bench.analysis.statistics import Interval
from dropout_bench.errors import BenchError
from dropout_bench.params.arms import Cell
from dropout_bench.quantities.quantity import Values
from dropout_bench.tables.read import Results


class Verdict(StrEnum):
    """What the measurements say of a claim."""

    SUPPORTED = "supported"
    CONTRADICTED = "contradicted"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class Measured:
    """A check with what was measured.

    Attributes:
        check: the check.
        values: at each seed, the quantity minus what it is compared with; for a trend Kendall's τ
            along the cells.
        interval: mean of the values with its 95 % interval.
        for_it: p of the test that could support it.
        against_it: p of the test that could contradict it.
    """

    check: Check
    values: Values
    interval: Interval
    for_it: float
    against_it: float

    @property
    def seen(self) -> list[Interval]:
        """The interval as seen from each of the claim's bounds: above 0 is the claim's side."""
        return [
            Interval(mean, *sorted(ends))
            for mean, *ends in _seen(self.check, np.array(self.interval)).tolist()
        ]

    @property
    def holds(self) -> bool:
        """Whether the whole interval is on the claim's side."""
        return all(side.low > 0 for side in self.seen)

    @property
    def fails(self) -> bool:
        """Whether the whole interval is on the other side."""
        return any(side.high < 0 for side in self.seen)

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
    def seeds_needed(self) -> float:
        """How many seeds the observed spread and distance from the bound would need."""
        return statistics.seeds_needed(self.values, abs(self.nearest.mean))


@dataclass(frozen=True)
class LedgerEntry:
    """A line of the ledger: a claim, its two-sided p, and that corrected over the ledger."""

    name: str
    claim: Claim
    measured: tuple[Measured, ...]
    p: float
    corrected: float
    verdict: Verdict

    @property
    def deciding(self) -> Measured:
        """The check that decides: of those that contradict the smallest p, else the largest."""
        if self.verdict is Verdict.CONTRADICTED:
            against = [measured for measured in self.measured if measured.fails]
            return min(against, key=lambda measured: measured.against_it)
        return max(self.measured, key=lambda measured: measured.for_it)

    @property
    def seeds(self) -> int:
        """Number of seeds behind it."""
        return len(self.measured[0].values)

    @property
    def seeds_needed(self) -> float:
        """How many seeds would decide it: what the check that needs most of them needs."""
        return max(measured.seeds_needed for measured in self.measured)


def measure(check: Check, results: Results) -> Measured:
    """Measure a check on the tables of its experiment.

    Raises:
        BenchError: the tables do not have such values, or one is not finite.
    """
    cells = {cell.label: cell for cell in results.experiment.cells()}
    if isinstance(check.of, tuple):
        columns = [_values(check, cells[label], results, check.at) for label in check.of]
        return of_trend(check, np.column_stack(columns))
    values = _values(check, cells[check.of], results, check.at)
    if isinstance(check.than, float):
        values = values - check.than
    elif check.than is not None or check.than_at is not None:
        other = cells[check.than or check.of]
        at = check.at if check.than_at is None else check.than_at
        values = values - _values(check, other, results, at)
    return of_difference(check, values)


def _values(check: Check, cell: Cell, results: Results, at: float | None) -> Values:
    values = results.figures(cell, check.metric, at, check.epoch)
    if check.gain and (base := results.experiment.without_dropout(cell)) is not None:
        values = values - results.figures(base, check.metric, at, check.epoch)
    if len(values) < LEAST_SEEDS:
        raise BenchError(f"{results.name} has {len(values)} seed; a verdict needs {LEAST_SEEDS}")
    if not np.isfinite(values).all():
        raise BenchError(f"{check.metric} of {cell.label} is not a finite number at every seed")
    return values


def _seen(check: Check, values: Values) -> Values:
    """Return values as seen from each bound of a check, a row a bound."""
    match check.direction:
        case "higher" | "rising":
            return np.stack([values - check.margin])
        case "lower" | "falling":
            return np.stack([-values - check.margin])
        case "equal":
            return np.stack([check.margin - values, check.margin + values])


def of_difference(check: Check, values: Values) -> Measured:
    """Test paired differences, one a seed, against the check's direction and margin."""
    return of_differences(check, [values])[0]


def of_differences(check: Check, samples: Sequence[Values]) -> list[Measured]:
    """Test many samples of equal size at once, each as :func:`of_difference` does."""
    intervals = statistics.bootstrap_intervals(samples)
    measured = []
    for values, interval in zip(samples, intervals, strict=True):
        # For "equal", two one-sided tests (Schuirmann 1987): both bounds must be rejected.
        sides = _seen(check, values)
        for_it = max(statistics.sign_flip_p(side) for side in sides)
        against_it = len(sides) * min(statistics.sign_flip_p(-side) for side in sides)
        measured.append(Measured(check, values, interval, for_it, min(1.0, against_it)))
    return measured


def of_trend(check: Check, table: Values) -> Measured:
    """Test that figures, a row a seed, rise or fall along the columns."""
    slopes = statistics.rank_slope(table)
    interval = statistics.bootstrap_interval(slopes)
    towards = table if check.direction == "rising" else table[:, ::-1]
    for_it, against_it = statistics.trend_p(towards), statistics.trend_p(towards[:, ::-1])
    return Measured(check, slopes, interval, for_it, against_it)


def ledger(
    claims: Mapping[str, Claim], level: float, results: Mapping[str, Results]
) -> list[LedgerEntry]:
    """Give every claim its verdict, from the tables by experiment.

    Raises:
        BenchError: a claim asks for what its experiment does not have at every seed.
    """
    measured: dict[str, list[Measured]] = {}
    for name, claim in claims.items():
        measured[name] = []
        for number, check in enumerate(claim.checks):
            try:
                measured[name].append(measure(check, results[claim.experiment]))
            except BenchError as error:
                raise BenchError(f"claims.yaml: claims.{name}.checks[{number}]: {error}") from error
    return judged(claims, measured, level)


def judged(
    claims: Mapping[str, Claim],
    measured: Mapping[str, Sequence[Measured]],
    level: float,
    correction: Callable[[Sequence[float]], list[float]] = statistics.false_discovery_adjusted,
) -> list[LedgerEntry]:
    """Correct over all claims, and apply the rule."""
    if not claims:
        return []
    p_values = []
    for name in claims:
        support = max(check.for_it for check in measured[name])
        contradict = len(measured[name]) * min(check.against_it for check in measured[name])
        p_values.append(min(1.0, 2 * min(support, contradict)))
    entries = []
    for (name, claim), p, corrected in zip(
        claims.items(), p_values, correction(p_values), strict=True
    ):
        checks = tuple(measured[name])
        verdict = Verdict.INCONCLUSIVE
        if corrected < level and all(check.holds for check in checks):
            verdict = Verdict.SUPPORTED
        elif corrected < level and any(check.fails for check in checks):
            verdict = Verdict.CONTRADICTED
        entries.append(LedgerEntry(name, claim, checks, p, corrected, verdict))
    return entries


def decided_by_holm(entries: Sequence[LedgerEntry], level: float) -> int:
    """Count the claims that would have a verdict too if the chance of any false one were held."""
    adjusted = statistics.holm_adjusted([entry.p for entry in entries])
    return sum(
        p < level and entry.verdict is not Verdict.INCONCLUSIVE
        for p, entry in zip(adjusted, entries, strict=True)
    )
