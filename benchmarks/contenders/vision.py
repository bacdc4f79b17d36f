"""MNIST as tutorials read it: torchvision's data set, a transform per item, a DataLoader."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from benchmarks.settings import BATCH, MEAN, SD


class MNIST(datasets.MNIST):  # type: ignore[misc] # torchvision has no types
    """torchvision's MNIST, over the arrays that are in ``data/raw`` already."""

    def _check_exists(self) -> bool:
        return True

    def _load_data(self) -> tuple[torch.Tensor, torch.Tensor]:
        split = "train" if self.train else "test"
        images, labels = (
            np.load(f"{self.root}/{split}-{part}.npy") for part in ("images", "labels")
        )
        return torch.from_numpy(images), torch.from_numpy(labels).long()


def loader(folder: Path, train: bool) -> DataLoader[Any]:
    """Return a loader over the training or test images whose arrays are in ``folder``."""
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((MEAN,), (SD,))])
    dataset = MNIST(folder, train=train, transform=transform)
    return DataLoader(dataset, batch_size=BATCH, shuffle=train)
