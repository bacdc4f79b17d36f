"""The ledger: every claim with its verdict.

:mod:`~dropout_bench.analysis.measured` measures the checks of a claim, at each look;
:mod:`~dropout_bench.analysis.rule` makes verdicts of their p values, over all claims together.

A look at trainings of which one was cut short by its limit has no verdict: where that leaves a
claim open, its line says why.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dropout_bench.analysis.claims import Claim
from dropout_bench.analysis.measured import Measured, chances, measure
from dropout_bench.analysis.rule import Chances, Look, Verdict, draws_asked, looks_at, rule
from dropout_bench.errors import BenchError
from dropout_bench.params.arms import Cell
from dropout_bench.tables.read import Results

Looked = Mapping[float, Sequence[Measured]]
"""The checks of a claim at each look, by the share of the level that the look may spend."""


@dataclass(frozen=True)
class LedgerEntry:
    """A line of the ledger: a claim with its verdict.

    Attributes:
        measured: its checks, on the draws that the verdict rests on.
        draws: how many these are.
        p: two-sided, and over the weights of the looks.
        corrected: the same, corrected over the ledger.
        reason: why it can have no verdict, whatever was measured; "" if it can.
        looks: the checks at all looks, the first one first.
        needed: how many draws would decide it, of an open claim: each of its checks at its smallest
            difference of interest, or at the one that is seen if that is larger; else NaN.
    """

    name: str
    claim: Claim
    measured: tuple[Measured, ...]
    p: float
    corrected: float
    verdict: Verdict
    reason: str = ""
    looks: tuple[tuple[Measured, ...], ...] = ()
    needed: float = math.nan

    @property
    def draws(self) -> int:
        """Number of draws behind the verdict."""
        return len(self.measured[0].values)

    @property
    def deciding(self) -> Measured:
        """The check that decides: with the smallest p against it, or for none, else the largest."""
        match self.verdict:
            case Verdict.CONTRADICTED:
                return min(self.measured, key=lambda measured: measured.against_it)
            case Verdict.SAME:
                return min(self.measured, key=lambda measured: measured.same)
        return max(self.measured, key=lambda measured: measured.for_it)


def unfinished(claim: Claim, results: Results, draws: int | None = None) -> str:
    """Say which arms that a claim rests on were cut short by their limit, "" if none was.

    These are all cells that its checks name and, for a gain, these without dropout, at the first
    draws. A check of a point of the curve rests on that epoch alone, whatever came after.
    """
    cells = {cell.label: cell for cell in results.experiment.cells()}
    arms: dict[Cell, None] = {}
    for check in claim.checks:
        if check.epoch is None:
            named = [cells[label] for label in check.cells]
            bases = [results.experiment.without_dropout(cell) for cell in named if check.gain]
            arms |= dict.fromkeys([*named, *filter(None, bases)])
    seeds = results.experiment.seeds[:draws]
    told = [
        f"{cell.label} at {len(short)} of {len(seeds)} draws"
        for cell in arms
        if (short := set(results.unfinished(cell)) & set(seeds))
    ]
    return f"cut short by the limit of epochs: {', '.join(told)}" if told else ""


def looks_of(results: Results) -> dict[int, float]:
    """Return at how many draws there are looks, with their weights.

    At listed seeds, of which no more come, there is one.
    """
    count = len(results.experiment.seeds)
    return looks_at(count) if results.experiment.draws else {count: 1.0}


def ledger(
    claims: Mapping[str, Claim],
    level: float,
    results: Mapping[str, Results],
    smallest: Mapping[str, float] | None = None,
) -> list[LedgerEntry]:
    """Give every claim its verdict, from the tables by experiment.

    Args:
        claims: the ledger, by name.
        level: level of the verdicts, corrected over all claims.
        results: the tables, by experiment.
        smallest: by quantity, the smallest difference of interest.

    Raises:
        BenchError: a claim asks for what its experiment does not have at every seed.
    """
    looked: dict[str, Looked] = {}
    reasons: dict[str, list[str]] = {}
    for name, claim in claims.items():
        of = results[claim.experiment]
        looks = looks_of(of)
        looked[name] = {
            weight: _measured(f"claims.{name}", claim, of, draws, smallest)
            for draws, weight in looks.items()
        }
        reasons[name] = [unfinished(claim, of, draws) for draws in looks]
    return judged(claims, looked, level, reasons)


def _measured(
    place: str,
    claim: Claim,
    results: Results,
    draws: int | None = None,
    smallest: Mapping[str, float] | None = None,
) -> tuple[Measured, ...]:
    """Measure all checks of a claim; an error names the claim and the check."""
    found = []
    for number, check in enumerate(claim.checks):
        try:
            found.append(measure(check, results, draws, smallest))
        except BenchError as error:
            raise BenchError(f"claims.yaml: {place}.checks[{number}]: {error}") from error
    return tuple(found)


def judged(
    claims: Mapping[str, Claim],
    looked: Mapping[str, Looked],
    level: float,
    reasons: Mapping[str, Sequence[str]] | None = None,
) -> list[LedgerEntry]:
    """Apply the rule to what was measured; a look with a reason against it has no verdict."""
    none = Chances(1.0, 1.0, 1.0)
    why = {name: (reasons or {}).get(name) or [""] * len(looked[name]) for name in claims}
    rulings = rule(
        {
            name: [
                Look(weight, none if reason else chances(measured))
                for (weight, measured), reason in zip(looked[name].items(), why[name], strict=True)
            ]
            for name in claims
        },
        level,
    )
    decided = sum(ruling.verdict is not Verdict.OPEN for ruling in rulings.values())
    entries = []
    for name, claim in claims.items():
        ruling, looks = rulings[name], tuple(tuple(each) for each in looked[name].values())
        verdict, measured = ruling.verdict, looks[ruling.look]
        opened = verdict is Verdict.OPEN
        needed = math.nan
        if opened:
            required = draws_asked(level, decided, len(claims))
            needed = float(np.max([check.draws_needed(required) for check in measured]))
        reason = why[name][-1] if opened else ""
        entries.append(
            LedgerEntry(
                name, claim, measured, ruling.p, ruling.corrected, verdict, reason, looks, needed
            )
        )
    return entries


def what_must_hold(
    claims: Mapping[str, Claim], results: Mapping[str, Results]
) -> list[LedgerEntry]:
    """Judge what is true by mathematics, each by the intervals of its checks alone.

    These are tests of the code. They are no part of the ledger: near-certain claims in it would
    loosen the correction for all others. Nor are they judged by p: an identity may hold at each
    draw to the last bit, which at a few draws is an interval of no width and yet no small p.

    Raises:
        BenchError: one asks for what its experiment does not have at every seed.
    """
    entries = []
    for name, claim in claims.items():
        measured = _measured(f"must_hold.{name}", claim, results[claim.experiment])
        seen = [side for check in measured for side in check.seen]
        verdict = Verdict.OPEN
        if all(side.low > 0 for side in seen):
            verdict = Verdict.SUPPORTED
        elif any(side.high < 0 for side in seen):
            verdict = Verdict.CONTRADICTED
        p = chances(measured).p
        entries.append(LedgerEntry(name, claim, measured, p, p, verdict))
    return entries
