"""Dropout that keeps a self-normalising network normalised."""

from torch import nn

from dropout_bench.models.layers.alpha_dropout import AlphaDropout
from dropout_bench.models.variants.selu import SELUMLP


class AlphaDropoutMLP(SELUMLP):
    """Alpha dropout after SELU: h = alpha_dropout(selu(W x + b)).

    Source: Klambauer et al. 2017, section 2.
    """

    counterpart = "selu"

    def hidden_layer(self, linear: nn.Linear, rate: float, number: int) -> list[nn.Module]:
        """Linear map, activation, alpha dropout."""
        return [
            *super().hidden_layer(linear, rate, number),
            AlphaDropout(rate, self.masks(number)),
        ]
