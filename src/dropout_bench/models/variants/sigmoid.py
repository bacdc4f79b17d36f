"""A network of sigmoid units: when it is deep, its gradients vanish."""

from typing import ClassVar

from torch import nn

from dropout_bench.models.base import MLP


class SigmoidMLP(MLP):
    """Sigmoid units: h = σ(W x + b), with weights and offsets from U(−1 / √n, 1 / √n), n inputs.

    That is PyTorch's own start. A step back through a layer multiplies the gradient by Wᵀ and by
    σ′ ≤ 1/4: with weights of variance 1 / (3 n), and as many units in either layer, its norm at
    the start by about 1 / (4 √3) = 0.14 (Glorot and Bengio 2010, *Understanding the difficulty of
    training deep feedforward neural networks*, sections 3.1 and 4.2.1).
    """

    counterpart: ClassVar[str | None] = None

    def hidden_layer(self, linear: nn.Linear, rate: float, number: int) -> list[nn.Module]:
        """Linear map, activation; the rate is 0."""
        return [linear, nn.Sigmoid()]
