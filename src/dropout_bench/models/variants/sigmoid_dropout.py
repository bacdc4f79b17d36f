"""Dropout in a network of sigmoid units."""

from torch import nn

from dropout_bench.models.layers.dropout import Dropout
from dropout_bench.models.variants.sigmoid import SigmoidMLP


class SigmoidDropoutMLP(SigmoidMLP):
    """Dropout after sigmoid units: h = dropout(σ(W x + b))."""

    counterpart = "sigmoid"

    def hidden_layer(self, linear: nn.Linear, rate: float, number: int) -> list[nn.Module]:
        """Linear map, activation, dropout."""
        return [*super().hidden_layer(linear, rate, number), Dropout(rate, self.masks(number))]
