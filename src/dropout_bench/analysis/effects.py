"""What dropout changes in the cells of an experiment, and what it costs in time."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from dropout_bench.analysis.claims import Published
from dropout_bench.analysis.statistics import Interval, mean_interval
from dropout_bench.params.arms import Cell
from dropout_bench.quantities.quantity import Values
from dropout_bench.tables.read import Results


@dataclass(frozen=True)
class Effect:
    """What dropout changes in a metric: paired differences by seed, against no dropout."""

    cell: Cell
    metric: str
    difference: Interval

    @property
    def clear(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.difference.low > 0 or self.difference.high < 0


def effects(results: Results, metric: str) -> list[Effect]:
    """Compare each cell with the same one without dropout, by seed, where there is one."""
    found = []
    for cell in results.experiment.cells():
        if base := results.experiment.without_dropout(cell):
            differences = results.figures(cell, metric) - results.figures(base, metric)
            found.append(Effect(cell, metric, mean_interval(differences)))
    return found


def accuracy_by_class(results: Results, cell: Cell) -> list[float]:
    """Return the share of each class's test images that is classified correctly, over all seeds."""
    rows = cell.rows_of(results.confusion)
    right = rows[rows["true"] == rows["predicted"]].set_index("true")["images"]
    shares: list[float] = (right / rows.groupby("true")["images"].sum()).tolist()
    return shares


Timing = tuple[Cell, Values, Interval | None, float | None, float | None]


def timings(results: Results, published: Published | None) -> list[Timing]:
    """Read the times of an experiment's runs, and those that a source published.

    Returns:
        Each cell with its seconds per epoch at each seed, the ratio of these to no dropout, paired
        by seed, the published seconds of a whole training, and the ratio of those.
    """
    theirs = {
        figure.cell: figure.value
        for figure in (published.figures if published else ())
        if figure.metric == "seconds" and figure.value
    }

    def seconds(cell: Cell) -> Values:
        rows = results.of(cell, "timings")
        return (rows["seconds"] / rows["epochs"]).to_numpy()

    found: list[Timing] = []
    for cell in results.experiment.cells():
        ratio = their_ratio = None
        if base := results.experiment.without_dropout(cell):
            ratio = mean_interval(seconds(cell) / seconds(base))
            if {cell.label, base.label} <= theirs.keys():
                their_ratio = theirs[cell.label] / theirs[base.label]
        found.append((cell, seconds(cell), ratio, theirs.get(cell.label), their_ratio))
    return found


class Cost(NamedTuple):
    """Seconds that the runs of an experiment take; new are those of no earlier experiment."""

    results: Results
    all: float
    new: float


def costs(those: Iterable[Results]) -> list[Cost]:
    """Add up the times of experiments' runs, in their order."""
    seen: set[str] = set()
    found = []
    for results in those:
        runs = results.trained.merge(results.timings)
        new = ~runs["key"].isin(seen)
        found.append(Cost(results, runs["seconds"].sum(), runs["seconds"][new].sum()))
        seen |= set(runs["key"])
    return found
