"""Curves of a training under way."""

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

from dropout_bench.tensorboard.events import FILE, FIRST, records, scalars

if TYPE_CHECKING:
    import lightning as L


def live_curves(folder: Path) -> "L.Callback":
    """Return a callback that writes the figures of each epoch as it ends; its step is the epoch.

    The folder of the event file is made anew as the training starts.
    """
    # Here, since the command line passes this function on and has no need of them.
    from lightning.pytorch.callbacks import LambdaCallback

    def begin(trainer: "L.Trainer", module: "L.LightningModule") -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / FILE).write_bytes(records([FIRST]))

    def add(trainer: "L.Trainer", module: "L.LightningModule") -> None:
        figures = {
            name: float(value)
            for name, value in trainer.callback_metrics.items()
            if name.startswith(("train/", "val/"))
        }
        with (folder / FILE).open("ab") as file:
            file.write(records([scalars(trainer.current_epoch + 1, figures, time.time())]))

    return LambdaCallback(on_train_start=begin, on_train_epoch_end=add)
