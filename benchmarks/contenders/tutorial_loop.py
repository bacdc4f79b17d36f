"""The loop of the tutorials: torchvision's MNIST, a DataLoader, torch's defaults, all cores."""

from pathlib import Path

import torch
from torch import nn

from benchmarks.contenders.network import accuracy, network
from benchmarks.contenders.vision import loader
from benchmarks.process import Stopwatch
from benchmarks.settings import LEARNING_RATE


def train(folder: Path, epochs: int, seed: int, watch: Stopwatch) -> float:
    """Train on the files in ``folder`` and return the test accuracy."""
    torch.manual_seed(seed)
    train_loader = loader(folder, train=True)
    test_loader = loader(folder, train=False)
    model = network()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    watch.begin()
    for _ in range(epochs):
        model.train()
        running_loss = 0.0
        for images, labels in train_loader:
            optimizer.zero_grad()
            loss = criterion(model(images), labels)
            loss.backward()
            optimizer.step()
            running_loss += loss.item()
    watch.end()
    return accuracy(model, test_loader)
