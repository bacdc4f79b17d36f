"""One run: a network trained by Lightning, its weights and curves given back as values."""

import csv
import io
import logging
import math
import shutil
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import lightning as L
import torch
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.loggers import TensorBoardLogger
from safetensors.torch import load, save
from torch.utils.tensorboard.summary import hparams

from dropout_bench import numerics
from dropout_bench.catalogue.datasets import DATASETS
from dropout_bench.data.modules import subset_of
from dropout_bench.models.base import MLP
from dropout_bench.models.variants import variant_class
from dropout_bench.params.run import Run
from dropout_bench.params.values import rates_text, widths_text
from dropout_bench.training.result import BEST, CURVES, LAST, RunResult, epoch_file


class Diverged(RuntimeError):
    """The training loss is no longer a finite number."""


def device_in_use() -> str:
    """Describe what runs of this process are computed on: ``CPU, oneDNN-AVX2``, or the GPU."""
    if torch.cuda.is_available():
        return f"{torch.cuda.get_device_name()}, {numerics.arithmetic('cuda')}"
    return f"CPU, {numerics.arithmetic()}"


def network_of(run: Run) -> MLP:
    """Build the untrained network of a run."""
    return variant_class(run.variant)(
        pixels=DATASETS[run.dataset].pixels,
        classes=len(run.classes),
        hidden=run.hidden,
        dropout=run.dropout,
        input_dropout=run.input_dropout,
        learning_rate=run.learning_rate,
        seed=run.seed,
        weight_decay=run.weight_decay,
        l2=run.l2,
        l1=run.l1,
        max_norm=run.max_norm,
        learning_rate_decay=run.learning_rate_decay,
    )


def load_weights(network: MLP, content: bytes) -> MLP:
    """Load a run's weights into its network; no code in the file is ever run."""
    network.load_state_dict(load(content))
    return network


@dataclass
class _History(L.Callback):
    """Keeps the curves, and the weights that are asked for, epoch by epoch."""

    keep_every_epoch: bool
    curves: list[dict[str, float]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    best_loss: float = math.inf

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        metrics = {
            name: float(value)
            for name, value in trainer.callback_metrics.items()
            if name.startswith(("train/", "val/"))
        }
        epoch = trainer.current_epoch + 1
        if not math.isfinite(metrics["train/loss"]):
            raise Diverged(f"the training loss is {metrics['train/loss']} in epoch {epoch}")
        self.curves.append({"epoch": epoch, **metrics})
        is_best = metrics.get("val/loss", math.inf) < self.best_loss
        if is_best:
            self.best_loss = metrics["val/loss"]
            self.files[BEST] = _weights(pl_module)
        if self.keep_every_epoch:
            self.files[epoch_file(epoch)] = _weights(pl_module)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.files[LAST] = _weights(pl_module)


def _weights(module: L.LightningModule) -> bytes:
    return save({name: value.cpu().contiguous() for name, value in module.state_dict().items()})


def train(
    run: Run, raw: Path, events: Path | None = None, keep_every_epoch: bool = False
) -> RunResult:
    """Train one run.

    Args:
        run: what to train.
        raw: the folder of all datasets.
        events: folder to write TensorBoard's events to while it trains; made anew. Without it
            they come back with the result alone.
        keep_every_epoch: whether to keep the weights after each epoch.

    Raises:
        Diverged: the training loss is no longer finite.
        BenchError: the dataset is missing or damaged.
    """
    numerics.use_one_thread()
    data = subset_of(run, raw)
    history = _History(keep_every_epoch)
    callbacks: list[L.Callback] = [history]
    if run.patience:
        callbacks.append(EarlyStopping("val/loss", patience=run.patience, check_finite=False))
    with _event_folder(events) as folder, _quiet_lightning():
        logger = TensorBoardLogger(folder, name="", version="", default_hp_metric=False)
        for summary in hparams(_hyperparameters(run), dict.fromkeys(_METRICS, 0.0)):
            logger.experiment.file_writer.add_summary(summary)
        trainer = L.Trainer(
            accelerator="auto",
            devices=1,
            max_epochs=run.epochs,
            logger=logger,
            callbacks=callbacks,
            log_every_n_steps=1,
            limit_val_batches=1.0 if run.validation else 0,
            num_sanity_val_steps=0,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
        )
        started = time.perf_counter()
        trainer.fit(network_of(run), data)
        seconds = time.perf_counter() - started
        logger.finalize("success")
        content = b"".join(path.read_bytes() for path in sorted(folder.glob("events.*")))
    return RunResult(
        files={**history.files, CURVES: _csv(history.curves)},
        device=device_in_use(),
        events=content,
        seconds=seconds,
    )


_METRICS = [f"{s}/{m}" for s in ("train", "val", "test") for m in ("loss", "accuracy")]


def _hyperparameters(run: Run) -> dict[str, str | float]:
    return {
        "dataset": run.dataset,
        "classes": len(run.classes),
        "train_size": run.train_size,
        "validation": run.validation,
        "variant": run.variant,
        "hidden": widths_text(run.hidden),
        "dropout": rates_text(run.dropout),
        "input_dropout": run.input_dropout,
        "learning_rate": run.learning_rate,
        "learning_rate_decay": run.learning_rate_decay,
        "weight_decay": run.weight_decay,
        "l2": run.l2,
        "l1": run.l1,
        "max_norm": run.max_norm or 0.0,
        "patience": run.patience or 0,
        "input_noise": run.input_noise,
        "shift": run.shift,
        "batch_size": run.batch_size,
        "epochs": run.epochs,
        "seed": run.seed,
    }


def _csv(rows: list[dict[str, float]]) -> bytes:
    text = io.StringIO()
    names = ["epoch", *(name for name in _METRICS if name in rows[0])]
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


@contextmanager
def _event_folder(events: Path | None) -> Iterator[Path]:
    """Give an empty folder for events."""
    if events is None:
        with tempfile.TemporaryDirectory() as temporary:
            yield Path(temporary)
        return
    shutil.rmtree(events, ignore_errors=True)
    events.mkdir(parents=True)
    yield events


@contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Keep from the user what Lightning says of every run: the sweep has its own progress."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning")
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
