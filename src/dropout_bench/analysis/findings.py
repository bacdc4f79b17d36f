"""What a reader with ten seconds is told: whether to use dropout, at what rate, what decides it."""

from collections.abc import Sequence
from dataclasses import dataclass

from dropout_bench.analysis.drawn import (
    Compared,
    Dependence,
    compared,
    dependence,
    drops,
    own_options,
)
from dropout_bench.tables.read import Results

LEAST_RATES = 3
"""Rates that an experiment must compare to say which is the best."""


@dataclass(frozen=True)
class Findings:
    """What the experiments say together.

    Attributes:
        by_rate: rates against no dropout, the lowest first, of the experiment over drawn settings
            that compares most of them.
        dependence: what the gain goes with there.
        chosen: where a network chooses its rate on validation images and has no other option, it
            against none.
        by_images: where an experiment has sizes, dropout against none at each, the fewest images
            first.
    """

    by_rate: tuple[Compared, ...]
    dependence: Dependence | None
    chosen: Compared | None = None
    by_images: tuple[Compared, ...] = ()

    @property
    def best(self) -> Compared:
        """The rate of the largest mean gain in test accuracy."""
        return max(self.by_rate, key=lambda row: row.in_accuracy.gain.mean)

    @property
    def better(self) -> list[Compared]:
        """The rates that are better than none: their whole interval is."""
        return [row for row in self.by_rate if row.in_accuracy.gain.low > 0]

    @property
    def worse(self) -> list[Compared]:
        """The rates that are worse than none."""
        return [row for row in self.by_rate if row.in_accuracy.gain.high < 0]


def findings(those: Sequence[Results]) -> Findings | None:
    """Find what there is to say; None where no experiment compares rates over drawn settings."""
    drawn = [(each, _rates(each)) for each in those if each.experiment.draw.names]
    first, rates = max(drawn, key=lambda one: len(one[1]), default=(None, ()))
    if first is None or len(rates) < LEAST_RATES:
        return None
    sizes = next((each for each in those if len(each.experiment.train_size) > 1), None)
    chosen = [pair for each, _ in drawn if each is not sizes for pair in _choosing(each)]
    most = max(chosen, key=lambda pair: len(pair.accuracy), default=None)
    return Findings(rates, dependence(first), most, _sizes(sizes) if sizes else ())


def _rates(results: Results) -> tuple[Compared, ...]:
    """Return the arms with one rate for all layers, and nothing else, against no dropout."""
    if results.experiment.arms:
        return ()
    pairs = [
        pair
        for pair in compared(results)
        if pair.cell.variant == "dropout"
        and len({*pair.cell.dropout}) == 1
        and not pair.cell.input_dropout
        and not drops(pair.than.arm)
    ]
    return tuple(sorted(pairs, key=lambda pair: pair.cell.dropout))


def _choosing(results: Results) -> list[Compared]:
    """Return the arms with dropout, a rate that validation chooses and no other option."""
    experiment = results.experiment
    if len(experiment.train_size) > 1 or len(experiment.hidden) > 1:
        return []
    return [
        pair
        for pair in compared(results)
        if pair.cell.variant == "dropout"
        and [*pair.cell.arm.choose] == ["dropout"]
        and not own_options(experiment, pair.cell.arm)
        and not drops(pair.than.arm)
    ]


def _sizes(results: Results) -> tuple[Compared, ...]:
    """Return the arm that chooses its rate, else the first with dropout, at each size."""
    pairs = [pair for pair in compared(results) if drops(pair.cell.arm)]
    if not pairs:
        return ()
    arm = next((pair.cell.arm for pair in pairs if pair.cell.arm.choose), pairs[0].cell.arm)
    mine = [pair for pair in pairs if pair.cell.arm == arm]
    return tuple(sorted(mine, key=lambda pair: pair.cell.train_size or 0))
