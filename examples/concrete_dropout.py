"""Concrete dropout: dropout whose rate is learned, layer by layer, through a relaxed mask.

In training a hidden layer gives h = relu(W x + b) ⊙ (1 − z) / (1 − p), in evaluation relu(W x + b),
with the concrete relaxation of a Bernoulli variable at temperature t = 0.1,

    z = σ( (log p − log(1 − p) + log u − log(1 − u)) / t ),  u ~ U(0, 1).

What is lowered is the cross-entropy and, for each layer with K units in front of weights V,

    l² / N · ‖V‖² / (1 − p) − K / N · H(p),  H(p) = −p log p − (1 − p) log(1 − p),

with N training images and a prior's length scale l = 0.01. p begins at the rate that is given; at
rate 0 there is no noise, and none is learned. N is counted in the first epoch, which goes without
these terms.

Source: Gal, Hron and Kendall 2017, *Concrete Dropout*, NIPS 30: the objective, section 3, equations
1 to 4; the relaxation, equation 5. ‖V‖² stands over 1 − p, as in the authors' code, since V are the
weights before the mask's scaling.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dropout_bench.models.base import MLP
from dropout_bench.models.layers.noise import Noise
from dropout_bench.streams import Masks

TEMPERATURE, LENGTH = 0.1, 0.01


class RelaxedDropout(Noise):
    """y = x ⊙ (1 − z) / (1 − p) in training, with a learned rate p; y = x else."""

    def __init__(self, rate: float, masks: Masks) -> None:
        super().__init__(rate, masks)
        self.logit = nn.Parameter(torch.tensor(math.log(rate / (1 - rate)) if rate else 0.0))

    def forward(self, x: Tensor) -> Tensor:
        """Drop units of ``x``, nearly, in training."""
        if not self.active:
            return x
        u = torch.rand(x.shape, generator=self.masks.on(x.device), device=x.device)
        z = torch.sigmoid((self.logit + torch.logit(u, eps=1e-6)) / TEMPERATURE)
        return x * (1 - z) / torch.sigmoid(-self.logit)

    def regularisation(self, weights: Tensor) -> Tensor:
        """Return l² ‖V‖² / (1 − p) − K H(p), of the weights that the units go into."""
        p, kept = torch.sigmoid(self.logit), torch.sigmoid(-self.logit)
        entropy = -p * F.logsigmoid(self.logit) - kept * F.logsigmoid(-self.logit)
        return LENGTH**2 * weights.square().sum() / kept - weights.shape[1] * entropy


class ConcreteDropout(MLP):
    """Relaxed dropout after every activation, and its regularisation in the loss."""

    seen, images = 0, 0  # in this epoch, and in a whole one

    def hidden_layer(self, linear: nn.Linear, rate: float, number: int) -> list[nn.Module]:
        """Linear map, activation, noise."""
        return [linear, nn.ReLU(), RelaxedDropout(rate, self.masks(number))]

    def on_epoch(self, progress: float) -> None:
        """Note how many images the last epoch had."""
        self.images, self.seen = self.seen, 0

    def loss(self, images: Tensor, labels: Tensor, logits: Tensor) -> Tensor:
        """Return the cross-entropy, and the regularisation by image of the training set."""
        self.seen += len(images)
        cost = super().loss(images, labels, logits)
        for layer, after in zip(self.hidden_layers(), self.linears[1:], strict=True):
            if self.images and isinstance(noise := layer[-1], RelaxedDropout) and noise.p:
                cost = cost + noise.regularisation(after.weight) / self.images
        return cost
