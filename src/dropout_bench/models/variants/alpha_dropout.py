"""Dropout that keeps a self-normalising network normalised."""

from torch import nn

from dropout_bench.models.dropout import AlphaDropout
from dropout_bench.models.variants.selu import SELUMLP


class AlphaDropoutMLP(SELUMLP):
    """Alpha dropout after SELU: h = alpha_dropout(selu(W x + b)).

    Source: Klambauer et al. 2017, section 2.
    """

    def hidden_layer(self, linear: nn.Linear, rate: float, number: int) -> list[nn.Module]:
        """Linear map, activation, alpha dropout."""
        return [
            *super().hidden_layer(linear, rate, number),
            AlphaDropout(rate, self.seed, number),
        ]
