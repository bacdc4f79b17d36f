"""Whether what a claim says holds in general, or depends on the setting."""

from dataclasses import dataclass

import numpy as np

from dropout_bench.analysis.drawn import gap_of
from dropout_bench.analysis.ledger import LedgerEntry
from dropout_bench.analysis.population import Factor, depends, goes_with
from dropout_bench.analysis.statistics import Interval, prediction_interval, share_interval
from dropout_bench.params.arms import Cell
from dropout_bench.tables.read import Results


@dataclass(frozen=True)
class Generality:
    """A claim's deciding check over drawn settings.

    Attributes:
        holds: P(A > B), the share of settings on the claim's side of its bound, with its interval.
        one_more: where one more setting would lie, in the unit of the check's values; it says
            nothing for ``often``, whose values are 1, 0 and ½.
        factors: what was asked about, the smallest p first.
    """

    holds: Interval
    one_more: Interval
    factors: tuple[Factor, ...]

    @property
    def found(self) -> list[Factor]:
        """What it depends on, after correction; nothing where it is general, as far as is seen."""
        return goes_with(self.factors)


def generality(entry: LedgerEntry, results: Results) -> Generality | None:
    """Look at a claim over all draws that its verdict rests on; None where no setting is drawn.

    None, too, for a comparison of spreads and for a slope from draw to draw: these are of all draws
    together.
    """
    one = entry.deciding
    settings = results.settings.iloc[: entry.draws]
    if not len(settings.columns) or one.check.direction == "steadier" or one.check.along:
        return None
    scores = (np.sign(one.sides.min(axis=0)) + 1) / 2
    gap = gap_of(results, _without(one.check.cells[0], results))
    extra = {name: values[: entry.draws] for name, values in gap.items()}
    factors = depends(one.values, settings, extra) if len(settings) > 2 else []
    return Generality(share_interval(scores), prediction_interval(one.values), tuple(factors))


def _without(label: str, results: Results) -> Cell | None:
    cells = {cell.label: cell for cell in results.experiment.cells()}
    return results.experiment.without_dropout(cells[label])
