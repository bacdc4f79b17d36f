"""Gradients of the loss, layer by layer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dropout_bench.quantities import networks
from dropout_bench.quantities.quantity import LAYER, Quantity, Row, measured

if TYPE_CHECKING:
    from dropout_bench.data.modules import Subset
    from dropout_bench.models.base import MLP


@measured(
    Quantity("gradients/norm", "gradient of the weights over the weights", "ratio", LAYER),
    Quantity(
        "gradients/ratio", "gradient of the first layer over the last", "ratio", "always 1", (1,)
    ),
)
def gradients(network: MLP, data: Subset, seed: int) -> Iterator[Row]:
    """Norms of the loss's gradient with dropout at work, by hidden layer, on 1,000 training images.

    ``gradients/norm``: Euclidean norm of the gradient of the layer's weights, divided by that of
    the weights. ``gradients/ratio``, at 1: that of the first hidden layer over that of the last.
    """
    import torch
    from torch.nn import functional as F

    chosen = torch.from_numpy(data.split.train[:1000])
    networks.let_noise_in(network, stream=1)
    weights = network.hidden_weights
    with torch.inference_mode(mode=False), torch.enable_grad():
        logits = network(data.floats(data.train_images[chosen]))
        loss = F.cross_entropy(logits, data.train_labels[chosen])
        found = torch.autograd.grad(loss, weights)
    network.eval()
    pairs = zip(found, weights, strict=True)
    norms = [float(gradient.norm() / weight.detach().norm()) for gradient, weight in pairs]
    for layer, norm in enumerate(norms, start=1):
        yield "gradients/norm", layer, norm
    yield "gradients/ratio", 1, norms[0] / norms[-1]
