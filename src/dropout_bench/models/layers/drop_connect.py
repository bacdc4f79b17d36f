"""Weights dropped in the place of units."""

from torch import Tensor, nn

from dropout_bench.models.layers.linear import portable_linear
from dropout_bench.models.layers.noise import Noise
from dropout_bench.streams import Masks


class DropConnect(Noise):
    """A linear map that drops weights: y = (M ⊙ W / (1 − p)) x + b in training; y = W x + b else.

    One mask M ~ Bernoulli(1 − p) for all examples of a batch, where the source draws one for each
    example: that would cost a matrix product for each. Evaluation uses the mean of the weights,
    where the source samples from a Gaussian of the pre-activations' mean and variance.

    Source: Wan et al. 2013, *Regularization of Neural Networks using DropConnect*, ICML 30,
    sections 2.2 and 3.

    Args:
        linear: the linear map.
        p: probability of dropping a weight, in [0, 1).
        masks: the stream that masks are drawn from.

    Shape:
        (batch, in_features) → (batch, out_features).
    """

    def __init__(self, linear: nn.Linear, p: float, masks: Masks) -> None:
        super().__init__(p, masks)
        self.linear = linear

    def forward(self, x: Tensor) -> Tensor:
        """Apply the linear map, with some of its weights dropped in training."""
        if not self.active:
            unchanged: Tensor = self.linear(x)
            return unchanged
        mask = self.kept(self.linear.weight).mul_(1 / (1 - self.p))
        return portable_linear(x, self.linear.weight * mask, self.linear.bias)
