"""MNIST as tutorials read it: torchvision's data set, a transform per item, a DataLoader."""

import tempfile
from pathlib import Path
from typing import Any

from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from benchmarks.settings import BATCH, MEAN, SD


def loader(folder: Path, train: bool) -> DataLoader[Any]:
    """Return a loader over the training or test images whose IDX files are in ``folder``."""
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((MEAN,), (SD,))])
    with tempfile.TemporaryDirectory() as root:
        # torchvision wants the files in a folder of its own naming; it reads them at once.
        raw = Path(root) / "MNIST" / "raw"
        raw.mkdir(parents=True)
        for file in folder.glob("*-ubyte"):
            (raw / file.name).symlink_to(file.resolve())
        dataset = datasets.MNIST(root, train=train, transform=transform, download=False)
    return DataLoader(dataset, batch_size=BATCH, shuffle=train)
