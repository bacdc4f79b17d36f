"""Images that are moved by whole pixels."""

import torch
from torch import Tensor, nn


def shifted(images: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """Move each image by whole pixels; what comes in is black.

    Args:
        images: shape (images, height, width).
        down: pixels that each image moves down, negative for up; shape (images,).
        right: pixels that each image moves right, negative for left; shape (images,).
    """
    count, height, width = images.shape
    margin = int(torch.stack([down, right]).abs().max()) if count else 0
    padded = nn.functional.pad(images, (margin,) * 4)
    device = images.device
    rows = torch.arange(height, device=device) + margin - down[:, None]
    columns = torch.arange(width, device=device) + margin - right[:, None]
    each = torch.arange(count, device=device)[:, None, None]
    return padded[each, rows[:, :, None], columns[:, None, :]]
