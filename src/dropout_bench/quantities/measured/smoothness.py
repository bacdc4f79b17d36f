"""How steep a network is at the images."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dropout_bench.quantities import networks
from dropout_bench.quantities.quantity import Quantity, Row, measured

if TYPE_CHECKING:
    from torch import Tensor

    from dropout_bench.data.modules import Subset
    from dropout_bench.models.base import MLP

IMAGES = 1000
_AT = "always 1"


@measured(
    Quantity("smoothness/input-gradient", "gradient of the loss at the image", "nats", _AT, (1,)),
    Quantity("smoothness/margin-gradient", "relative gradient of the margin", "", _AT, (1,)),
)
def smoothness(network: MLP, data: Subset, seed: int) -> Iterator[Row]:
    """Gradients at test images, in evaluation mode; the smoother a network, the smaller.

    ``smoothness/input-gradient``, at 1: mean over images of ‖∂ℓ/∂x‖, the Euclidean norm of the
    gradient of an image's loss ℓ with regard to its pixels x in [0, 1] (Novak et al. 2018,
    *Sensitivity and generalization in neural networks*, have that of the predictions), in nats per
    unit: how the pixels are normalised does not enter. It is small where a network is sure, right
    or wrong, since the loss is flat there.

    ``smoothness/margin-gradient``, at 1: mean of ‖∂g/∂x‖ over mean of g, with the margin g between
    the largest logit and the second. It is the same when all logits are multiplied by a number, so
    that confidence does not enter. g / ‖∂g/∂x‖ is how far a boundary between classes would be, if
    the network were linear (Elsayed et al. 2018, *Large margin deep networks for classification*,
    equation 7): this is about the inverse of the mean distance. Means are taken before dividing,
    for an image on a boundary has a margin of 0.

    At most 1,000 test images are used, at equal distances in the file.
    """
    import torch
    from torch.nn import functional as F

    with torch.inference_mode(mode=False), torch.enable_grad():
        images, labels = networks.test_sample(data, IMAGES)
        x = data.floats(images).requires_grad_()
        logits = network(x)
        # An image's loss depends on no other image, so the gradient of the sum has those of all.
        loss = F.cross_entropy(logits, labels, reduction="sum")
        two = logits.topk(2).values
        margins = two[:, 0] - two[:, 1]
        (of_loss,) = torch.autograd.grad(loss, x, retain_graph=True)
        (of_margin,) = torch.autograd.grad(margins.sum(), x)
    # x = (v − mean) / sd, so ∂/∂v = ∂/∂x / sd.
    steep = _mean_norm(of_margin) / data.normalise.sd
    yield "smoothness/input-gradient", 1, _mean_norm(of_loss) / data.normalise.sd
    yield "smoothness/margin-gradient", 1, steep / max(1e-12, float(margins.double().mean()))


def _mean_norm(gradient: Tensor) -> float:
    return float(gradient.flatten(1).double().norm(dim=1).mean())
