"""Noise of the same mean and variance as dropout's, without zeros."""

from torch import nn

from dropout_bench.models.base import MLP
from dropout_bench.models.layers.gaussian_dropout import GaussianDropout


class GaussianDropoutMLP(MLP):
    """Multiplicative Gaussian noise after the activation: h = relu(W x + b) ⊙ r.

    Source: Srivastava et al. 2014, section 10.
    """

    def hidden_layer(self, linear: nn.Linear, rate: float, number: int) -> list[nn.Module]:
        """Linear map, activation, noise."""
        return [linear, nn.ReLU(), GaussianDropout(rate, self.masks(number))]
