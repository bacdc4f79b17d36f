"""Variational dropout: multiplicative Gaussian noise whose variance is learned, for every unit.

In training a hidden layer gives h = relu(W x + b) ⊙ s with sᵢ ~ N(1, αᵢ), αᵢ ≤ 1, and h without
noise in evaluation. What is lowered is the negative of the variational lower bound by image,

    −1/M Σ log p(t | x, s) + 1/N Σᵢ KL(αᵢ),
    −KL(α) ≈ ½ log α + c₁ α + c₂ α² + c₃ α³ + constant,

with M images in a batch and N in the training set. αᵢ begins at p / (1 − p), of the rate p that is
given; at rate 0 there is no noise, and none is learned. N is counted in the first epoch, which goes
without the second term.

Source: Kingma, Salimans and Welling 2015, *Variational Dropout and the Local Reparameterization
Trick*, NIPS 28: correlated weight noise, section 3.2; the approximation of KL, section 3.3; α
learned and at most 1, section 3.4.
"""

import math

import torch
from torch import Tensor, nn

from dropout_bench.models.base import MLP
from dropout_bench.models.layers.noise import Noise
from dropout_bench.streams import Masks

C1, C2, C3 = 1.16145124, -1.50204118, 0.58629921


class LearnedNoise(Noise):
    """y = x ⊙ s in training, sᵢ ~ N(1, αᵢ) with a learned αᵢ for each unit; y = x else."""

    def __init__(self, units: int, rate: float, masks: Masks) -> None:
        super().__init__(rate, masks)
        start = math.log(rate / (1 - rate)) if rate else 0.0
        self.log_alpha = nn.Parameter(torch.full((units,), min(start, 0.0)))

    @property
    def alpha(self) -> Tensor:
        """The variance of each unit's noise, at most 1."""
        return self.log_alpha.clamp(max=0.0).exp()

    def forward(self, x: Tensor) -> Tensor:
        """Multiply units of ``x`` by noise in training."""
        if not self.active:
            return x
        normal = torch.randn(x.shape, generator=self.masks.on(x.device), device=x.device)
        return x * (1 + self.alpha.sqrt() * normal)

    def divergence(self) -> Tensor:
        """Sum KL(αᵢ) over the units, but for a constant."""
        a = self.alpha
        return -(0.5 * a.log() + C1 * a + C2 * a**2 + C3 * a**3).sum()


class VariationalDropout(MLP):
    """Learned noise after every activation, and its divergence in the loss."""

    seen, images = 0, 0  # in this epoch, and in a whole one

    def hidden_layer(self, linear: nn.Linear, rate: float, number: int) -> list[nn.Module]:
        """Linear map, activation, noise."""
        return [linear, nn.ReLU(), LearnedNoise(linear.out_features, rate, self.masks(number))]

    def on_epoch(self, progress: float) -> None:
        """Note how many images the last epoch had."""
        self.images, self.seen = self.seen, 0

    def loss(self, images: Tensor, labels: Tensor, logits: Tensor) -> Tensor:
        """Return the cross-entropy, and the divergence by image of the training set."""
        self.seen += len(images)
        cost = super().loss(images, labels, logits)
        layers = [each for each in self.noise_layers() if isinstance(each, LearnedNoise) and each.p]
        if self.images and layers:
            cost = cost + torch.stack([each.divergence() for each in layers]).sum() / self.images
        return cost
