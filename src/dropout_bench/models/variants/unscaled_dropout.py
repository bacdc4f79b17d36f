"""The mistake that inverted dropout avoids."""

from torch import nn

from dropout_bench.models.base import MLP
from dropout_bench.models.layers.unscaled_dropout import UnscaledDropout


class UnscaledDropoutMLP(MLP):
    """Dropout that is scaled neither in training nor in evaluation."""

    def hidden_layer(self, linear: nn.Linear, rate: float, number: int) -> list[nn.Module]:
        """Linear map, activation, unscaled dropout."""
        return [linear, nn.ReLU(), UnscaledDropout(rate, self.masks(number))]
