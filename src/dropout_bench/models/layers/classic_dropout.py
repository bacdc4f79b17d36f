"""Dropout as first published."""

from torch import Tensor

from dropout_bench.models.layers.noise import Noise


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
