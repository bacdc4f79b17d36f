"""The fastest loop that is still plain torch: tensors in memory, fused Adam, one thread."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.contenders.network import accuracy, network
from benchmarks.process import Stopwatch
from benchmarks.settings import BATCH, LEARNING_RATE, MEAN, PIXELS, SD


def read(folder: Path, split: str) -> tuple[Tensor, Tensor]:
    """Read normalised images, (images, pixels), and labels, (images,)."""
    pixels, labels = (np.load(folder / f"{split}-{part}.npy") for part in ("images", "labels"))
    images = torch.from_numpy(pixels).view(-1, PIXELS).float().div_(255).sub_(MEAN).div_(SD)
    return images, torch.from_numpy(labels).long()


def train(folder: Path, epochs: int, seed: int, watch: Stopwatch) -> float:
    """Train on the files in ``folder`` and return the test accuracy."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    images, labels = read(folder, "train")
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, fused=True)
    watch.begin()
    for _ in range(epochs):
        for chosen in torch.randperm(len(images)).split(BATCH):
            loss = F.cross_entropy(model(images[chosen]), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    watch.end()
    return accuracy(model, [read(folder, "test")])
