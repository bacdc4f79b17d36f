"""What a network loses when hidden units are silenced."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dropout_bench.quantities import networks
from dropout_bench.quantities.quantity import Quantity, Row, measured

if TYPE_CHECKING:
    from torch import Tensor

    from dropout_bench.data.modules import Subset
    from dropout_bench.models.base import MLP

SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
SINGLE_UNITS = 50


@measured(
    Quantity(
        "ablation/group", "accuracy with units silenced", "fraction",
        "share of the units that are silenced", SHARES, higher_is_better=True,
    ),
    Quantity(
        "ablation/single", "accuracy lost with one unit", "fraction",
        "0.5 for the mean unit, 1 for the worst", (0.5, 1), higher_is_better=False,
    ),
)  # fmt: skip
def ablation(network: MLP, data: Subset, seed: int) -> Iterator[Row]:
    """Accuracy on the test images when units of the first hidden layer are silenced.

    ``ablation/group``: so large a share of the units, drawn at random. ``ablation/single``: loss
    of accuracy when one unit is silenced, at 0.5 the mean and at 1 the largest over 50 units
    drawn at random.
    """
    import torch

    from dropout_bench.streams import Stream, generator

    images, labels = networks.test_set(data)
    first, rest = networks.parts(network)
    hidden = first(data.floats(images))

    def accuracy(silenced: Tensor) -> float:
        x = hidden.clone()
        x[:, silenced] = 0
        return networks.accuracy(rest(x), labels)

    units = torch.randperm(hidden.shape[1], generator=generator(seed, Stream.NOISE, index=2))
    for share in SHARES:
        yield "ablation/group", share, accuracy(units[: round(share * len(units))])
    whole = accuracy(units[:0])
    drops = [whole - accuracy(unit[None]) for unit in units[:SINGLE_UNITS]]
    yield "ablation/single", 0.5, sum(drops) / len(drops)
    yield "ablation/single", 1, max(drops)
