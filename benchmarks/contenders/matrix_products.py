"""The machine's limit: an epoch's matrix products of the three layers, and nothing else.

The kernels are those of ``nn.Linear`` on this machine, one thread, into memory that is there. The
first layer needs no gradient of its input: two products, where the others take three.
"""

from itertools import pairwise
from pathlib import Path

import torch

from benchmarks.process import Stopwatch
from benchmarks.settings import BATCH, BATCHES, CLASSES, HIDDEN, PIXELS


def train(folder: Path, epochs: int, seed: int, watch: Stopwatch) -> None:
    """Multiply; nothing is read or learned."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    widths = (PIXELS, *HIDDEN, CLASSES)
    inputs = [torch.randn(BATCH, width) for width in widths]
    gradients = [torch.randn(BATCH, width) for width in widths]
    weights = [torch.randn(after, before) for before, after in pairwise(widths)]
    biases = [torch.randn(after) for after in widths[1:]]
    weight_gradients = [torch.empty_like(weight) for weight in weights]
    with torch.no_grad():
        watch.begin()
        for _ in range(epochs * BATCHES):
            for layer, weight in enumerate(weights):
                torch.addmm(biases[layer], inputs[layer], weight.t(), out=inputs[layer + 1])
            for layer in reversed(range(len(weights))):
                gradient = gradients[layer + 1]
                torch.mm(gradient.t(), inputs[layer], out=weight_gradients[layer])
                if layer:
                    torch.mm(gradient, weights[layer], out=gradients[layer])
        watch.end()
