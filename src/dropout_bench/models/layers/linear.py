"""A linear layer that gives the same bits on every x86-64 CPU with AVX2."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from dropout_bench.numerics import PORTABLE, arithmetic


def _product(left: Tensor, right: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return left · rightᵀ + bias through oneDNN. Shapes: (n, k), (m, k), (m,) → (n, m)."""
    result: Tensor = torch.ops.mkldnn._linear_pointwise(left, right, bias, "none", [], "")
    return result


class _OneDNNLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _product(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, Tensor | None]:
        x, weight = ctx.saved_tensors
        for_x = _product(gradient, weight.t()) if ctx.needs_input_grad[0] else None
        for_bias = gradient.sum(0) if ctx.needs_input_grad[2] else None
        return for_x, _product(gradient.t(), x.t()), for_bias


def portable_linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return x Wᵀ + b: the same bits on every x86-64 CPU with AVX2, where the pins allow it.

    Shapes: x (batch, in_features), weight (out_features, in_features), bias (out_features,).
    """
    # torch.compile cannot look into an operator that is private to torch: it gets its own.
    usable = not torch.compiler.is_compiling() and x.dtype == torch.float32
    if usable and arithmetic(x.device.type) == PORTABLE:
        return _OneDNNLinear.apply(x, weight, bias)  # type: ignore[no-untyped-call,no-any-return]
    return F.linear(x, weight, bias)


class PortableLinear(nn.Linear):
    """y = x Wᵀ + b, as :class:`torch.nn.Linear`, with its parameters and state dict.

    Under the pinned environment (:mod:`dropout_bench.numerics`) the three matrix products, of the
    forward and the backward pass, go through oneDNN. MKL, which ``nn.Linear`` uses, picks its
    kernels by CPU vendor, and its portable mode takes 2.5 times as long. Elsewhere (on a GPU, on
    another processor, where the operator, private to torch, is missing; for other than float32;
    under ``torch.compile``) this is ``nn.Linear``.

    Shape:
        x: (batch, in_features); the result: (batch, out_features).
    """

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer to ``x``, of shape (batch, in_features)."""
        return portable_linear(x, self.weight, self.bias)
