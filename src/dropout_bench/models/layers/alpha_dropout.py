"""Dropout for self-normalising networks."""

from torch import Tensor

from dropout_bench.models.layers.noise import Noise


class AlphaDropout(Noise):
    """Dropout for self-normalising networks: a dropped unit takes SELU's lowest value α′ = −λα.

    y = a (m ⊙ x + (1 − m) α′) + b in training, with q = 1 − p, a = (q + α′² q (1 − q))^(−1/2) and
    b = −a (1 − q) α′: inputs of mean 0 and variance 1 keep both. y = x otherwise.

    Source: Klambauer et al. 2017, *Self-Normalizing Neural Networks*, section 2, "new dropout
    technique". Same law as :class:`torch.nn.AlphaDropout`.

    Shape:
        Any; the result has the input's.
    """

    lowest = -1.7580993408473766

    def forward(self, x: Tensor) -> Tensor:
        """Set units of ``x`` to the lowest value, and normalise, in training."""
        if not self.active:
            return x
        q = 1 - self.p
        a = (q + self.lowest**2 * q * self.p) ** -0.5
        b = -a * self.p * self.lowest
        kept = self.kept(x)
        result: Tensor = a * (x * kept + self.lowest * (1 - kept)) + b
        return result
