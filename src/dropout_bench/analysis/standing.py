"""How the claims of a suite stand: its ledger, as far as there are tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dropout_bench.analysis.claims import Claims
from dropout_bench.analysis.ledger import LedgerEntry, ledger
from dropout_bench.params.file import Suite
from dropout_bench.tables.read import Results, read_present


@dataclass(frozen=True)
class Standing:
    """The ledger of a suite.

    Attributes:
        claims: those about the suite, judged or not.
        entries: the judged ones, by name; corrected over each other.
        results: the tables of each experiment of the ledger that has those of its parameters.
        stale: what is wrong with the tables of the others, by experiment.
    """

    claims: Claims
    entries: Mapping[str, LedgerEntry]
    results: Mapping[str, Results]
    stale: Mapping[str, str]


def standing(root: Path, suite: Suite, claims: Claims) -> Standing:
    """Judge the claims about a suite whose experiments have tables.

    Raises:
        BenchError: a claim asks for what its experiment does not have at every seed.
    """
    of = claims.about(suite.experiments)
    named = {claim.experiment for claim in of.claims.values()}
    experiments = {name: one for name, one in suite.experiments.items() if name in named}
    results, stale = read_present(root / suite.reports, experiments)
    those = of.about(results).claims
    entries = ledger(those, of.level, results, of.smallest)
    return Standing(of, {entry.name: entry for entry in entries}, results, stale)
