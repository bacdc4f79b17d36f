"""Layers that put noise into a network: dropout and its relatives."""

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dropout_bench.models.linear import PortableLinear, portable_linear
from dropout_bench.streams import Stream, generator


class Noise(nn.Module):
    """A layer with a rate and a stream of random numbers of its own.

    The stream is the layer's own, so that it disturbs no other random choice: runs that differ in
    their noise alone share all others.

    Args:
        p: dropout rate, the probability of dropping a unit, in [0, 1).
        seed: seed of the stream.
        layer: number of the layer; each has a stream of its own.

    Raises:
        ValueError: p is outside [0, 1).
    """

    def __init__(self, p: float, seed: int = 0, layer: int = 0) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"dropout rate {p} is outside [0, 1)")
        self.p = p
        self.seed = seed
        self.layer = layer
        self._stream: torch.Generator | None = None

    def stream(self, device: torch.device) -> torch.Generator:
        """Return the layer's generator on ``device``; each call of the layer goes on in it."""
        if self._stream is None or self._stream.device != device:
            self._stream = generator(self.seed, Stream.MASKS, self.layer, device)
        return self._stream

    def restart(self, index: int) -> None:
        """Begin another stream, the one of this index: the masks that averaging samples."""
        self._stream = None
        self.layer = 1000 * (index + 1) + self.layer % 1000

    def kept(self, x: Tensor, keep: Tensor | None = None) -> Tensor:
        """Draw which elements of ``x`` are kept: 1 with probability 1 − p, or ``keep``; else 0.

        Uniform numbers are compared with the rate: a third of the price of ``bernoulli_`` on a CPU.
        """
        uniform = torch.rand(
            x.shape, generator=self.stream(x.device), device=x.device, dtype=x.dtype
        )
        return uniform.ge_(self.p) if keep is None else (uniform < keep).to(x.dtype)

    @property
    def active(self) -> bool:
        """Whether the layer does anything but pass on its input: in training, at a rate above 0."""
        return self.training and self.p > 0

    def extra_repr(self) -> str:
        """Show the rate where torch prints the module."""
        return f"p={self.p}"


class Dropout(Noise):
    """Inverted dropout: y = m ⊙ x / (1 − p) in training, with m ~ Bernoulli(1 − p); y = x else.

    Each unit is dropped with probability p, independently for every unit of every example. The
    factor 1 / (1 − p), the inverse of the keep probability, keeps the expectation, E[y] = x, so
    evaluation needs no scaling. Same law as :class:`torch.nn.Dropout`; only the masks come from a
    stream of their own.

    Source: Srivastava et al. 2014, *Dropout: A Simple Way to Prevent Neural Networks from
    Overfitting*, JMLR 15, section 4 (the mask) and section 10 (the scaling in training).

    Shape:
        Any; the result has the input's.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Drop units of ``x`` in training; return ``x`` itself in evaluation or at rate 0."""
        return x * self.mask(x) if self.active else x

    def mask(self, x: Tensor) -> Tensor:
        """Draw a mask for ``x``: each element is 0, or 1 / (1 − p)."""
        return self.kept(x).mul_(1 / (1 - self.p))


class ClassicDropout(Noise):
    """Dropout as first published: y = m ⊙ x in training, y = (1 − p) x in evaluation.

    Evaluation scales what training did not, so that a unit's expected output is the same in both.

    Source: Srivastava et al. 2014, section 4, figure 2: at test time the weights are multiplied by
    the keep probability; multiplying the activations before them is the same.

    Shape:
        Any; the result has the input's.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Drop units of ``x`` in training, scale them in evaluation."""
        return x * self.kept(x) if self.active else x * (1 - self.p)


class UnscaledDropout(ClassicDropout):
    """The mistake that inverted dropout avoids: y = m ⊙ x in training, y = x in evaluation.

    Without the factor 1 − p a unit's output in evaluation is 1 / (1 − p) times what the next layer
    has learned to expect.

    Shape:
        Any; the result has the input's.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Drop units of ``x`` in training; return ``x`` in evaluation."""
        return x * self.kept(x) if self.active else x


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
            x.shape, generator=self.stream(x.device), device=x.device, dtype=x.dtype
        )
        return x * normal.mul_(math.sqrt(self.p / (1 - self.p))).add_(1)


class AlphaDropout(Noise):
    """Dropout for self-normalising networks: a dropped unit takes SELU's lowest value α′ = −λα.

    y = a (m ⊙ x + (1 − m) α′) + b in training, with q = 1 − p, a = (q + α′² q (1 − q))^(−1/2) and
    b = −a (1 − q) α′: inputs of mean 0 and variance 1 keep both. y = x otherwise.

    Source: Klambauer et al. 2017, *Self-Normalizing Neural Networks*, section 2, "new dropout
    technique". Same law as :class:`torch.nn.AlphaDropout`.

    Shape:
        Any; the result has the input's.
    """

    lowest = -1.7580993408473766

    def forward(self, x: Tensor) -> Tensor:
        """Set units of ``x`` to the lowest value, and normalise, in training."""
        if not self.active:
            return x
        q = 1 - self.p
        a = (q + self.lowest**2 * q * self.p) ** -0.5
        b = -a * self.p * self.lowest
        kept = self.kept(x)
        result: Tensor = a * (x * kept + self.lowest * (1 - kept)) + b
        return result


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
        seed: seed of the stream of masks.
        layer: number of the layer.

    Shape:
        (batch, in_features) → (batch, out_features).
    """

    def __init__(self, linear: nn.Module, p: float, seed: int = 0, layer: int = 0) -> None:
        super().__init__(p, seed, layer)
        self.linear = linear

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer; at rate 0 it is that of the standard network."""
        z = self.linear(x)
        if self.p == 0:
            return F.relu(z)
        keep = torch.sigmoid(z.detach() + math.log((1 - self.p) / self.p))
        result: Tensor = F.relu(z) * (self.kept(z, keep) if self.training else keep)
        return result


class DropConnect(Noise):
    """A linear map that drops weights: y = (M ⊙ W / (1 − p)) x + b in training; y = W x + b else.

    One mask M ~ Bernoulli(1 − p) for all examples of a batch, where the source draws one for each
    example: that would cost a matrix product for each. Evaluation uses the mean of the weights,
    where the source samples from a Gaussian of the pre-activations' mean and variance.

    Source: Wan et al. 2013, *Regularization of Neural Networks using DropConnect*, ICML 30,
    sections 2.2 and 3.

    Args:
        linear: the linear map.
        p: probability of dropping a weight, in [0, 1).
        seed: seed of the stream of masks.
        layer: number of the layer.

    Shape:
        (batch, in_features) → (batch, out_features).
    """

    def __init__(self, linear: nn.Module, p: float, seed: int = 0, layer: int = 0) -> None:
        super().__init__(p, seed, layer)
        self.linear = linear

    def forward(self, x: Tensor) -> Tensor:
        """Apply the linear map, with some of its weights dropped in training."""
        linear = cast("PortableLinear", self.linear)
        if not self.active:
            result: Tensor = linear(x)
            return result
        mask = self.kept(linear.weight).mul_(1 / (1 - self.p))
        return portable_linear(x, linear.weight * mask, linear.bias)
