"""Uniform noise: noise around 1 with the variance of dropout's, but without its zeros.

In training h ⊙ z with z ~ U(1 − w, 1 + w) and w = √(3 p / (1 − p)), so that Var z = w² / 3 =
p / (1 − p), as that of inverted dropout at rate p; in evaluation h.

A plain layer: any ``nn.Module`` that takes a rate. It is asked here whether it is the zeros of
dropout that help, or noise of that size (Srivastava et al. 2014, section 10, ask the same of
Gaussian noise).
"""

import torch
from torch import Tensor, nn


class UniformNoise(nn.Module):
    """Multiplies by uniform noise around 1 of variance rate / (1 − rate)."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.width = (3 * rate / (1 - rate)) ** 0.5

    def forward(self, x: Tensor) -> Tensor:
        """Multiply by noise in training; leave as it is in evaluation."""
        return x * (1 + self.width * (2 * torch.rand_like(x) - 1)) if self.training else x
