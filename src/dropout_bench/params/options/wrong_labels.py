"""Wrong labels."""

from typing import TYPE_CHECKING, ClassVar

from dropout_bench.params.options.base import Option
from dropout_bench.params.values import Rate

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from dropout_bench.data.subsets import Indices


class WrongLabels(Option):
    """Some training images are taken for another class, the same ones throughout the training.

    Which ones, and for which of the other classes, each as likely, is drawn once (Zhang et al.
    2017, *Understanding deep learning requires rethinking generalization*, section 2.1, "partially
    corrupted labels"; there a drawn label may be the true one). Labels of validation and test
    images stay true.
    """

    stream: ClassVar[str] = "ELSE"

    wrong_labels: Rate = 0.0
    """share of the training images that are taken for another class, drawn at random"""

    def on_subset(
        self, labels: "Tensor", train: "Indices", random: "Generator | None"
    ) -> "tuple[Tensor, Indices]":
        """Change the labels, of as many images as is nearest to the share."""
        import torch

        count, classes = round(self.wrong_labels * len(train)), int(labels.max()) + 1
        places = torch.from_numpy(train)[torch.randperm(len(train), generator=random)[:count]]
        further = torch.randint(1, classes, (count,), generator=random)
        labels[places] = (labels[places] + further) % classes
        return labels, train
