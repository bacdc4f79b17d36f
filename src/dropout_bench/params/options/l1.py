"""The L1 penalty."""

from typing import TYPE_CHECKING

from dropout_bench.params.options.base import Option
from dropout_bench.params.values import NotNegative

if TYPE_CHECKING:
    from torch import Tensor

    from dropout_bench.models.base import MLP


class L1(Option):
    """λ · Σ |w| over the weights of the linear maps, their offsets left out, in the loss."""

    l1: NotNegative = 0.0
    """factor λ of an L1 penalty λ · Σ |w| in the loss"""

    def penalty(self, network: "MLP") -> "Tensor":
        """Return the penalty, a scalar."""
        import torch

        return self.l1 * torch.stack([each.weight.abs().sum() for each in network.linears]).sum()
