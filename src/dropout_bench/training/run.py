"""One run: a network trained by Lightning, its weights and curves given back as values."""

import csv
import io
import logging
import math
import platform
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import lightning as L
import torch
from safetensors.torch import load, save

from dropout_bench import numerics
from dropout_bench.catalogue.datasets import DATASETS
from dropout_bench.data.modules import subset_of
from dropout_bench.models.base import MLP
from dropout_bench.models.variants import variant_class
from dropout_bench.params.options import active, chosen
from dropout_bench.params.run import Run
from dropout_bench.streams import Stream, stream_seed
from dropout_bench.training.result import BEST, CURVES, LAST, RunResult, epoch_file


class Diverged(RuntimeError):
    """The training loss is no longer a finite number."""


def device_in_use() -> str:
    """Describe what runs of this process are computed on.

    ``CPU, oneDNN-AVX2`` is the same everywhere; a GPU, or a CPU with an arithmetic of its own, is
    named.
    """
    if torch.cuda.is_available():
        return f"{torch.cuda.get_device_name()}, {numerics.arithmetic('cuda')}"
    if (arithmetic := numerics.arithmetic()) == numerics.PORTABLE:
        return f"CPU, {arithmetic}"
    return f"CPU ({platform.system()} {platform.machine()}), {arithmetic}"


def network_of(run: Run) -> MLP:
    """Build the untrained network of a run."""
    return variant_class(run.variant)(
        pixels=DATASETS[run.dataset].pixels,
        classes=len(run.classes),
        hidden=run.hidden,
        dropout=run.dropout,
        input_dropout=run.input_dropout,
        learning_rate=run.learning_rate,
        optimiser=run.optimiser,
        seed=run.seed,
        options=chosen(run),
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
    run: Run,
    raw: Path,
    keep_every_epoch: bool = False,
    callbacks: Sequence[L.Callback] = (),
) -> RunResult:
    """Train one run.

    Args:
        run: what to train.
        raw: the folder of all datasets.
        keep_every_epoch: whether to keep the weights after each epoch.
        callbacks: what else watches the training, without a part in it.

    Raises:
        Diverged: the training loss is no longer finite.
        BenchError: the dataset is missing or damaged.
    """
    numerics.use_one_thread()
    # All that a run draws comes from its streams; what does not, in a variant from elsewhere, is
    # at least the same whatever this process trained before.
    L.seed_everything(stream_seed(run.seed, Stream.ELSE), verbose=False)
    history = _History(keep_every_epoch)
    more = [callback for option in active(run) for callback in option.callbacks()]
    with tempfile.TemporaryDirectory() as nowhere, _quiet_lightning():
        trainer = L.Trainer(
            # Apple's MPS is neither a CPU, nor has it been tried.
            accelerator="gpu" if torch.cuda.is_available() else "cpu",
            devices=1,
            max_epochs=run.epochs,
            logger=False,
            callbacks=[history, *more, *callbacks],
            default_root_dir=nowhere,
            limit_val_batches=1.0 if run.validation else 0,
            num_sanity_val_steps=0,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
        )
        started = time.perf_counter()
        trainer.fit(network_of(run), subset_of(run, raw))
        seconds = time.perf_counter() - started
    return RunResult(
        files={**history.files, CURVES: _csv(history.curves)},
        device=device_in_use(),
        seconds=seconds,
    )


_METRICS = [f"{s}/{m}" for s in ("train", "val") for m in ("loss", "accuracy")]


def _csv(rows: list[dict[str, float]]) -> bytes:
    text = io.StringIO()
    names = ["epoch", *(name for name in _METRICS if name in rows[0])]
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


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
