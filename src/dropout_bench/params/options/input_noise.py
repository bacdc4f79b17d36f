"""Noise on the pixels."""

from typing import TYPE_CHECKING, ClassVar

from dropout_bench.params.options.base import Option
from dropout_bench.params.values import NotNegative

if TYPE_CHECKING:
    from torch import Generator, Tensor


class InputNoise(Option):
    """Gaussian noise is added to every training image, anew each time that it is seen."""

    stream: ClassVar[str] = "NOISE"

    input_noise: NotNegative = 0.0
    """standard deviation of noise on the normalised pixels, in training"""

    def on_pixels(self, images: "Tensor", random: "Generator | None") -> "Tensor":
        """Add the noise."""
        import torch

        noise = torch.randn(images.shape, generator=random)  # the same on every device
        return images.add_(noise.mul_(self.input_noise).to(images.device))
