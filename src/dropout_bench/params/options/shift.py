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

        from dropout_bench.data.shifting import shifted

        by = torch.randint(2 * self.shift + 1, (2, len(images)), generator=random)
        down, right = by.to(images.device) - self.shift
        return shifted(images, down, right)
