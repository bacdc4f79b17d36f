"""A rare class."""

from typing import TYPE_CHECKING, ClassVar

from dropout_bench.params.options.base import Option
from dropout_bench.params.values import PositiveInt

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from dropout_bench.data.subsets import Indices


class Rare(Option):
    """The first of the experiment's classes is rare among the training images, and there alone.

    Of r images of it, one is kept, drawn once: of n training images in k classes of equal size,
    n / k · (1 − 1 / r) are not trained on (Buda et al. 2018, *A systematic study of the class
    imbalance problem in convolutional neural networks*, section 2.2, "step imbalance" of ratio r).
    Images of validation and test stay as they are.
    """

    # Of its parts that for choices of images: nothing else draws from it.
    stream: ClassVar[str] = "SHIFTS"

    rare: PositiveInt | None = None
    """of the training images of the first class, one in so many is kept, and at least one"""

    def on_subset(
        self, labels: "Tensor", train: "Indices", random: "Generator | None"
    ) -> "tuple[Tensor, Indices]":
        """Leave out images of the first class; the others are trained on, in the same order."""
        import numpy as np
        import torch

        first = labels[torch.from_numpy(train)].numpy() == 0
        places = train[first]
        count = max(1, round(len(places) / (self.rare or 1)))
        kept = places[torch.randperm(len(places), generator=random)[:count].numpy()]
        return labels, np.sort(np.concatenate([train[~first], kept]))
