"""Gradients of the loss, layer by layer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dropout_bench.quantities import networks
from dropout_bench.quantities.quantity import LAYER, Quantity, Row, measured

if TYPE_CHECKING:
    from torch import Tensor

    from dropout_bench.data.modules import Subset
    from dropout_bench.models.base import MLP

_AT = "always 1"


@measured(
    Quantity("gradients/norm", "gradient of the weights over the weights", "ratio", LAYER),
    Quantity("gradients/arriving", "gradient arriving, over that of the logits", "ratio", LAYER),
    Quantity("gradients/first", "gradient at the first layer over the last", "ratio", _AT, (1,)),
    Quantity(
        "gradients/untrained", "gradient at the first layer over the last, before training",
        "ratio", _AT, (1,),
    ),
)  # fmt: skip
def gradients(network: MLP, data: Subset, seed: int) -> Iterator[Row]:
    """Norms of the loss's gradient with dropout at work, by hidden layer, on 1,000 training images.

    ``gradients/norm``: Euclidean norm of the gradient of the layer's weights, divided by that of
    the weights. It falls and rises with the loss, and with how much the gradients of the images
    cancel.

    ``gradients/arriving``: √(mean over images of (‖∂ℓ/∂h‖ / ‖∂ℓ/∂z‖)²), with an image's loss ℓ, its
    logits z and the outputs h of the hidden layer: how much of an error is left when it arrives
    there. The size of each image's error, ‖∂ℓ/∂z‖ = ‖p − y‖, cancels, and images are not summed
    before norms are taken: it is as if all networks had the same loss, and an error of norm 1 at
    every image. It is of back-propagated gradients, as Glorot and Bengio 2010, section 4.2.1, have
    them, and not of those of the weights, which the layer's own inputs enter too: pixels at the
    first, activations that dropout changes at the others.

    ``gradients/first``, at 1: what arrives at the first hidden layer over what arrives at the last;
    far below 1 gradients vanish, far above they explode, with one hidden layer it is 1. The output
    layer's weights, which are larger in a more confident network, cancel.
    ``gradients/untrained``: the same of the network before its training.
    """
    import torch
    from torch.nn import functional as F

    weights = network.hidden_weights
    with torch.inference_mode(mode=False), torch.enable_grad():
        images, labels = networks.train_set(data)
        networks.let_noise_in(network, stream=1)
        loss = F.cross_entropy(network(images), labels)
        found = torch.autograd.grad(loss, weights)
        arriving = _arriving(network, images, labels)
        untrained = _arriving(type(network)(**network.hparams).eval(), images, labels)
    pairs = zip(found, weights, strict=True)
    for layer, (gradient, weight) in enumerate(pairs, start=1):
        yield "gradients/norm", layer, float(gradient.norm() / weight.detach().norm())
    for layer, norm in enumerate(arriving, start=1):
        yield "gradients/arriving", layer, norm
    yield "gradients/first", 1, arriving[0] / arriving[-1]
    yield "gradients/untrained", 1, untrained[0] / untrained[-1]


def _arriving(network: MLP, images: Tensor, labels: Tensor) -> list[float]:
    """Return what arrives at each hidden layer, of an error of norm 1 at each image's logits."""
    import torch

    networks.let_noise_in(network, stream=1)
    outputs = networks.hidden_outputs(network, images)
    logits = network.network[-1](outputs[-1])
    network.eval()
    found = torch.autograd.grad(logits, outputs, unit_error(logits.detach(), labels))
    return [float(gradient.double().square().sum(1).mean().sqrt()) for gradient in found]


def unit_error(logits: Tensor, labels: Tensor) -> Tensor:
    """Return (p − y) / ‖p − y‖ for each image, also where p is 1 but for rounding.

    Shapes: logits (images, classes), labels (images,); the result is like the logits.
    """
    z = logits.double()
    z = z - z.scatter(1, labels[:, None], float("-inf")).max(1, keepdim=True).values
    # p − y but for a factor of each image, without which it would be too small where p is 1.
    wrong = z.exp().scatter(1, labels[:, None], 0.0)
    error = wrong.scatter(1, labels[:, None], -wrong.sum(1, keepdim=True))
    unit: Tensor = error / error.norm(dim=1, keepdim=True)
    return unit.to(logits.dtype)
