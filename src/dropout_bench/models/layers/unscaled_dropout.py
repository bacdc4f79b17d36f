"""The mistake that inverted dropout avoids."""

from torch import Tensor

from dropout_bench.models.layers.noise import Noise


class UnscaledDropout(Noise):
    """The mistake that inverted dropout avoids: y = m ⊙ x in training, y = x in evaluation.

    Without the factor 1 − p a unit's output in evaluation is 1 / (1 − p) times what the next layer
    has learned to expect.

    Shape:
        Any; the result has the input's.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Drop units of ``x`` in training; return ``x`` in evaluation."""
        return x * self.kept(x) if self.active else x
