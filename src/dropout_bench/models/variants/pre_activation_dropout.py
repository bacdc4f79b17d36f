"""Dropout on the other side of the activation."""

from torch import nn

from dropout_bench.models.base import MLP
from dropout_bench.models.layers.dropout import Dropout


class PreActivationDropoutMLP(MLP):
    """Dropout between the linear map and the activation: h = relu(dropout(W x + b)).

    Since relu(m z) = m relu(z) for a mask m ≥ 0, the result is that of dropout after the
    activation with the same mask: the order matters for other activations only.
    """

    def hidden_layer(self, linear: nn.Linear, rate: float, number: int) -> list[nn.Module]:
        """Linear map, dropout, activation."""
        return [linear, Dropout(rate, self.masks(number)), nn.ReLU()]
