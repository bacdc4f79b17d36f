"""scikit-learn's digits, in the form of torchvision's datasets."""

from pathlib import Path

import numpy as np


class Digits:
    """The digits that come with scikit-learn; every fifth of each class is for the test set.

    Args:
        root: not used, there is nothing to unpack.
        train: the training images, or those for the test.
        download: not used either.
    """

    def __init__(self, root: Path, train: bool = True, download: bool = False) -> None:
        from sklearn.datasets import load_digits

        digits = load_digits()
        place_in_class = np.zeros(len(digits.target), dtype=int)
        for label in np.unique(digits.target):
            members = np.flatnonzero(digits.target == label)
            place_in_class[members] = np.arange(len(members))
        chosen = (place_in_class % 5 != 4) if train else (place_in_class % 5 == 4)
        self.data = digits.images[chosen]
        self.targets = digits.target[chosen]
