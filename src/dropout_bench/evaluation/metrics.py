"""Loss and accuracy of a trained network on each split, in evaluation mode."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch.nn import functional as F

from dropout_bench import numerics
from dropout_bench.data.modules import Batches, Subset, subset_of
from dropout_bench.evaluation.tables import Evaluation
from dropout_bench.models.base import MLP
from dropout_bench.params import Run
from dropout_bench.training.run import load_weights, network_of


def evaluate(run: Run, raw: Path, weights: bytes, epochs: Mapping[int, bytes]) -> Evaluation:
    """Evaluate a trained run on its training, validation and test images.

    Args:
        run: the run.
        raw: the folder of all datasets.
        weights: the weights to evaluate, as safetensors.
        epochs: the weights after each epoch, where they were kept.
    """
    numerics.use_one_thread()
    data = subset_of(run, raw)
    data.prepare_data()
    data.setup("fit")
    data.setup("test")
    network = load_weights(network_of(run), weights)
    loaders = {
        "train": data.train_evaluation_dataloader(),
        "val": data.val_dataloader(),
        "test": data.test_dataloader(),
    }
    final: dict[str, float] = {}
    for split, batches in loaders.items():
        if isinstance(batches, Batches):
            final |= _figures(network, data, batches, split)
    by_epoch = {
        epoch: _figures(load_weights(network, content), data, data.test_dataloader(), "test")
        for epoch, content in epochs.items()
    }
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return Evaluation(parameters, final, by_epoch)


@torch.inference_mode()
def _figures(network: MLP, data: Subset, batches: Batches, split: str) -> dict[str, float]:
    """Mean negative log-likelihood, in nats, and accuracy, a fraction."""
    network.eval()
    loss = torch.zeros((), dtype=torch.float64)
    correct = 0
    for images, labels in batches:
        logits = network(data.floats(images))
        loss += F.cross_entropy(logits, labels, reduction="sum")
        correct += int((logits.argmax(1) == labels).sum())
    count = len(batches.chosen)
    return {f"{split}/loss": float(loss) / count, f"{split}/accuracy": correct / count}
