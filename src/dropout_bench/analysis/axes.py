"""What a trend can be along: a number for each cell, and what a slope is then per."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dropout_bench.params.arms import Cell


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


def _images(cell: Cell) -> float:
    if not cell.train_size:
        raise ValueError(f"{cell.label} has another number of images at each draw")
    return math.log2(cell.train_size)


def _widths(cell: Cell) -> tuple[int, ...]:
    if not cell.hidden:
        raise ValueError(f"{cell.label} has other hidden layers at each draw")
    return cell.hidden


def _rate(cell: Cell) -> float:
    if "dropout" in cell.arm.choose:
        raise ValueError(f"{cell.label} chooses its rate on validation")
    if len(set(cell.dropout)) > 1:
        raise ValueError(f"{cell.label} has a rate for each layer, and no one rate")
    return cell.dropout[0]


AXES = {
    "size": Axis(_images, "doubling of the images"),
    "depth": Axis(lambda cell: len(_widths(cell)), "hidden layer"),
    "width": Axis(lambda cell: math.log2(_widths(cell)[0]), "doubling of the width"),
    "rate": Axis(_rate, "unit of the rate"),
    "place": _InOrder(lambda _: math.nan, "place in the list"),
}
"""By the name that a check has under ``over``."""
