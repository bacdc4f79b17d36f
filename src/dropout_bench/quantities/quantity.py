"""A quantity, and how a function enters what it gives. Nothing here knows which there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

    from dropout_bench.data.modules import Subset
    from dropout_bench.models.base import MLP

Values = NDArray[np.float64]
"""A quantity of a cell: a value at each seed."""

Row = tuple[str, float, float]
"""Name, place and value of what was measured of a network."""

Table = Literal["runs", "candidates", "curves", "measures", "timings"]

LAYER = "number of the hidden layer, from 1"


@dataclass(frozen=True)
class Quantity:
    """What can be named, and how it is read.

    Attributes:
        name: as claims and tables have it: ``test/loss``, ``masks/accuracy``.
        title: the same in words, for axes.
        unit: unit of its values; fractions are shown as %, their differences as points.
        at: what its place, ``at``, means; "" where it has none.
        places: the only places there are; empty if any will do, or if they differ by network.
        epoch: whether there is one after each epoch.
        split: the images it is of, where there is one of each split.
        higher_is_better: whether more is better, worse (False) or neither.
        least_epochs: epochs that a training must have; 0 where no curve is needed.
        timed: whether it is a time, which differs from one training to the next.
        measure: what an experiment must list under ``measures``; "" for nothing.
    """

    name: str
    title: str
    unit: Literal["nats", "fraction", "ratio", "epochs", "log seconds", "log steps", ""] = ""
    at: str = ""
    places: tuple[float, ...] = ()
    epoch: bool = False
    split: Literal["", "train", "val", "test"] = ""
    higher_is_better: bool | None = None
    least_epochs: int = 0
    timed: bool = False
    measure: str = ""

    @property
    def scale(self) -> float:
        """What a value is multiplied by to be shown."""
        return 100.0 if self.unit == "fraction" else 1.0

    @property
    def label(self) -> str:
        """Title and unit, as an axis shows them.

        >>> Quantity("test/accuracy", "test accuracy", "fraction").label
        'test accuracy (%)'
        """
        unit = "%" if self.unit == "fraction" else self.unit
        return f"{self.title} ({unit})" if unit else self.title

    def places_in(self, hidden: Sequence[int]) -> tuple[float, ...]:
        """Return the only places there are in a network with such hidden layers; () if any."""
        return tuple(range(1, len(hidden) + 1)) if self.at == LAYER else self.places


@dataclass(frozen=True)
class Asked:
    """A quantity that is asked of a cell; ``rows`` gives the cell's rows of a table, by seed."""

    name: str
    at: float | None
    epoch: int | None
    rows: Callable[[Table], pd.DataFrame]

    @property
    def of(self) -> str:
        """What it is derived from: ``val/loss`` for ``swing/val/loss``."""
        return self.name.partition("/")[2]

    def other(self, name: str) -> Values:
        """Return another quantity of the same cell, of the evaluated weights."""
        return READ[name](replace(self, name=name, at=None, epoch=None))


Measure = Callable[["MLP", "Subset", int], Iterator[Row]]
Derive = Callable[[Asked], Values]

QUANTITIES: dict[str, Quantity] = {}
MEASURES: dict[str, Measure] = {}
READ: dict[str, Derive] = {}


def measured(*entries: Quantity) -> Callable[[Measure], Measure]:
    """Enter a function that measures these quantities of a trained network.

    It takes the network in evaluation mode, its data and the run's seed, and gives rows. Gradients
    are off. Its file is imported without torch: torch is imported in its body.
    """

    def enter(function: Measure) -> Measure:
        name = function.__module__.rpartition(".")[2].replace("_", "-")
        MEASURES[name] = function
        derived(*(replace(entry, measure=name) for entry in entries))(_measure_at)
        return function

    return enter


def derived(*entries: Quantity) -> Callable[[Derive], Derive]:
    """Enter a function that computes these quantities from the rows of a cell's tables."""

    def enter(function: Derive) -> Derive:
        for entry in entries:
            if entry.name in QUANTITIES:
                raise ValueError(f"two quantities are called {entry.name}")
            QUANTITIES[entry.name], READ[entry.name] = entry, function
        return function

    return enter


def _measure_at(asked: Asked) -> Values:
    rows = asked.rows("measures")
    place = np.nan if asked.at is None else asked.at
    rows = rows[(rows["metric"] == asked.name) & np.isclose(rows["at"], place)]
    return rows["value"].to_numpy(dtype=float)
