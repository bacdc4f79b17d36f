"""Which images of a dataset a run trains on and which it validates on."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from dropout_bench.streams import Stream, stream_seed

Indices = NDArray[np.int64]


class Split(NamedTuple):
    """Places, in ascending order, of the images of a training and of a validation set."""

    train: Indices
    validation: Indices


def reindexed(labels: NDArray[np.uint8], classes: tuple[int, ...]) -> NDArray[np.int64]:
    """Replace each label by its place in ``classes``; a label that is not in it becomes −1."""
    table = np.full(256, -1, dtype=np.int64)
    table[list(classes)] = np.arange(len(classes))
    return table[labels]


def stratified_split(
    labels: NDArray[np.int64], train_size: int, validation: float, seed: int
) -> Split:
    """Draw a subset of images and divide it into a training and a validation set.

    Both draws are stratified: each class keeps its share, to the nearest image.

    Args:
        labels: the label of every image, −1 for the classes left out; shape (images,).
        train_size: number of images to draw, those for validation included.
        validation: fraction of them held out for validation, in [0, 1).
        seed: the run's seed; the same seed draws the same images everywhere.

    Raises:
        ValueError: there are fewer images than that, or a class would lose its last one.
    """
    chosen = np.flatnonzero(labels >= 0)
    if train_size > len(chosen):
        raise ValueError(f"{train_size} images asked for, {len(chosen)} there")
    if train_size < len(chosen):
        chosen, _ = train_test_split(
            chosen,
            train_size=train_size,
            stratify=labels[chosen],
            random_state=stream_seed(seed, Stream.SPLIT),
        )
    if not validation:
        return Split(np.sort(chosen), np.empty(0, dtype=np.int64))
    train, held_out = train_test_split(
        np.sort(chosen),
        test_size=validation,
        stratify=labels[np.sort(chosen)],
        random_state=stream_seed(seed, Stream.SPLIT, index=1),
    )
    return Split(np.sort(train), np.sort(held_out))
