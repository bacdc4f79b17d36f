"""Weights dropped in the place of units."""

from torch import nn

from dropout_bench.models.base import MLP
from dropout_bench.models.layers.drop_connect import DropConnect


class DropConnectMLP(MLP):
    """DropConnect in every hidden layer: h = relu((M ⊙ W / (1 − p)) x + b).

    Source: Wan et al. 2013, section 2.2.
    """

    def hidden_layer(self, linear: nn.Linear, rate: float, number: int) -> list[nn.Module]:
        """Linear map with dropped weights, activation."""
        return [DropConnect(linear, rate, self.masks(number)), nn.ReLU()]
