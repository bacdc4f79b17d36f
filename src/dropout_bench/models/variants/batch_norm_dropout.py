"""Dropout after batch normalisation."""

from torch import nn

from dropout_bench.models.base import MLP
from dropout_bench.models.layers.dropout import Dropout


class BatchNormDropoutMLP(MLP):
    """Dropout after batch normalisation: h = dropout(relu(norm(W x + b)))."""

    counterpart = "batch-norm"

    def hidden_layer(self, linear: nn.Linear, rate: float, number: int) -> list[nn.Module]:
        """Linear map, batch normalisation, activation, dropout."""
        return [
            linear,
            nn.BatchNorm1d(linear.out_features),
            nn.ReLU(),
            Dropout(rate, self.masks(number)),
        ]
