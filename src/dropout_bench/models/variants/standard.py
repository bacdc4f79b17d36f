"""The network that every dropout variant is compared with."""

from typing import ClassVar

from torch import nn

from dropout_bench.models.base import MLP


class StandardMLP(MLP):
    """No dropout: h = relu(W x + b) in every hidden layer."""

    counterpart: ClassVar[str | None] = None

    def hidden_layer(self, linear: nn.Linear, rate: float, number: int) -> list[nn.Module]:
        """Linear map, activation; the rate is 0."""
        return [linear, nn.ReLU()]
