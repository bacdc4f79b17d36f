"""What can be said of the whole ledger."""

from collections.abc import Sequence
from typing import NamedTuple

from dropout_bench.analysis.ledger import LedgerEntry, Verdict, decided_by_holm
from dropout_bench.analysis.statistics import EXACT_SEEDS, RESAMPLES


class Overview(NamedTuple):
    """The ledger as a whole.

    Attributes:
        seeds: the fewest and the most seeds behind a claim.
        smallest_p: the smallest p of a two-sided sign-flip test: 2 · 2⁻ⁿ, where all are tried.
        first_step: what Holm's correction asks of the smallest p: level over number of claims.
        decided_by_holm: how many of the decided ones Holm's correction would leave.
        opposed: pairs of claims that contradict each other, each pair once.
    """

    level: float
    by_verdict: dict[Verdict, list[LedgerEntry]]
    seeds: tuple[int, int]
    smallest_p: float
    first_step: float
    decided: int
    decided_by_holm: int
    opposed: list[list[LedgerEntry]]


def overview(entries: Sequence[LedgerEntry], level: float) -> Overview | None:
    """Look at the ledger as a whole; None if it is empty."""
    if not entries:
        return None
    by_name = {entry.name: entry for entry in entries}
    by_verdict = {verdict: [e for e in entries if e.verdict is verdict] for verdict in Verdict}
    named = {frozenset((e.name, other)): None for e in entries for other in e.claim.contradicts}
    counts = [entry.seeds for entry in entries]
    fewest = min(counts)
    return Overview(
        level,
        by_verdict,
        (fewest, max(counts)),
        smallest_p=2 / (2**fewest if fewest <= EXACT_SEEDS else RESAMPLES + 1),
        first_step=level / len(entries),
        decided=len(entries) - len(by_verdict[Verdict.INCONCLUSIVE]),
        decided_by_holm=decided_by_holm(entries, level),
        opposed=[[by_name[n] for n in sorted(pair)] for pair in named if pair <= by_name.keys()],
    )
