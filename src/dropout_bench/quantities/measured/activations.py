"""How active the hidden units are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dropout_bench.quantities import networks
from dropout_bench.quantities.quantity import LAYER, Quantity, Row, measured

if TYPE_CHECKING:
    from dropout_bench.data.modules import Subset
    from dropout_bench.models.base import MLP

BINS = tuple(number / 4 for number in range(21))


@measured(
    Quantity("activations/mean", "mean activation", at=LAYER),
    Quantity("activations/zeros", "activations that are zero", "fraction", LAYER),
    Quantity("activations/unevenness", "spread of mean activations over units", at=LAYER),
    Quantity(
        "activations/histogram", "share of activations", "fraction", "lower edge of the bin", BINS
    ),
)
def activations(network: MLP, data: Subset, seed: int) -> Iterator[Row]:
    """Activations of the hidden layers on the test images (Srivastava et al. 2014, figure 8).

    By layer, from 1: mean, share of zeros, and, as a measure of how irregular they are, the
    standard deviation over units of their mean. The histogram is of the first layer: share of
    activations in each bin, by its lower edge; the last one holds all above.
    """
    import torch

    images, _ = networks.test_set(data)
    outputs = networks.hidden_outputs(network, data.floats(images))
    for layer, output in enumerate(outputs, start=1):
        yield "activations/mean", layer, float(output.double().mean())
        yield "activations/zeros", layer, float((output <= 0).double().mean())
        yield "activations/unevenness", layer, float(output.double().mean(0).std())
    edges = torch.tensor(BINS)
    bins = torch.bucketize(outputs[0].flatten(), edges, right=True).clamp_min(1) - 1
    shares = torch.bincount(bins, minlength=len(BINS)).double() / bins.numel()
    for edge, share in zip(BINS, shares.tolist(), strict=True):
        yield "activations/histogram", edge, share
