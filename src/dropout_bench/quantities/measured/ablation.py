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
        "ablation/made-up", "accuracy with units silenced and made up for", "fraction",
        "share of the units that are silenced", SHARES, higher_is_better=True,
    ),
    Quantity(
        "ablation/single", "accuracy lost with one unit", "fraction",
        "0.5 for the mean unit, 1 for the worst", (0.5, 1), higher_is_better=False,
    ),
)  # fmt: skip
def ablation(network: MLP, data: Subset, seed: int) -> Iterator[Row]:
    """Accuracy on the test images when units of the first hidden layer are silenced.

    ``ablation/group``: so large a share of the units, drawn at random. ``ablation/made-up``: the
    same units, while what the others give is multiplied by 1 / (1 − the share silenced), so that
    the next layer gets what it is used to on average; else a network suffers not from the loss of
    units alone, but from inputs that are too small, which no training prepares it for.
    ``ablation/single``: loss of accuracy when one unit is silenced, at 0.5 the mean and at 1 the
    largest over 50 units drawn at random.
    """
    import torch

    from dropout_bench.streams import Stream, generator

    images, labels = networks.test_set(data)
    first, rest = networks.parts(network)
    hidden = first(data.floats(images))

    def right(silenced: Tensor, at: slice | Tensor = slice(None), factor: float = 1.0) -> Tensor:
        x = hidden[at] * factor
        x[:, silenced] = 0
        told: Tensor = rest(x).argmax(1)
        return (told == labels[at]).double()

    units = torch.randperm(hidden.shape[1], generator=generator(seed, Stream.NOISE, index=2))
    for share in SHARES:
        silenced = units[: round(share * len(units))]
        factor = len(units) / max(1, len(units) - len(silenced))
        yield "ablation/group", share, float(right(silenced).mean())
        yield "ablation/made-up", share, float(right(silenced, factor=factor).mean())
    whole = right(units[:0])
    drops = []
    for unit in units[:SINGLE_UNITS, None]:
        # A unit that is silent already at an image changes nothing there.
        (at,) = hidden[:, unit[0]].nonzero(as_tuple=True)
        drops.append(float((whole[at] - right(unit, at)).sum()) / len(whole))
    yield "ablation/single", 0.5, sum(drops) / len(drops)
    yield "ablation/single", 1, max(drops)
