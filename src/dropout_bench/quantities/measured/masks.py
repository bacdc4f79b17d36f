"""Averages over sampled masks, the alternative to scaling weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dropout_bench.quantities import networks
from dropout_bench.quantities.quantity import Quantity, Row, measured

if TYPE_CHECKING:
    from torch import Tensor

    from dropout_bench.data.modules import Subset
    from dropout_bench.models.base import MLP

MASKS = (1, 2, 5, 10, 20, 50, 100)
_AT = "number of sampled masks; 0 is evaluation"


@measured(
    Quantity("masks/accuracy", "accuracy", "fraction", _AT, (0, *MASKS), higher_is_better=True),
    Quantity("masks/loss", "loss", "nats", _AT, (0, *MASKS), higher_is_better=False),
    Quantity("masks/entropy", "predictive entropy", "nats", _AT, (0, *MASKS)),
    Quantity("masks/difference", "accuracy, over that of scaling", "fraction", _AT, MASKS),
    Quantity("masks/standard-error", "standard error of that", "fraction", _AT, MASKS),
    Quantity("masks/apart", "difference from scaling in standard errors", "ratio", _AT, MASKS),
    Quantity(
        "masks/activation", "activation, training over evaluation", "ratio", _AT, MASKS
    ),
)  # fmt: skip
def masks(network: MLP, data: Subset, seed: int) -> Iterator[Row]:
    """Average the predicted probabilities over k sampled masks, k = 1 … 100.

    The average of all thinned networks is what scaling the weights stands for (Srivastava et al.
    2014, section 7.5, figure 11). At each k: accuracy, loss, and the predictive entropy
    −Σ p log p in nats, averaged over the test images; at 0, the same by weight scaling.
    ``masks/activation`` is the mean activation of the first hidden layer, averaged over the k
    masks, over that of evaluation: 1 where dropout keeps the expectation of what it drops from.

    ``masks/difference`` is the accuracy with k masks less that of weight scaling. Both are of the
    same images, so its standard error is that of a paired difference, √(Σ (dᵢ − d̄)²) / n, with
    dᵢ = 1 where k masks alone are right, −1 where scaling alone is, 0 else: the images that both
    get right or wrong add next to nothing. ``masks/apart`` is ǀdifferenceǀ over standard error: up
    to about 2 it may be chance; 0 where there is no difference.

    Every fifth test image is used, n = 2,000 of 10,000: a sampled network costs as much as an
    evaluation.
    """
    import torch

    images, labels = networks.test_set(data)
    images, labels = data.floats(images[::5]), labels[::5]
    _, rest = networks.parts(network)
    certain, drawn = networks.until_noise(network)
    before = certain(images)
    scaled = drawn(before)
    evaluated = float(scaled.double().mean())
    probabilities = rest(scaled).softmax(1)
    yield from _prediction(probabilities, labels, 0)
    right = probabilities.argmax(1) == labels
    networks.let_noise_in(network, stream=0)
    noisy = bool(network.noise_layers())
    total, activation = torch.zeros(()), 0.0
    for count in range(1, MASKS[-1] + 1):
        if noisy or count == 1:  # without noise every pass is the same
            sampled = drawn(before)
            probabilities = rest(sampled).softmax(1)
            mean = float(sampled.double().mean())
        total = total + probabilities
        activation += mean
        if count in MASKS:
            yield from _prediction(total / count, labels, count)
            yield from _difference((total.argmax(1) == labels).double() - right.double(), count)
            # A layer that is silent is so with every mask.
            yield "masks/activation", count, activation / count / evaluated if evaluated else 1
    network.eval()


def _difference(between: Tensor, at: float) -> Iterator[Row]:
    difference = float(between.mean())
    error = float(between.std(correction=0)) / len(between) ** 0.5
    yield "masks/difference", at, difference
    yield "masks/standard-error", at, error
    # An error of 0 and a difference: one side is right on every image, the other on none.
    yield "masks/apart", at, abs(difference) / (error or 1.0)


def _prediction(probabilities: Tensor, labels: Tensor, at: float) -> Iterator[Row]:
    import torch

    yield "masks/accuracy", at, networks.accuracy(probabilities, labels)
    likelihood = probabilities[torch.arange(len(labels)), labels]
    yield "masks/loss", at, float(-likelihood.clamp_min(1e-12).log().double().mean())
    entropy = torch.special.entr(probabilities).sum(1)
    yield "masks/entropy", at, float(entropy.double().mean())
