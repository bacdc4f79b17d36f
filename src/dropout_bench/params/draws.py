"""What each draw of an experiment draws: its setting, which all its arms share.

Draws come in blocks of 48. In a block every quantity is stratified, and so it is among the block's
first 12 and first 24: of twelve equal parts of its distribution each has one of the first twelve
draws, of 24 parts one of the first 24, of 48 parts one of the 48 (nested Latin hypercubes, each
quantity in a random order of its own; McKay, Beckman and Conover 1979, *Technometrics* 21; Qian
2009, *Biometrika* 96). A draw is the same whatever else the experiment draws, and in whichever
experiment.
"""

import functools
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field, model_validator

from dropout_bench.params.values import Positive, PositiveInt, Strict, unique

PARTS = 12
"""Draws after which everything is balanced for the first time."""
BLOCK = 4 * PARTS
_WIDEST = 1e9
_STREAM = 100
"""Settings have a stream of their own, beside those of a training: see ``streams.py``."""


@functools.cache
def _block(quantity: str, number: int) -> NDArray[np.float64]:
    """Return the places of a block's draws in the quantity's distribution, in [0, 1); (48,)."""
    entropy = [number, *quantity.encode()]
    random = np.random.default_rng(np.random.SeedSequence(entropy, spawn_key=(_STREAM,)))
    places = random.permutation(PARTS)
    while len(places) < BLOCK:  # each part is halved: half of the halves are taken, now the rest
        count = len(places)
        half = random.integers(2, size=count)
        others = random.permutation(count)
        places = np.concatenate([2 * places + half[places], 2 * others + 1 - half[others]])
    return (places + random.random(BLOCK)) / BLOCK


def place(quantity: str, draw: int) -> float:
    """Return where a draw lies in a quantity's distribution, in [0, 1)."""
    return float(_block(quantity, draw // BLOCK)[draw % BLOCK])


class Range(Strict):
    """Every ratio is as likely: the logarithm is uniform between those of low and high."""

    low: Positive
    """the smallest value"""
    high: Positive
    """the largest value"""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low: {self.low} is not below high, {self.high}")
        if self.high > _WIDEST * self.low:
            raise ValueError(f"high: more than {_WIDEST:g} times low; that is no setting")
        return self

    def at(self, place: float) -> float:
        """Return the value at a place in [0, 1): low · (high / low)^place."""
        return float(self.low * (self.high / self.low) ** place)


class WholeRange(Range):
    """The same for whole numbers, rounded."""

    low: PositiveInt
    high: PositiveInt


def _balanced(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if PARTS % len(values):
        raise ValueError(
            f"{len(values)} values cannot be balanced over {PARTS} draws; list 2, 3, 4, 6 or 12"
        )
    return unique(values)


Balanced = (Field(min_length=2), AfterValidator(_balanced))
Names = Annotated[tuple[str, ...], *Balanced]
Counts = WholeRange | Annotated[tuple[PositiveInt, ...], *Balanced]
Sizes = Range | Annotated[tuple[Positive, ...], *Balanced]
Networks = Annotated[tuple[Annotated[tuple[PositiveInt, ...], Field(min_length=1)], ...], *Balanced]


class Drawn(Strict):
    """What is drawn for each draw, from a list, each value as often, or from a range of ratios."""

    dataset: Names | None = None
    """datasets with the same number of classes"""
    train_size: Counts | None = None
    """training images"""
    normalise: Names | None = None
    """how pixels enter the network: unit, symmetric, standardised"""
    hidden: Networks | None = None
    """units in each hidden layer"""
    batch_size: Counts | None = None
    """images per optimiser step"""
    learning_rate: Sizes | None = None
    """the optimiser's step size; three significant digits are kept"""

    @property
    def names(self) -> tuple[str, ...]:
        """Name what is drawn."""
        return tuple(name for name, values in self if values is not None)

    def at(self, draw: int) -> dict[str, Any]:
        """Return what a draw draws, by name."""
        return {name: _value(getattr(self, name), place(name, draw)) for name in self.names}

    def ends(self, name: str) -> list[Any]:
        """Return the smallest and the largest value of a range, or all of a list."""
        values = getattr(self, name)
        return [values.low, values.high] if isinstance(values, Range) else list(values)


def _value(values: Any, where: float) -> Any:
    if isinstance(values, WholeRange):
        return round(values.at(where))
    if isinstance(values, Range):
        return float(f"{values.at(where):.3g}")
    return values[int(where * len(values))]
