"""Multiplicative Gaussian noise."""

import math

import torch
from torch import Tensor

from dropout_bench.models.layers.noise import Noise


class GaussianDropout(Noise):
    """Multiplicative Gaussian noise: y = x ⊙ r in training, with r ~ N(1, p / (1 − p)); y = x else.

    Mean and variance of r are those of the mask of inverted dropout at rate p.

    Source: Srivastava et al. 2014, section 10.

    Shape:
        Any; the result has the input's.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Multiply units of ``x`` by noise in training; return ``x`` otherwise."""
        if not self.active:
            return x
        normal = torch.randn(
            x.shape, generator=self.masks.on(x.device), device=x.device, dtype=x.dtype
        )
        return x * normal.mul_(math.sqrt(self.p / (1 - self.p))).add_(1)
