"""What TensorBoard shows of a network besides curves: histograms, and images it gets wrong."""

from collections.abc import Iterator, Mapping

import torch
from tensorboard.compat.proto.event_pb2 import Event
from torch import Tensor
from torch.utils.tensorboard.summary import histogram, image, text

from dropout_bench.data.modules import Subset
from dropout_bench.models.base import MLP
from dropout_bench.quantities.networks import hidden_outputs
from dropout_bench.tensorboard.events import FIRST, records

IMAGES = 1000
"""Training images whose activations are shown."""
MISTAKES = 40
BINS = 100


def events(data: Subset, networks: Mapping[int, MLP], logits: Tensor, labels: Tensor) -> bytes:
    """Write an event file; it has no times in it, so the same networks give the same bytes.

    By epoch it has histograms of each hidden layer's weights and of its activations on training
    images; after the last one, test images that are classified wrongly. ``networks`` are the
    network after so many epochs, 0 the untrained one, in evaluation mode; ``logits`` are those of
    the evaluated one, of the test images.
    """
    mistakes = _mistakes(data, max(networks), logits, labels)
    return records([FIRST, *_histograms(data, networks), *mistakes])


@torch.inference_mode()
def _histograms(data: Subset, networks: Mapping[int, MLP]) -> Iterator[Event]:
    images = data.floats(data.train_images[torch.from_numpy(data.split.train[:IMAGES])])
    for epoch, network in sorted(networks.items()):
        outputs = hidden_outputs(network, images)
        for layer, (weight, output) in enumerate(
            zip(network.hidden_weights, outputs, strict=True), start=1
        ):
            for what, values in (("weights", weight.detach()), ("activations", output)):
                shown = histogram(f"{what}/hidden{layer}", values, BINS)
                yield Event(step=epoch, summary=shown)


def _mistakes(data: Subset, epoch: int, logits: Tensor, labels: Tensor) -> Iterator[Event]:
    wrong = (logits.argmax(1) != labels).nonzero().squeeze(1)[:MISTAKES]
    if not len(wrong):
        return
    shown = data.test_images[torch.from_numpy(data.test)][wrong]
    pixels = shown.unsqueeze(1) / data.dataset.white
    yield Event(step=epoch, summary=image("test/mistakes", pixels))
    names = [data.dataset.classes[label] for label in data.classes]
    pairs = zip(labels[wrong].tolist(), logits[wrong].argmax(1).tolist(), strict=True)
    told = [f"{names[true]}, taken for {names[taken]}" for true, taken in pairs]
    rows = [
        f"| {first + 1} to {first + 8} | {'; '.join(told[first : first + 8])} |"
        for first in range(0, len(told), 8)
    ]
    table = "\n".join(["| images | they are |", "|---|---|", *rows])
    yield Event(step=epoch, summary=text("test/mistakes", table))
