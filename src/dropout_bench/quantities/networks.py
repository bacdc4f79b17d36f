"""What measures have in common: images, accuracy, and ways through a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn

    from dropout_bench.data.modules import Subset
    from dropout_bench.models.base import MLP


def test_set(data: Subset) -> tuple[Tensor, Tensor]:
    """Return the test images of the chosen classes, as bytes, and their labels."""
    return test_sample(data, len(data.test))


def test_sample(data: Subset, most: int) -> tuple[Tensor, Tensor]:
    """Return at most so many test images, as bytes, and their labels.

    They stand at equal distances in the file: its order may mean something, as that of MNIST's
    test images does, of which the first half are the easier ones.
    """
    import torch

    every = -(-len(data.test) // most)
    chosen = torch.from_numpy(data.test[::every])
    return data.test_images[chosen], data.test_labels[chosen]


def train_set(data: Subset, most: int = 1000) -> tuple[Tensor, Tensor]:
    """Return the first images that are trained on, normalised, and the labels given for them."""
    import torch

    chosen = torch.from_numpy(data.split.train[:most])
    return data.floats(data.train_images[chosen]), data.train_labels[chosen]


def accuracy(scores: Tensor, labels: Tensor) -> float:
    """Return the fraction of images whose largest score is that of their class."""
    return float((scores.argmax(1) == labels).double().mean())


def parts(network: MLP) -> tuple[nn.Sequential, nn.Sequential]:
    """Return the layers up to the first hidden one, it included, and those after it."""
    from torch import nn

    layers = [*network.network]
    after = 1 + layers.index(network.hidden_layers()[0])
    return nn.Sequential(*layers[:after]), nn.Sequential(*layers[after:])


def hidden_outputs(network: MLP, images: Tensor) -> list[Tensor]:
    """Return the outputs of the hidden layers, in order; each (images, units)."""
    outputs = []
    for layer in network.network:
        images = layer(images)
        if layer in network.hidden_layers():
            outputs.append(images)
    return outputs


def until_noise(network: MLP) -> tuple[nn.Sequential, nn.Sequential]:
    """Return the layers up to the first hidden one, it included, cut where the noise sets in.

    What the first of the two gives is the same in training as in evaluation, and in every pass.
    """
    from itertools import takewhile

    from torch import nn

    from dropout_bench.models.layers.noise import Noise

    first = [*parts(network)[0]]
    steps = [*first[:-1], *network.hidden_layers()[0]]
    certain = takewhile(lambda step: not any(isinstance(m, Noise) for m in step.modules()), steps)
    count = len([*certain])
    return nn.Sequential(*steps[:count]), nn.Sequential(*steps[count:])


def let_noise_in(network: MLP, stream: int) -> None:
    """Have the noise layers, and them alone, act as in training; with another stream."""
    for layer in network.noise_layers():
        layer.masks.restart(stream)
        layer.train()
