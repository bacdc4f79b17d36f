"""Dropout that begins with none."""

from dropout_bench.models.dropout import Dropout
from dropout_bench.models.variants.dropout import DropoutMLP


class RisingDropoutMLP(DropoutMLP):
    """Dropout whose rate rises linearly, from 0 in the first epoch to its full value in the last.

    Source: Morerio et al. 2017, *Curriculum Dropout*, section 3, with a line for their exponential.
    """

    def on_train_epoch_start(self) -> None:
        """Set the rates of the epoch."""
        progress = self.current_epoch / max(1, (self.trainer.max_epochs or 1) - 1)
        for layer in self.modules():
            if isinstance(layer, Dropout):
                layer.p = self.rate_at(progress, self.full_rates[layer.layer])

    @staticmethod
    def rate_at(progress: float, full: float) -> float:
        """Return the rate at a progress in [0, 1]."""
        return full * progress
