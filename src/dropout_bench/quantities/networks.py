"""What measures have in common: test images, accuracy, and ways through a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn

    from dropout_bench.data.modules import Subset
    from dropout_bench.models.base import MLP


def test_set(data: Subset) -> tuple[Tensor, Tensor]:
    """Return the test images of the chosen classes, as bytes, and their labels."""
    import torch

    chosen = torch.from_numpy(data.test)
    return data.test_images[chosen], data.test_labels[chosen]


def accuracy(scores: Tensor, labels: Tensor) -> float:
    """Return the fraction of images whose largest score is that of their class."""
    return float((scores.argmax(1) == labels).double().mean())


def parts(network: MLP) -> tuple[nn.Module, nn.Module]:
    """Return the layers up to the first hidden one, it included, and those after it."""
    after = 1 + list(network.network).index(network.hidden_layers()[0])
    return network.network[:after], network.network[after:]


def hidden_outputs(network: MLP, images: Tensor) -> list[Tensor]:
    """Return the outputs of the hidden layers, in order; each (images, units)."""
    outputs = []
    for layer in network.network:
        images = layer(images)
        if layer in network.hidden_layers():
            outputs.append(images)
    return outputs


def let_noise_in(network: MLP, stream: int) -> None:
    """Have the noise layers, and them alone, act as in training; with another stream."""
    for layer in network.noise_layers():
        layer.masks.restart(stream)
        layer.train()
