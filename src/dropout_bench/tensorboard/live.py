"""Curves of a training under way."""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import lightning as L

from dropout_bench.tensorboard import events


@dataclass
class LiveCurves(L.Callback):
    """Writes the figures of each epoch as it ends, for TensorBoard.

    Attributes:
        folder: where to; made anew.
    """

    folder: Path

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Begin the event file."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        (self.folder / events.FILE).write_bytes(events.records([events.FIRST]))

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Append loss and accuracy of training and validation; the step is the epoch, from 1."""
        figures = {
            name: float(value)
            for name, value in trainer.callback_metrics.items()
            if name.startswith(("train/", "val/"))
        }
        event = events.scalars(trainer.current_epoch + 1, figures, time.time())
        with (self.folder / events.FILE).open("ab") as file:
            file.write(events.records([event]))
