"""Batch normalisation, without dropout: what its combinations with dropout are compared with."""

from typing import ClassVar

from torch import nn

from dropout_bench.models.base import MLP


class BatchNormMLP(MLP):
    """Batch normalisation before the activation: h = relu(norm(W x + b)).

    Source: Ioffe and Szegedy 2015, *Batch Normalization*, section 3.2.
    """

    counterpart: ClassVar[str | None] = None

    def hidden_layer(self, linear: nn.Linear, rate: float, number: int) -> list[nn.Module]:
        """Linear map, batch normalisation, activation; the rate is 0."""
        return [linear, nn.BatchNorm1d(linear.out_features), nn.ReLU()]
