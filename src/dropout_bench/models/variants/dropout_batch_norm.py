"""Dropout before batch normalisation."""

from torch import nn

from dropout_bench.models.base import MLP
from dropout_bench.models.layers.dropout import Dropout


class DropoutBatchNormMLP(MLP):
    """Dropout before batch normalisation: h = relu(norm(dropout(W x + b))).

    Dropout changes the variance that the normalisation sees in training, and not in evaluation
    (Li et al. 2019, *Understanding the Disharmony between Dropout and Batch Normalization by
    Variance Shift*, section 3).
    """

    counterpart = "batch-norm"

    def hidden_layer(self, linear: nn.Linear, rate: float, number: int) -> list[nn.Module]:
        """Linear map, dropout, batch normalisation, activation."""
        return [
            linear,
            Dropout(rate, self.masks(number)),
            nn.BatchNorm1d(linear.out_features),
            nn.ReLU(),
        ]
