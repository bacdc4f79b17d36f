"""Common random numbers: one seed, independent streams.

Runs that differ only in dropout share the split, the initial weights and the batch order, so that
their difference at one seed is a paired difference: what is left of chance is the masks.
"""

from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


class Stream(IntEnum):
    """What a stream of random numbers decides."""

    SPLIT = 0
    WEIGHTS = 1
    ORDER = 2
    MASKS = 3
    NOISE = 4
    SHIFTS = 5
    ELSE = 6


def stream_seed(seed: int, stream: Stream, index: int | tuple[int, ...] = 0) -> int:
    """Derive the 32-bit seed of a stream.

    Args:
        seed: the run's seed.
        stream: what is decided.
        index: number of the stream's part, such as the layer that draws the masks.

    Returns:
        An integer in [0, 2³²): as much as torch's Mersenne Twister takes.
    """
    import numpy as np

    parts = index if isinstance(index, tuple) else (index,)
    sequence = np.random.SeedSequence(seed, spawn_key=(int(stream), *parts))
    return int(sequence.generate_state(1, np.uint32)[0])


def generator(
    seed: int,
    stream: Stream,
    index: int | tuple[int, ...] = 0,
    device: "torch.device | str" = "cpu",
) -> "torch.Generator":
    """Return a torch generator at the start of a stream, on ``device``."""
    import torch

    return torch.Generator(device).manual_seed(stream_seed(seed, stream, index))


class Masks:
    """The stream of random numbers of one noise layer.

    Args:
        seed: the run's seed.
        layer: number of the layer; 0 is the input.
        part: number of the noise layer within it, from 0.
    """

    def __init__(self, seed: int, layer: int, part: int = 0) -> None:
        self._seed = seed
        self._layer = layer
        self._part = part
        self._index = layer
        self._generator: torch.Generator | None = None

    def on(self, device: "torch.device") -> "torch.Generator":
        """Return the generator on ``device``; each use goes on where the last one ended."""
        if self._generator is None or self._generator.device != device:
            index = (self._index, self._part) if self._part else self._index
            self._generator = generator(self._seed, Stream.MASKS, index, device)
        return self._generator

    def restart(self, number: int) -> None:
        """Begin another stream of the same layer, the one of this number, from 0."""
        self._index = 1000 * (number + 1) + self._layer
        self._generator = None
