"""How well the first class is told, which ``rare`` makes rare."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dropout_bench.quantities import networks
from dropout_bench.quantities.quantity import Quantity, Row, measured

if TYPE_CHECKING:
    from dropout_bench.data.modules import Subset
    from dropout_bench.models.base import MLP

_AT = "always 1"


@measured(
    Quantity(
        "minority/recall", "recall of the first class", "fraction", _AT, (1,),
        higher_is_better=True,
    ),
    Quantity(
        "minority/precision", "precision of the first class", "fraction", _AT, (1,),
        higher_is_better=True,
    ),
)  # fmt: skip
def minority(network: MLP, data: Subset, seed: int) -> Iterator[Row]:
    """Recall and precision of the first of the experiment's classes, on all test images, at 1.

    ``minority/recall``: of the images of the class, the fraction that is taken for it;
    ``minority/precision``: of the images that are taken for it, the fraction that is of it, and 0
    where none is taken for it. Test images are as many of each class as the dataset has, whatever
    was trained on.
    """
    images, labels = networks.test_set(data)
    told, true = network(data.floats(images)).argmax(1) == 0, labels == 0
    both = int((told & true).sum())
    yield "minority/recall", 1, both / max(1, int(true.sum()))
    yield "minority/precision", 1, both / max(1, int(told.sum()))
