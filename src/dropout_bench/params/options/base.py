"""What an option of training is: fields with neutral values, and what it does when it is on."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from dropout_bench.params.values import Strict

if TYPE_CHECKING:
    import lightning as L
    from torch import Generator, Tensor
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler

    from dropout_bench.data.subsets import Indices
    from dropout_bench.models.base import MLP


class Option(Strict):
    """An option that any variant can be combined with; neutral by default.

    A file in this folder is an option: a class with its fields, which say what a value means, and
    whichever of the methods below it needs. It is a key of ``params.yaml`` from then on. Runs that
    leave it neutral never meet it, and their keys do not change. Options are read without torch:
    a method imports it.
    """

    stream: ClassVar[str] = ""
    """name of the stream of random numbers that it draws from: see ``streams.py``"""

    def check(self, setting: Mapping[str, Any]) -> None:
        """Check that an experiment can have it.

        Args:
            setting: the experiment's fields by name, such as ``validation`` and ``variants``.

        Raises:
            ValueError: what does not go together, and the remedy.
        """

    def optimiser_settings(self) -> dict[str, float]:
        """Return how strongly the optimiser draws weights to 0, by the way it does so."""
        return {}

    def penalty(self, network: "MLP") -> "Tensor | float":
        """Return what it adds to the loss of a batch: a scalar."""
        return 0.0

    def after_step(self, network: "MLP") -> None:
        """Change the network after each step of the optimiser."""

    def on_subset(
        self, labels: "Tensor", train: "Indices", random: "Generator | None"
    ) -> "tuple[Tensor, Indices]":
        """Change which images are trained on, or what they are taken for.

        Args:
            labels: a copy of the labels of all images of the training file, (images,).
            train: places of those that are trained on.
            random: a generator of the run's, at its start.
        """
        return labels, train

    def on_bytes(self, images: "Tensor", random: "Generator | None") -> "Tensor":
        """Change a chunk of training images, (images, height, width), while they are bytes."""
        return images

    def on_pixels(self, images: "Tensor", random: "Generator | None") -> "Tensor":
        """Change a chunk of training images after they were normalised."""
        return images

    def schedule(self, optimizer: "Optimizer", epochs: int) -> "LRScheduler | None":
        """Return a schedule of the step size, from epoch to epoch."""
        return None

    def callbacks(self) -> "list[L.Callback]":
        """Return callbacks for Lightning's Trainer."""
        return []
