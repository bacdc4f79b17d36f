"""Dropout that depends on the input."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dropout_bench.models.layers.noise import Noise
from dropout_bench.streams import Masks


class Standout(Noise):
    """A hidden layer whose dropout depends on its input: y = m ⊙ relu(z), with z = W x + b.

    m ~ Bernoulli(π) with π = σ(z + β): a unit that the input excites is kept more often. β is the
    logit of 1 − p, so that a unit without input is kept with probability 1 − p. In evaluation
    y = π ⊙ relu(z), the expectation. No gradient goes through π.

    Source: Ba and Frey 2013, *Adaptive dropout for training deep neural networks*, NIPS 26,
    equations 1 to 3, with the standout weights tied to the network's (section 3.1, α = 1).

    Args:
        linear: the layer's linear map.
        p: rate of a unit without input, in [0, 1).
        masks: the stream that masks are drawn from.

    Shape:
        (batch, in_features) → (batch, out_features).
    """

    def __init__(self, linear: nn.Module, p: float, masks: Masks) -> None:
        super().__init__(p, masks)
        self.linear = linear

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer; at rate 0 it is that of the standard network."""
        z = self.linear(x)
        if self.p == 0:
            return F.relu(z)
        keep = torch.sigmoid(z.detach() + math.log((1 - self.p) / self.p))
        result: Tensor = F.relu(z) * (self.kept(z, keep) if self.training else keep)
        return result
