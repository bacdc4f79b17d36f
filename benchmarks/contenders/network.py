"""The network of all contenders, of torch's own layers, and its test accuracy."""

from collections.abc import Iterable
from itertools import pairwise

import torch
from torch import Tensor, nn

from benchmarks.settings import CLASSES, DROPOUT, HIDDEN, PIXELS


def network() -> nn.Sequential:
    """Build the untrained network: dropout after the activation of each hidden layer."""
    layers: list[nn.Module] = [nn.Flatten()]
    for before, after in pairwise((PIXELS, *HIDDEN)):
        layers += [nn.Linear(before, after), nn.ReLU(), nn.Dropout(DROPOUT)]
    return nn.Sequential(*layers, nn.Linear(HIDDEN[-1], CLASSES))


@torch.no_grad()
def accuracy(trained: nn.Module, batches: Iterable[tuple[Tensor, Tensor]]) -> float:
    """Return the fraction of images that a network classifies correctly in evaluation mode."""
    trained.eval()
    correct = total = 0
    for images, labels in batches:
        correct += int((trained(images).argmax(1) == labels).sum())
        total += len(labels)
    return correct / total
