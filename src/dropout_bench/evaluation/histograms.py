"""What TensorBoard shows of a network besides curves: histograms, and images it gets wrong."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from dropout_bench.data.modules import Subset
from dropout_bench.models.base import MLP
from dropout_bench.quantities.networks import hidden_outputs

IMAGES = 1000
"""Training images whose activations are shown."""
MISTAKES = 40


@torch.inference_mode()
def events(data: Subset, networks: Mapping[int, MLP], logits: Tensor, labels: Tensor) -> bytes:
    """Write an event file.

    Args:
        data: the run's data, training and test images open.
        networks: the network after so many epochs, 0 the untrained one, in evaluation mode.
        logits: of the test images, of the evaluated network.
        labels: of the test images.

    Returns:
        Its bytes: by epoch, histograms of each hidden layer's weights and of its activations on
        training images; after the last one, test images that are classified wrongly.
    """
    images = data.floats(data.train_images[torch.from_numpy(data.split.train[:IMAGES])])
    with tempfile.TemporaryDirectory() as folder:
        writer = SummaryWriter(folder)
        for epoch, network in sorted(networks.items()):
            outputs = hidden_outputs(network, images)
            for layer, (weight, output) in enumerate(
                zip(network.hidden_weights, outputs, strict=True), start=1
            ):
                writer.add_histogram(f"weights/hidden{layer}", weight, epoch)
                writer.add_histogram(f"activations/hidden{layer}", output, epoch)
        last = max(networks)
        wrong = (logits.argmax(1) != labels).nonzero().squeeze(1)[:MISTAKES]
        if len(wrong):
            shown = data.test_images[torch.from_numpy(data.test)][wrong]
            writer.add_images("test/mistakes", shown.unsqueeze(1) / data.dataset.white, last)
            names = [data.dataset.classes[label] for label in data.classes]
            told = [
                f"{names[true]}, taken for {names[taken]}"
                for true, taken in zip(
                    labels[wrong].tolist(), logits[wrong].argmax(1).tolist(), strict=True
                )
            ]
            rows = [
                f"| {first + 1} to {first + 8} | {'; '.join(told[first : first + 8])} |"
                for first in range(0, len(told), 8)
            ]
            text = "\n".join(["| images | they are |", "|---|---|", *rows])
            writer.add_text("test/mistakes", text, last)
        writer.close()
        return b"".join(path.read_bytes() for path in sorted(Path(folder).iterdir()))
