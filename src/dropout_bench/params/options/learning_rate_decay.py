"""A step size that falls."""

from typing import TYPE_CHECKING, Literal

from dropout_bench.params.options.base import Option

if TYPE_CHECKING:
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler


class LearningRateDecay(Option):
    """Linear: in epoch e of E the step size is learning_rate · (1 − (e − 1) / E)."""

    learning_rate_decay: Literal["none", "linear"] = "none"
    """linear: the step size falls from epoch to epoch, towards 0 after the last one"""

    def schedule(self, optimizer: "Optimizer", epochs: int) -> "LRScheduler":
        """Return the schedule.

        Raises:
            ValueError: the Trainer has no number of epochs.
        """
        from torch.optim.lr_scheduler import LinearLR

        if epochs < 1:
            raise ValueError("learning_rate_decay: to what end? Give the Trainer max_epochs")
        return LinearLR(optimizer, start_factor=1.0, end_factor=0.0, total_iters=epochs)
