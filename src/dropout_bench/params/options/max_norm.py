"""Max-norm."""

from typing import TYPE_CHECKING

from dropout_bench.params.options.base import Option
from dropout_bench.params.values import Positive

if TYPE_CHECKING:
    from dropout_bench.models.base import MLP


class MaxNorm(Option):
    """The weights into a hidden unit have a Euclidean norm of at most c.

    Longer ones are shortened to it after each step (Srivastava et al. 2014, section 5.1).
    """

    max_norm: Positive | None = None
    """largest norm of the weights into a hidden unit"""

    def after_step(self, network: "MLP") -> None:
        """Shorten the weights that are too long."""
        import torch

        longest = self.max_norm or torch.inf
        with torch.no_grad():
            for weight in network.hidden_weights:
                weight.copy_(torch.renorm(weight, p=2, dim=0, maxnorm=longest))
