"""Dropout whose rate depends on the unit's input."""

from torch import nn

from dropout_bench.models.base import MLP
from dropout_bench.models.layers.standout import Standout


class StandoutMLP(MLP):
    """Standout in every hidden layer: h = m ⊙ relu(z), m ~ Bernoulli(σ(z + β)).

    Source: Ba and Frey 2013.
    """

    def hidden_layer(self, linear: nn.Linear, rate: float, number: int) -> list[nn.Module]:
        """Linear map, activation and dropout in one."""
        return [Standout(linear, rate, self.masks(number))]
