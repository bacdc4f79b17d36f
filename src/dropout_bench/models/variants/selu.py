"""A self-normalising network, without dropout."""

from typing import ClassVar

from torch import nn

from dropout_bench.models.base import MLP


class SELUMLP(MLP):
    """SELU: h = selu(W x + b), with weights drawn from N(0, 1 / inputs) and b = 0 at the start.

    Source: Klambauer et al. 2017, *Self-Normalizing Neural Networks*, section 2.
    """

    counterpart: ClassVar[str | None] = None

    def hidden_layer(self, linear: nn.Linear, rate: float, number: int) -> list[nn.Module]:
        """Linear map, activation; the rate is 0."""
        nn.init.kaiming_normal_(linear.weight, nonlinearity="linear")
        nn.init.zeros_(linear.bias)
        return [linear, nn.SELU()]
