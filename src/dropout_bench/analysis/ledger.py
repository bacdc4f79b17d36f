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

A claim that rests on trainings that were cut short by their limit has no verdict: it is
inconclusive, and its line says why.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from dropout_bench.analysis import statistics
from dropout_bench.analysis.axes import AXES
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
        values: at each seed, the quantity minus what it is compared with; for a trend Kendall's τ,
            or the slope, along the cells; for ``often`` whether the claim holds there, 1 or 0, or ½
            for a tie; for ``steadier`` parts of the log ratio of both spreads.
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
        return [Interval(mean, *sorted(ends)) for mean, *ends in self._seen.tolist()]

    @property
    def _seen(self) -> Values:
        bounds = np.array(self.interval)
        return np.stack([bounds - 0.5]) if self.check.often else _seen(self.check, bounds)

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
    """A line of the ledger: a claim, its two-sided p, and that corrected over the ledger.

    Attributes:
        reason: why it can have no verdict, whatever was measured; "" if it can.
    """

    name: str
    claim: Claim
    measured: tuple[Measured, ...]
    p: float
    corrected: float
    verdict: Verdict
    reason: str = ""

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
        along = [cells[label] for label in check.of]
        table = np.column_stack([_values(check, cell, results, check.at) for cell in along])
        if check.over is None:
            return of_trend(check, table)
        return of_difference(check, statistics.slopes(table, AXES[check.over].places(along)))
    values = _values(check, cells[check.of], results, check.at)
    if check.along and (base := results.experiment.without_dropout(cells[check.of])):
        other = results.figures(base, check.along)
        return of_difference(check, statistics.slope_values(other, values))
    if isinstance(check.than, float):
        return of_difference(check, values - check.than)
    if check.than is None and check.than_at is None:
        return of_difference(check, values)
    at = check.at if check.than_at is None else check.than_at
    others = _values(check, cells[check.than or check.of], results, at)
    if check.direction == "steadier":
        return of_spreads(check, values, others)
    return of_difference(check, values - others)


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
    if check.direction == "steadier" and np.ptp(values) == 0:
        raise BenchError(f"{check.metric} of {cell.label} is the same at every seed")
    return values


def _seen(check: Check, values: Values) -> Values:
    """Return values as seen from each bound of a check, a row a bound."""
    match check.direction:
        case "higher" | "rising":
            return np.stack([values - check.margin])
        case "lower" | "falling" | "steadier":
            return np.stack([-values - check.margin])
        case "equal":
            return np.stack([check.margin - values, check.margin + values])


def of_difference(check: Check, values: Values) -> Measured:
    """Test paired differences, one a seed, against the check's direction and margin."""
    sides = _seen(check, values)
    if check.often:
        return _of_signs(check, sides.min(axis=0))
    # For "equal", two one-sided tests (Schuirmann 1987): both bounds must be rejected.
    for_it = max(statistics.sign_flip_p(side) for side in sides)
    against_it = len(sides) * min(statistics.sign_flip_p(-side) for side in sides)
    interval = statistics.mean_interval(values)
    return Measured(check, values, interval, for_it, min(1.0, against_it))


TIE = 1e-12
"""Differences that are no larger are rounding."""


def _of_signs(check: Check, values: Values) -> Measured:
    """Test whether values, which are above 0 where a claim holds, mostly are; a tie is a half."""
    values = np.where(np.abs(values) <= TIE, 0.0, values)
    scores = (np.sign(values) + 1) / 2
    for_it, against_it = statistics.sign_test_p(values), statistics.sign_test_p(-values)
    return Measured(check, scores, statistics.share_interval(scores), for_it, against_it)


def of_spreads(check: Check, values: Values, others: Values) -> Measured:
    """Test whether values vary less over the seeds than others, which share their draws."""
    parts = statistics.log_spread_ratio(values, others)
    for_it, against_it = (
        statistics.steadier_p(*pair) for pair in ((values, others), (others, values))
    )
    return Measured(check, parts, statistics.mean_interval(parts), for_it, against_it)


def of_trend(check: Check, table: Values) -> Measured:
    """Test that figures, a row a seed, rise or fall along the columns."""
    taus = statistics.rank_slope(table)
    towards = table if check.direction == "rising" else table[:, ::-1]
    for_it, against_it = statistics.trend_p(towards), statistics.trend_p(towards[:, ::-1])
    return Measured(check, taus, statistics.mean_interval(taus), for_it, against_it)


