"""R-Drop: dropout, and two passes with different masks that are to agree with each other.

Every batch goes through the network twice, with masks of its own each time; with the predicted
distributions P₁ and P₂ what is lowered is

    ½ (−log P₁(t | x) − log P₂(t | x)) + α · ½ (KL(P₁ ‖ P₂) + KL(P₂ ‖ P₁)),

averaged over images, with α = 1: half of the paper's loss, so that step sizes mean the same as
without it. In evaluation it is dropout; at rate 0 both passes are the same, and the second term
is 0.

Source: Wu, Li, Wang, Meng, Qin, Chen, Zhang and Liu 2021, *R-Drop: Regularized Dropout for Neural
Networks*, NeurIPS 34, section 2.1, equations 2 to 4.
"""

from torch import Tensor
from torch.nn import functional as F

from dropout_bench.models.base import MLP
from dropout_bench.models.variants.dropout import DropoutMLP
from dropout_bench.params.values import NotNegative


class RDrop(DropoutMLP):
    """Dropout with a second pass in the loss."""

    class Own(MLP.Own):
        """Its own options."""

        alpha: NotNegative = 1.0
        """weight of the divergence between both passes"""

    def loss(self, images: Tensor, labels: Tensor, logits: Tensor) -> Tensor:
        """Return the mean cross-entropy of both passes, and α times their divergence."""
        again = self(images)
        first, second = logits.log_softmax(1), again.log_softmax(1)
        both = F.nll_loss(first, labels) + F.nll_loss(second, labels)
        apart = F.kl_div(first, second, log_target=True, reduction="batchmean")
        apart = apart + F.kl_div(second, first, log_target=True, reduction="batchmean")
        return both / 2 + self.own.alpha * apart / 2
