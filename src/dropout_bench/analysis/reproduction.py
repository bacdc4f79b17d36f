"""Published figures beside ours."""

from collections.abc import Sequence
from dataclasses import dataclass

from dropout_bench.analysis.claims import Published
from dropout_bench.analysis.statistics import Interval, prediction_interval
from dropout_bench.params.arms import Cell
from dropout_bench.tables.read import Results


@dataclass(frozen=True)
class Reproduction:
    """A published figure beside ours, at each seed.

    Attributes:
        epoch: its epoch; None for a figure of the evaluated weights.
        of: which run of the source, if it shows several.
    """

    cell: Cell
    metric: str
    epoch: int | None
    of: str
    published: float
    values: Sequence[float]

    @property
    def interval(self) -> Interval:
        """The 95 % prediction interval of a single run of ours."""
        return prediction_interval(self.values)

    @property
    def inside(self) -> bool:
        """Whether the published figure could be one more run of ours."""
        return self.published in self.interval

    @property
    def what(self) -> str:
        """Name the figure: metric, epoch, run."""
        parts = (self.metric, f"epoch {self.epoch}" if self.epoch else "", self.of)
        return ", ".join(filter(None, parts))


def reproductions(results: Results, published: Published) -> list[Reproduction]:
    """Set every published figure, but for times, beside ours."""
    cells = {cell.label: cell for cell in results.experiment.cells()}
    return [
        Reproduction(cell, figure.metric, epoch, figure.of, value, values.tolist())
        for figure in published.figures
        if figure.metric != "seconds"
        for cell in [cells[figure.cell]]
        for epoch, value in figure.values()
        for values in [results.figures(cell, figure.metric, epoch=epoch)]
    ]
