"""Ledgers on made-up data whose truth is known: how often the rule errs, and what it finds."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from dropout_bench.analysis import statistics
from dropout_bench.analysis.claims import Check, Claim, Claims
from dropout_bench.analysis.ledger import LedgerEntry, Measured, Verdict, judged, of_difference

_CHECK = Check.model_validate({"metric": "made up", "of": "a", "than": "b", "is": "higher"})
_CLAIM = Claim(source="nobody", says="a is higher than b", experiment="none", checks=(_CHECK,))

POWER_LEDGERS = 50
"""Simulated ledgers for each line of the report's table of power."""


@dataclass(frozen=True)
class Simulated:
    """What came of many simulated ledgers.

    Attributes:
        effect: true effects, in standard deviations over seeds.
        false: mean share of wrong verdicts among the verdicts that were not "inconclusive".
        found: mean share of the true effects that got their verdict: the power.
    """

    effect: float
    seeds: int
    false: float
    found: float


def simulate(
    effect: float,
    real: int,
    nothing: int,
    ledgers: int,
    seeds: int,
    level: float = 0.05,
    correction: Callable[[Sequence[float]], list[float]] = statistics.false_discovery_adjusted,
) -> Simulated:
    """Judge many ledgers of claims "higher", of normal differences with a standard deviation of 1.

    In each, ``real`` claims have an effect above 0, half of them the claim's way and half the
    other, and ``nothing`` have none.
    """
    truth = (effect,) * (real - real // 2) + (-effect,) * (real // 2) + (0.0,) * nothing
    claims = {f"claim{number}": _CLAIM for number in range(len(truth))}
    right = [Verdict.SUPPORTED] * (real - real // 2) + [Verdict.CONTRADICTED] * (real // 2)
    false, found = [], []
    for one in _measured(truth, ledgers, seeds):
        measured = {name: (check,) for name, check in zip(claims, one, strict=True)}
        verdicts = [entry.verdict for entry in judged(claims, measured, level, correction)]
        decided = len(verdicts) - verdicts.count(Verdict.INCONCLUSIVE)
        correct = sum(v is r for v, r in zip(verdicts[:real], right, strict=True))
        false.append((decided - correct) / max(1, decided))
        found.append(correct / max(1, real))
    return Simulated(effect, seeds, float(np.mean(false)), float(np.mean(found)))


@functools.lru_cache(maxsize=1)  # judged twice: by each of two corrections
def _measured(truth: tuple[float, ...], ledgers: int, seeds: int) -> list[list[Measured]]:
    random = np.random.default_rng(2014)
    return [
        [of_difference(_CHECK, random.normal(mean, 1.0, seeds)) for mean in truth]
        for _ in range(ledgers)
    ]


def powers(claims: Claims, entries: Sequence[LedgerEntry]) -> list[tuple[Simulated, Simulated]]:
    """Simulate ledgers like this one: as many claims and seeds, half of the claims with an effect.

    Returns:
        By the size of the effects, what comes of it with the false discovery rate controlled, and
        with Holm's correction.
    """
    if not entries:
        return []
    real = len(entries) // 2
    seeds = min(entry.seeds for entry in entries)
    rows = []
    for effect in (0.0, 0.5, 1.0, 1.5, 2.0):
        kinds = (real, len(entries) - real) if effect else (0, len(entries))
        ours, holm = (
            simulate(effect, *kinds, POWER_LEDGERS, seeds, claims.level, correction)
            for correction in (statistics.false_discovery_adjusted, statistics.holm_adjusted)
        )
        rows.append((ours, holm))
    return rows
