"""What all layers that put noise into a network have in common."""

import torch
from torch import Tensor, nn

from dropout_bench.streams import Masks


class Noise(nn.Module):
    """A layer with a rate, and a stream of random numbers of its own.

    The stream is handed in, and is the layer's own, so that it disturbs no other random choice:
    runs that differ in their noise alone share all others. A network gives its layers theirs by
    :meth:`dropout_bench.models.base.MLP.masks`.

    Args:
        p: dropout rate, the probability of dropping a unit, in [0, 1).
        masks: the stream that masks are drawn from.

    Attributes:
        rate: the rate that the layer was made with.
        p: the rate that is at work; a variant may change it from epoch to epoch.

    Raises:
        ValueError: p is outside [0, 1).
        TypeError: there is no stream.
    """

    def __init__(self, p: float, masks: Masks) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"dropout rate {p} is outside [0, 1)")
        if not isinstance(masks, Masks):
            raise TypeError("a noise layer needs a stream of its own: Masks(seed, layer)")
        self.rate = p
        self.p = p
        self.masks = masks

    def kept(self, x: Tensor, keep: Tensor | None = None) -> Tensor:
        """Draw which elements of ``x`` are kept: 1 with probability 1 − p, or ``keep``; else 0.

        Uniform numbers are compared with the rate: a third of the price of ``bernoulli_`` on a CPU.
        """
        uniform = torch.rand(
            x.shape, generator=self.masks.on(x.device), device=x.device, dtype=x.dtype
        )
        return uniform.ge_(self.p) if keep is None else (uniform < keep).to(x.dtype)

    @property
    def active(self) -> bool:
        """Whether the layer does anything but pass on its input: in training, at a rate above 0."""
        return self.training and self.p > 0

    def extra_repr(self) -> str:
        """Show the rate where torch prints the module."""
        return f"p={self.p}"
