"""Shifted images."""

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from dropout_bench.params.options.base import Option

if TYPE_CHECKING:
    from torch import Generator, Tensor


class Shift(Option):
    """Each training image is moved down or up and right or left, anew each time that it is seen."""

    stream: ClassVar[str] = "SHIFTS"

    shift: Annotated[int, Field(ge=0, lt=8, strict=True)] = 0
    """training images are moved at random by up to so many pixels"""

    def on_bytes(self, images: "Tensor", random: "Generator | None") -> "Tensor":
        """Move the images; what comes in is black."""
        import torch

        by = torch.randint(2 * self.shift + 1, (2, len(images)), generator=random)
        down, right = by.to(images.device) - self.shift
        return shifted(images, down, right)


def shifted(images: "Tensor", down: "Tensor", right: "Tensor") -> "Tensor":
    """Move each image by whole pixels; what comes in is black.

    Args:
        images: shape (images, height, width).
        down: pixels that each image moves down, negative for up; shape (images,).
        right: pixels that each image moves right, negative for left; shape (images,).
    """
    import torch

    count, height, width = images.shape
    margin = int(torch.stack([down, right]).abs().max()) if count else 0
    padded = torch.nn.functional.pad(images, (margin,) * 4)
    device = images.device
    rows = torch.arange(height, device=device) + margin - down[:, None]
    columns = torch.arange(width, device=device) + margin - right[:, None]
    each = torch.arange(count, device=device)[:, None, None]
    return padded[each, rows[:, :, None], columns[:, None, :]]
