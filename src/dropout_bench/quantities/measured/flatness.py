"""How flat the minimum is that training found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dropout_bench.quantities import networks
from dropout_bench.quantities.quantity import Quantity, Row, measured

if TYPE_CHECKING:
    from dropout_bench.data.modules import Subset
    from dropout_bench.models.base import MLP

IMAGES = 1000
DRAWS = 5
STRENGTHS = (0.05, 0.1, 0.2, 0.4)
_AT = "size of the noise over that of the weights"


@measured(
    Quantity("flatness/loss", "loss under noise on the weights", "nats", _AT, STRENGTHS,
             higher_is_better=False),
    Quantity("flatness/rise", "loss gained by noise on the weights", "nats", _AT, STRENGTHS,
             higher_is_better=False),
    Quantity("flatness/accuracy", "accuracy under noise on the weights", "fraction", _AT, STRENGTHS,
             higher_is_better=True),
)  # fmt: skip
def flatness(network: MLP, data: Subset, seed: int) -> Iterator[Row]:
    """Test loss in evaluation mode when noise is put on the weights: a sharp minimum loses more.

    Every weight matrix W, the output's too, becomes W + s · ‖W‖ / √(number of weights) · E, with s
    the strength, the Frobenius norm, and E of standard normal numbers: noise is measured by the
    weights, whose scale dropout changes, and with which the sharpness of the same function changes
    (Dinh et al. 2017, *Sharp minima can generalize for deep nets*, section 3). When a layer's
    weights and offsets are multiplied by a number and those of the next divided by it, nothing
    here changes. Offsets and batch normalisation have no noise.

    The mean over 5 draws of E, the same at each strength: loss, its rise over that without noise,
    and accuracy, in which a network's confidence does not enter. At most 1,000 test images are
    used, at equal distances in the file.
    """
    import torch
    from torch.func import functional_call
    from torch.nn import functional as F

    from dropout_bench.streams import Stream, generator

    images, labels = networks.test_sample(data, IMAGES)
    images = data.floats(images)
    random = generator(seed, Stream.NOISE, index=3)
    matrices = [linear.weight for linear in network.linears]
    weights = {
        name: parameter
        for name, parameter in network.named_parameters()
        if any(parameter is matrix for matrix in matrices)
    }
    clean = float(F.cross_entropy(network(images).double(), labels))
    losses, accuracies = dict.fromkeys(STRENGTHS, 0.0), dict.fromkeys(STRENGTHS, 0.0)
    for _ in range(DRAWS):
        noises = {
            name: torch.randn(weight.shape, generator=random) * weight.square().mean().sqrt()
            for name, weight in weights.items()
        }
        for strength in STRENGTHS:
            noisy = {name: weights[name] + strength * noise for name, noise in noises.items()}
            logits = functional_call(network, noisy, (images,))
            losses[strength] += float(F.cross_entropy(logits.double(), labels)) / DRAWS
            accuracies[strength] += networks.accuracy(logits, labels) / DRAWS
    for strength in STRENGTHS:
        yield "flatness/loss", strength, losses[strength]
        yield "flatness/rise", strength, losses[strength] - clean
        yield "flatness/accuracy", strength, accuracies[strength]
