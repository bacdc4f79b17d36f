"""Dropout where the paper puts it: on the activations."""

from torch import nn

from dropout_bench.models.base import MLP
from dropout_bench.models.layers.dropout import Dropout


class DropoutMLP(MLP):
    """Dropout after the activation: h = dropout(relu(W x + b)).

    Source: Srivastava et al. 2014, section 4: the mask multiplies a layer's outputs.
    """

    def hidden_layer(self, linear: nn.Linear, rate: float, number: int) -> list[nn.Module]:
        """Linear map, activation, dropout."""
        return [linear, nn.ReLU(), Dropout(rate, self.masks(number))]
