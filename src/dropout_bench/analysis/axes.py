"""What a trend can be along: a number for each cell, and what a slope is then per."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dropout_bench.params.run import Cell


@dataclass(frozen=True)
class Axis:
    """An axis: where cells lie on it, and in words what one step along it is."""

    of: Callable[[Cell], float]
    per: str

    def places(self, cells: Sequence[Cell]) -> list[float]:
        """Return where cells lie, in the order of the cells.

        Raises:
            ValueError: a cell has no place, or all have the same.
        """
        places = [self.of(cell) for cell in cells]
        if len(set(places)) < 2:
            raise ValueError("all of these cells are at one place; name cells that differ in it")
        return places


class _InOrder(Axis):
    """The places in the list itself."""

    def places(self, cells: Sequence[Cell]) -> list[float]:
        """Count from 1."""
        return [float(place) for place in range(1, len(cells) + 1)]


def _rate(cell: Cell) -> float:
    if len(set(cell.dropout)) > 1:
        raise ValueError(f"{cell.label} has a rate for each layer, and no one rate")
    return cell.dropout[0]


AXES = {
    "size": Axis(lambda cell: math.log2(cell.train_size), "doubling of the images"),
    "depth": Axis(lambda cell: len(cell.hidden), "hidden layer"),
    "width": Axis(lambda cell: math.log2(cell.hidden[0]), "doubling of the width"),
    "rate": Axis(_rate, "unit of the rate"),
    "place": _InOrder(lambda _: math.nan, "place in the list"),
}
"""By the name that a check has under ``over``."""
