"""Dropout with the scaling where the paper first had it: in evaluation."""

from torch import nn

from dropout_bench.models.base import MLP
from dropout_bench.models.layers.classic_dropout import ClassicDropout


class ClassicDropoutMLP(MLP):
    """Classic dropout after the activation: h = m ⊙ relu(W x + b), in evaluation (1 − p) relu(·).

    Source: Srivastava et al. 2014, section 4.
    """

    def hidden_layer(self, linear: nn.Linear, rate: float, number: int) -> list[nn.Module]:
        """Linear map, activation, classic dropout."""
        return [linear, nn.ReLU(), ClassicDropout(rate, self.masks(number))]
