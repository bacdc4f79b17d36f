"""Dropout that begins with none."""

from dropout_bench.models.variants.dropout import DropoutMLP


class RisingDropoutMLP(DropoutMLP):
    """Dropout whose rate rises linearly, from 0 in the first epoch to its full value in the last.

    Source: Morerio et al. 2017, *Curriculum Dropout*, section 3, with a line for their exponential.
    """

    def on_epoch(self, progress: float) -> None:
        """Set the rates of the epoch."""
        for layer in self.noise_layers():
            layer.p = self.rate_at(progress, layer.rate)

    @staticmethod
    def rate_at(progress: float, full: float) -> float:
        """Return the rate at a progress in [0, 1]."""
        return full * progress
