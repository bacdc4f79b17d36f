"""Whether confidence is deserved."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dropout_bench.quantities import networks
from dropout_bench.quantities.quantity import Quantity, Row, measured

if TYPE_CHECKING:
    from dropout_bench.data.modules import Subset
    from dropout_bench.models.base import MLP

BINS = 10
_AT = "middle of the bin of confidence"


@measured(
    Quantity("reliability/accuracy", "accuracy", "fraction", _AT),
    Quantity("reliability/confidence", "mean confidence", "fraction", _AT),
    Quantity("reliability/share", "share of the images", "fraction", _AT),
)
def reliability(network: MLP, data: Subset, seed: int) -> Iterator[Row]:
    """Accuracy by confidence on the test images, as reliability diagrams show it.

    The confidence, the largest predicted probability, is put into ten bins of equal width. At the
    middle of each that is not empty: accuracy, mean confidence, and share of the images (Guo et
    al. 2017, section 2).
    """
    images, labels = networks.test_set(data)
    confidence, predicted = network(data.floats(images)).softmax(1).double().max(1)
    right = (predicted == labels).double()
    bins = (confidence * BINS).long().clamp_max(BINS - 1)
    for number in bins.unique().tolist():
        inside, middle = bins == number, (number + 0.5) / BINS
        yield "reliability/accuracy", middle, float(right[inside].mean())
        yield "reliability/confidence", middle, float(confidence[inside].mean())
        yield "reliability/share", middle, float(inside.double().mean())
