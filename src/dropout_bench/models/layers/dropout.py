"""Inverted dropout."""

from torch import Tensor

from dropout_bench.models.layers.noise import Noise


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
