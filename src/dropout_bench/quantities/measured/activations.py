"""How active the hidden units are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dropout_bench.quantities import networks
from dropout_bench.quantities.quantity import LAYER, Quantity, Row, measured

if TYPE_CHECKING:
    from torch import Tensor

    from dropout_bench.data.modules import Subset
    from dropout_bench.models.base import MLP

BINS = tuple(number / 4 for number in range(21))


@measured(
    Quantity("activations/mean", "mean activation", at=LAYER),
    Quantity("activations/zeros", "activations that are zero", "fraction", LAYER),
    Quantity("activations/relative-unevenness", "uneven activation of units", "ratio", LAYER),
    Quantity(
        "activations/training-zeros", "activations that are zero in training", "fraction", LAYER
    ),
    Quantity(
        "activations/training-relative-unevenness", "uneven activation of units in training",
        "ratio", LAYER,
    ),
    Quantity(
        "activations/histogram", "share of activations", "fraction", "lower edge of the bin", BINS
    ),
)  # fmt: skip
def activations(network: MLP, data: Subset, seed: int) -> Iterator[Row]:
    """Activations of the hidden layers on the test images (Srivastava et al. 2014, figure 8).

    By layer, from 1: mean and share of zeros; ``activations/relative-unevenness``, the standard
    deviation over units of their mean activation, over the mean over units of the means' absolute
    values, as a measure of how irregular they are: a coefficient of variation, the same when all
    activations are multiplied by a number; 0 where all units are alike. The histogram is of the
    first layer: share of activations in each bin, by its lower edge; the last one holds all above.

    ``activations/training-…`` is the same on the first 1,000 images trained on, with masks at work
    as in training: a dropped unit is zero there, and one that is kept is scaled as in training.
    """
    import torch

    images, _ = networks.test_set(data)
    outputs = networks.hidden_outputs(network, data.floats(images))
    for layer, output in enumerate(outputs, start=1):
        yield "activations/mean", layer, float(output.double().mean())
        yield "activations/zeros", layer, _zeros(output)
        yield "activations/relative-unevenness", layer, _unevenness(output)
    edges = torch.tensor(BINS)
    bins = torch.bucketize(outputs[0].flatten(), edges, right=True).clamp_min(1) - 1
    shares = torch.bincount(bins, minlength=len(BINS)).double() / bins.numel()
    for edge, share in zip(BINS, shares.tolist(), strict=True):
        yield "activations/histogram", edge, share
    networks.let_noise_in(network, stream=2)
    outputs = networks.hidden_outputs(network, networks.train_set(data)[0])
    network.eval()
    for layer, output in enumerate(outputs, start=1):
        yield "activations/training-zeros", layer, _zeros(output)
        yield "activations/training-relative-unevenness", layer, _unevenness(output)


def _zeros(output: Tensor) -> float:
    return float((output <= 0).double().mean())


def _unevenness(output: Tensor) -> float:
    """Return the standard deviation of the units' means over their mean size; 0 where all are 0."""
    means = output.double().mean(0)
    return float(means.std() / means.abs().mean()) if means.any() else 0.0
