"""What can be said of the whole ledger."""

from collections.abc import Sequence
from typing import NamedTuple

from dropout_bench.analysis.ledger import LedgerEntry
from dropout_bench.analysis.rule import Verdict, asked


class Overview(NamedTuple):
    """The ledger as a whole.

    Attributes:
        draws: the fewest and the most draws behind a claim.
        asked: what is asked of the p of each claim, as many being decided as are.
        opposed: pairs of claims that contradict each other, each pair once.
    """

    level: float
    by_verdict: dict[Verdict, list[LedgerEntry]]
    draws: tuple[int, int]
    decided: int
    asked: float
    opposed: list[list[LedgerEntry]]


def overview(entries: Sequence[LedgerEntry], level: float) -> Overview | None:
    """Look at the ledger as a whole; None if it is empty."""
    if not entries:
        return None
    by_name = {entry.name: entry for entry in entries}
    by_verdict = {verdict: [e for e in entries if e.verdict is verdict] for verdict in Verdict}
    named = {frozenset((e.name, other)): None for e in entries for other in e.claim.contradicts}
    counts = [entry.draws for entry in entries]
    decided = len(entries) - len(by_verdict[Verdict.OPEN])
    return Overview(
        level,
        by_verdict,
        (min(counts), max(counts)),
        decided,
        asked(level, decided, len(entries)),
        opposed=[[by_name[n] for n in sorted(pair)] for pair in named if pair <= by_name.keys()],
    )