def unfinished(claim: Claim, results: Results) -> str:
    """Say which arms that a claim rests on were cut short by their limit, "" if none was.

    These are all cells that its checks name and, for a gain, these without dropout. A check of a
    point of the curve rests on that epoch alone, whatever came after.
    """
    cells = {cell.label: cell for cell in results.experiment.cells()}
    arms: dict[Cell, None] = {}
    for check in claim.checks:
        if check.epoch is None:
            named = [cells[label] for label in check.cells]
            bases = [results.experiment.without_dropout(cell) for cell in named if check.gain]
            arms |= dict.fromkeys([*named, *filter(None, bases)])
    draws = len(results.experiment.seeds)
    told = [
        f"{cell.label} at {len(short)} of {draws} draws"
        for cell in arms
        if (short := results.unfinished(cell))
    ]
    return f"cut short by the limit of epochs: {', '.join(told)}" if told else ""


def _measured(
    section: str, claims: Mapping[str, Claim], results: Mapping[str, Results]
) -> dict[str, list[Measured]]:
    """Measure all checks of all claims; an error names the section, the claim and the check."""
    measured: dict[str, list[Measured]] = {}
    for name, claim in claims.items():
        measured[name] = []
        for number, check in enumerate(claim.checks):
            try:
                measured[name].append(measure(check, results[claim.experiment]))
            except BenchError as error:
                place = f"claims.yaml: {section}.{name}.checks[{number}]"
                raise BenchError(f"{place}: {error}") from error
    return measured


def ledger(
    claims: Mapping[str, Claim], level: float, results: Mapping[str, Results]
) -> list[LedgerEntry]:
    """Give every claim its verdict, from the tables by experiment.

    Raises:
        BenchError: a claim asks for what its experiment does not have at every seed.
    """
    reasons = {name: unfinished(each, results[each.experiment]) for name, each in claims.items()}
    return judged(claims, _measured("claims", claims, results), level, reasons=reasons)


def what_must_hold(
    claims: Mapping[str, Claim], results: Mapping[str, Results]
) -> list[LedgerEntry]:
    """Judge what is true by mathematics, by the intervals alone.

    These are tests of the code. They are no part of the ledger: near-certain claims in it would
    loosen the correction for all others.

    Raises:
        BenchError: one asks for what its experiment does not have at every seed.
    """
    measured = _measured("must_hold", claims, results)
    p_values = {name: _two_sided(measured[name]) for name in claims}
    return [
        LedgerEntry(
            name, claim, tuple(measured[name]), p_values[name], p_values[name],
            _verdict(measured[name]),
        )
        for name, claim in claims.items()
    ]  # fmt: skip


def _two_sided(checks: Sequence[Measured]) -> float:
    """Return the p of a claim: all of its checks must hold, and any of them may contradict it."""
    support = max(check.for_it for check in checks)
    contradict = len(checks) * min(check.against_it for check in checks)
    return min(1.0, 2 * min(support, contradict))


def _verdict(checks: Sequence[Measured]) -> Verdict:
    """Return what the intervals say."""
    if all(check.holds for check in checks):
        return Verdict.SUPPORTED
    if any(check.fails for check in checks):
        return Verdict.CONTRADICTED
    return Verdict.INCONCLUSIVE


def judged(
    claims: Mapping[str, Claim],
    measured: Mapping[str, Sequence[Measured]],
    level: float,
    correction: Callable[[Sequence[float]], list[float]] = statistics.false_discovery_adjusted,
    reasons: Mapping[str, str] | None = None,
) -> list[LedgerEntry]:
    """Correct over all claims, and apply the rule; those with a reason have no verdict."""
    if not claims:
        return []
    p_values = [_two_sided(measured[name]) for name in claims]
    entries = []
    for (name, claim), p, corrected in zip(
        claims.items(), p_values, correction(p_values), strict=True
    ):
        checks, reason = tuple(measured[name]), (reasons or {}).get(name, "")
        decided = corrected < level and not reason
        verdict = _verdict(checks) if decided else Verdict.INCONCLUSIVE
        entries.append(LedgerEntry(name, claim, checks, p, corrected, verdict, reason))
    return entries


def decided_by_holm(entries: Sequence[LedgerEntry], level: float) -> int:
    """Count the claims that would have a verdict too if the chance of any false one were held."""
    adjusted = statistics.holm_adjusted([entry.p for entry in entries])
    return sum(
        p < level and entry.verdict is not Verdict.INCONCLUSIVE
        for p, entry in zip(adjusted, entries, strict=True)
    )
