"""Common random numbers: one seed, independent streams.

Runs that differ only in dropout share the split, the initial weights and the batch order, so that
their difference at one seed is a paired difference: what is left of chance is the masks.
"""

from enum import IntEnum

import numpy as np
import torch


class Stream(IntEnum):
    """What a stream of random numbers decides."""

    SPLIT = 0
    WEIGHTS = 1
    ORDER = 2
    MASKS = 3
    NOISE = 4
    SHIFTS = 5


def stream_seed(seed: int, stream: Stream, index: int = 0) -> int:
    """Derive the 32-bit seed of a stream.

    Args:
        seed: the run's seed.
        stream: what is decided.
        index: number of the stream's part, such as the layer that draws the masks.

    Returns:
        An integer in [0, 2³²): as much as torch's Mersenne Twister takes.
    """
    sequence = np.random.SeedSequence(seed, spawn_key=(int(stream), index))
    return int(sequence.generate_state(1, np.uint32)[0])


def generator(
    seed: int, stream: Stream, index: int = 0, device: torch.device | str = "cpu"
) -> torch.Generator:
    """Return a torch generator at the start of a stream, on ``device``."""
    return torch.Generator(device).manual_seed(stream_seed(seed, stream, index))
