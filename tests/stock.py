"""What a user of Lightning has: a Trainer and loaders of single batches, none of them ours."""

from typing import Any

import lightning as L
import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

ADVICE = [
    pytest.mark.filterwarnings(f"ignore:{said}")
    for said in (
        r".*does not have many workers",
        r".*defined a .validation_step. but have no",
        r".*LeafSpec.*:FutureWarning",  # Lightning beside torch 2.13
    )
]
"""Lightning's advice, which is about speed or about itself."""

LABELS = torch.arange(320) % 10
IMAGES = torch.rand(320, 28, 28, generator=torch.Generator().manual_seed(0)) / 3
IMAGES[torch.arange(320), 2 * LABELS] = 1.0


def trainer(**settings: Any) -> L.Trainer:
    quiet: dict[str, Any] = {
        "accelerator": "cpu",
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    return L.Trainer(**quiet | settings)


def loader(
    images: Tensor = IMAGES, labels: Tensor = LABELS, size: int = 32, **settings: Any
) -> DataLoader[Any]:
    return DataLoader(TensorDataset(images, labels), size, **settings)
