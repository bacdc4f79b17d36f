"""What can be said of the whole ledger."""

from collections.abc import Sequence
from dataclasses import dataclass

from dropout_bench.analysis.ledger import LedgerEntry, Verdict, decided_by_holm
from dropout_bench.analysis.statistics import EXACT_SEEDS, RESAMPLES


@dataclass(frozen=True)
class Overview:
    """The ledger as a whole.

    Attributes:
        entries: the ledger.
        level: level of the verdicts.
    """

    entries: Sequence[LedgerEntry]
    level: float

    @property
    def by_verdict(self) -> dict[Verdict, list[LedgerEntry]]:
        """The entries of each verdict."""
        return {
            verdict: [entry for entry in self.entries if entry.verdict is verdict]
            for verdict in Verdict
        }

    @property
    def seeds(self) -> tuple[int, int]:
        """The fewest and the most seeds behind a claim."""
        counts = [entry.seeds for entry in self.entries]
        return min(counts), max(counts)

    @property
    def smallest_p(self) -> float:
        """The smallest p that a two-sided sign-flip test can give: 2 · 2⁻ⁿ, where all are tried."""
        fewest = self.seeds[0]
        return 2 / (2**fewest if fewest <= EXACT_SEEDS else RESAMPLES + 1)

    @property
    def first_step(self) -> float:
        """What Holm's correction asks of the smallest p: the level over the number of claims."""
        return self.level / len(self.entries)

    @property
    def decided(self) -> int:
        """Number of verdicts that are not inconclusive."""
        return len(self.entries) - len(self.by_verdict[Verdict.INCONCLUSIVE])

    @property
    def decided_by_holm(self) -> int:
        """How many of them Holm's correction would leave."""
        return decided_by_holm(self.entries, self.level)

    @property
    def opposed(self) -> list[tuple[LedgerEntry, LedgerEntry]]:
        """Pairs of claims that contradict each other, each pair once."""
        by_name = {entry.name: entry for entry in self.entries}
        pairs = {
            tuple(sorted((entry.name, other))): None
            for entry in self.entries
            for other in entry.claim.contradicts
            if other in by_name
        }
        return [(by_name[one], by_name[other]) for one, other in pairs]
