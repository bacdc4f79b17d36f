"""A Lightning project as they usually are: automatic optimisation, a log call in every step."""

import tempfile
from pathlib import Path

import lightning as L
import torch
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor
from torch.nn import functional as F
from torchmetrics.classification import MulticlassAccuracy

from benchmarks.contenders.network import accuracy, network
from benchmarks.contenders.vision import loader
from benchmarks.process import Stopwatch
from benchmarks.settings import CLASSES, LEARNING_RATE


class LitMLP(L.LightningModule):
    """The network with its loss, optimiser and metrics."""

    def __init__(self) -> None:
        super().__init__()
        self.model = network()
        self.train_accuracy = MulticlassAccuracy(CLASSES, average="micro")

    def forward(self, images: Tensor) -> Tensor:
        """Return logits of images."""
        logits: Tensor = self.model(images)
        return logits

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Return the loss of a batch; log it and the accuracy."""
        images, labels = batch
        logits = self(images)
        loss = F.cross_entropy(logits, labels)
        self.train_accuracy(logits, labels)
        self.log("train_loss", loss, on_step=True, on_epoch=True)
        self.log("train_accuracy", self.train_accuracy, on_step=True, on_epoch=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam, as torch has it by default."""
        return torch.optim.Adam(self.parameters(), lr=LEARNING_RATE)


class _Timed(L.Callback):
    def __init__(self, watch: Stopwatch) -> None:
        self.watch = watch

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.watch.begin()


def train(folder: Path, epochs: int, seed: int, watch: Stopwatch) -> float:
    """Train on the files in ``folder`` and return the test accuracy."""
    L.seed_everything(seed)
    train_loader = loader(folder, train=True)
    test_loader = loader(folder, train=False)
    model = LitMLP()
    with tempfile.TemporaryDirectory() as logs:
        trainer = L.Trainer(
            max_epochs=epochs,
            logger=CSVLogger(logs),
            default_root_dir=logs,
            callbacks=[_Timed(watch)],
            enable_progress_bar=False,
        )
        trainer.fit(model, train_loader)
        watch.end()
    return accuracy(model, test_loader)
