"""Accuracy on spoiled test images."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dropout_bench.quantities import networks
from dropout_bench.quantities.quantity import Quantity, Row, measured

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from dropout_bench.data.modules import Subset
    from dropout_bench.models.base import MLP

STRENGTHS = {
    "noise": (0.1, 0.2, 0.3, 0.4),
    "shift": (1, 2, 3, 4),
    "occlusion": (4, 8, 12, 16),
    "contrast": (0.2, 0.4, 0.6, 0.8),
}
IMAGES_AT_ONCE = 500
_AT = {
    "noise": "standard deviation of the noise",
    "shift": "pixels of the shift",
    "occlusion": "side of the square in pixels",
    "contrast": "fraction of the contrast that is lost",
}


@measured(
    *(
        Quantity(
            f"corruption/{kind}", f"accuracy under {kind}", "fraction", _AT[kind], strengths,
            higher_is_better=True,
        )
        for kind, strengths in STRENGTHS.items()
    )
)  # fmt: skip
def corruption(network: MLP, data: Subset, seed: int) -> Iterator[Row]:
    """Accuracy on test images that are noisy, shifted, occluded, or of lower contrast.

    Noise is Gaussian, its strength the standard deviation for pixels in [0, 1], which are clipped
    to that again; a shift is by so many pixels in a direction drawn for each image; an occlusion
    is a black square of so many pixels at a place drawn for each image; contrast pulls pixels
    towards the image's mean by that fraction. The same seed corrupts the same way.
    """
    import torch

    from dropout_bench.streams import Stream, generator

    images, labels = networks.test_set(data)
    # A part at a time stays in the processor's cache: half the time.
    parts = (images.float() / data.dataset.white).split(IMAGES_AT_ONCE)
    random = generator(seed, Stream.NOISE, index=1)
    for kind, strengths in STRENGTHS.items():
        for strength in strengths:
            logits = []
            for pixels in parts:
                spoiled = corrupt(pixels, kind, strength, random)
                normalised = spoiled.sub_(data.normalise.mean).div_(data.normalise.sd)
                logits.append(network(normalised))
            yield f"corruption/{kind}", strength, networks.accuracy(torch.cat(logits), labels)


def corrupt(pixels: Tensor, kind: str, strength: float, random: torch.Generator) -> Tensor:
    """Spoil images, (images, height, width), of pixels in [0, 1]."""
    import torch

    from dropout_bench.params.options.shift import shifted

    count, height, width = pixels.shape
    if kind == "noise":
        noise = torch.randn(pixels.shape, generator=random)
        return (pixels + strength * noise).clamp_(0, 1)
    if kind == "shift":
        # One of four directions for each image.
        way = torch.randint(4, (count,), generator=random)
        down = torch.tensor([1, -1, 0, 0])[way] * int(strength)
        return shifted(pixels, down, torch.tensor([0, 0, 1, -1])[way] * int(strength))
    if kind == "occlusion":
        side = min(int(strength), height, width)
        top = torch.randint(height - side + 1, (count, 1), generator=random)
        left = torch.randint(width - side + 1, (count, 1), generator=random)
        rows, columns = torch.arange(height), torch.arange(width)
        black = ((rows >= top) & (rows < top + side))[:, :, None] & (
            (columns >= left) & (columns < left + side)
        )[:, None, :]
        return pixels.masked_fill(black, 0.0)
    mean = pixels.mean((1, 2), keepdim=True)
    return mean + (1 - strength) * (pixels - mean)
