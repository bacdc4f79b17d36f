"""Dropout that ends with none."""

from dropout_bench.models.variants.rising_dropout import RisingDropoutMLP


class FallingDropoutMLP(RisingDropoutMLP):
    """Dropout whose rate falls linearly, from its full value in the first epoch to 0 in the last.

    Source: Rennie et al. 2014, *Annealed dropout training of deep networks*, section 3.
    """

    @staticmethod
    def rate_at(progress: float, full: float) -> float:
        """Return the rate at a progress in [0, 1]."""
        return full * (1 - progress)
