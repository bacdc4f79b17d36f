"""How well a trained network does on each split, in evaluation mode."""

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F
from torchmetrics.functional.classification import (
    multiclass_calibration_error,
    multiclass_confusion_matrix,
)

from dropout_bench import numerics
from dropout_bench.data.modules import Batches, Subset, subset_of
from dropout_bench.models.base import MLP
from dropout_bench.params.run import Run
from dropout_bench.quantities.registry import measure
from dropout_bench.tables.evaluation import Evaluation
from dropout_bench.training.run import load_weights, network_of

CALIBRATION_BINS = 15
FEATURES = 24


def evaluate(
    run: Run,
    raw: Path,
    weights: bytes,
    epochs: Mapping[int, bytes],
    measures: tuple[str, ...] = (),
    show: Callable[[Subset, Mapping[int, MLP], Tensor, Tensor], object] | None = None,
) -> Evaluation:
    """Evaluate a trained run on its training, validation and test images.

    The weights are safetensors; ``epochs`` has those after each epoch, where they were kept.
    ``show`` is given what pictures are made of: the data, the network after so many epochs (0 is
    the untrained one), and the evaluated one's logits of the test images with their labels.
    """
    numerics.use_one_thread()
    data = subset_of(run, raw)
    data.prepare_data()
    data.setup("fit")
    data.setup("test")
    by_epoch = {}
    networks = {0: network_of(run).eval()}
    for epoch, content in epochs.items():
        networks[epoch] = load_weights(network_of(run), content).eval()
        logits, labels = _logits(networks[epoch], data, data.test_dataloader())
        by_epoch[epoch] = _figures("test", logits, labels)
    network = networks[run.epochs] = load_weights(network_of(run), weights).eval()
    loaders = {
        "train": data.train_evaluation_dataloader(),
        "val": data.val_dataloader(),
        "test": data.test_dataloader(),
    }
    final: dict[str, float] = {}
    for split, batches in loaders.items():
        if isinstance(batches, Batches):
            logits, labels = _logits(network, data, batches)
            final |= _figures(split, logits, labels)
    # The test set came last: these are its logits.
    final |= _calibration(logits, labels)
    if show is not None:
        show(data, networks, logits, labels)
    confusion = multiclass_confusion_matrix(logits, labels, len(run.classes))
    return Evaluation(
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        final=final,
        by_epoch=by_epoch,
        confusion=confusion.tolist(),
        measured=measure(measures, network, data, run.seed),
        predicted=bytes(logits.argmax(1).tolist()) if "examples" in measures else b"",
        features=_first_weights(network) if "features" in measures else [],
    )


def _first_weights(network: MLP) -> list[bytes]:
    """Draw the weights into the first units of the first hidden layer: a byte a pixel.

    128 is a weight of 0; all units share a scale, on which the largest is 255 or 1. Which units
    are drawn is not chosen: they are the first in the layer.
    """
    weights = network.hidden_weights[0].detach()[:FEATURES]
    drawn = 128 + 127 * weights / weights.abs().max()
    return [bytes(row) for row in drawn.round().to(torch.uint8).tolist()]


@torch.inference_mode()
def _logits(network: MLP, data: Subset, batches: Batches) -> tuple[Tensor, Tensor]:
    logits, labels = [], []
    for images, those in batches:
        logits.append(network(data.floats(images)))
        labels.append(those)
    return torch.cat(logits), torch.cat(labels)


def _figures(split: str, logits: Tensor, labels: Tensor) -> dict[str, float]:
    """Mean negative log-likelihood, in nats, and accuracy, a fraction."""
    losses = F.cross_entropy(logits, labels, reduction="none")
    return {
        f"{split}/loss": float(losses.double().mean()),
        f"{split}/accuracy": float((logits.argmax(1) == labels).double().mean()),
    }


def _calibration(logits: Tensor, labels: Tensor) -> dict[str, float]:
    """Calibration error and Brier score: see :mod:`dropout_bench.quantities.derived.columns`."""
    probabilities = logits.softmax(1)
    truth = F.one_hot(labels, logits.shape[1])
    error = multiclass_calibration_error(
        probabilities, labels, logits.shape[1], n_bins=CALIBRATION_BINS, norm="l1"
    )
    return {
        "test/ece": float(error),
        "test/brier": float((probabilities - truth).square().sum(1).double().mean()),
    }
