"""One training on a table: the project's network, its data from outside.

The discipline is the benchmark's (:mod:`dropout_bench.training.run`): streams of random numbers by
the draw, Adam, an end when the validation loss no longer falls, the best weights, one thread, the
portable arithmetic. The test part is looked at once, by those weights, after training.
"""

import copy
import logging
import math
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import EarlyStopping
from sklearn.model_selection import train_test_split
from torch import Tensor
from torch.nn import functional as F

from dropout_bench import numerics
from dropout_bench.data.modules import EVALUATION_BATCH, Batch, Batches
from dropout_bench.data.subsets import Indices
from dropout_bench.errors import BenchError
from dropout_bench.models.base import MLP
from dropout_bench.streams import Stream, generator, stream_seed
from dropout_bench.trials.fits import Fit, Fitted

TEST, VALIDATION = 0.2, 0.2
"""Parts of the rows; what is left is trained on."""


class Split(NamedTuple):
    """Places, in ascending order, of the rows of each part."""

    train: Indices
    validation: Indices
    test: Indices


def split(labels: Indices, rows: int | None, draw: int) -> Split:
    """Draw rows of a table, and part them in training, validation and test: 60/20/20.

    All draws of rows are stratified: each class keeps its share, to the nearest row.

    Args:
        labels: the class of each row.
        rows: how many rows to draw; all of them without a number.
        draw: number of the draw; the same draw has the same parts everywhere.
    """
    chosen: Indices = np.arange(len(labels))

    def part(of: Indices, size: float, index: int) -> tuple[Indices, Indices]:
        seed = stream_seed(draw, Stream.SPLIT, index)
        one, other = train_test_split(of, test_size=size, stratify=labels[of], random_state=seed)
        return np.sort(one), np.sort(other)

    if rows is not None and rows < len(labels):
        _, chosen = part(chosen, rows, 0)
    others, test = part(chosen, TEST, 1)
    train, validation = part(others, VALIDATION / (1 - TEST), 2)
    return Split(train, validation, test)


EPOCH = 20
"""Optimiser steps of an epoch at least: of a short table it is several passes over the rows, since
a look at the validation part after every step or two would take longer than the steps."""

SLIGHT = 0.001
"""By how much, in nats, the validation loss must fall to count as falling: of rows that are told
apart without a fault it would go on towards 0 for ever."""


class _Passes(Batches):
    """Batches over several passes, each in an order of its own."""

    def __init__(
        self, x: Tensor, y: Tensor, chosen: Indices, size: int, order: torch.Generator, passes: int
    ) -> None:
        super().__init__(x, y, chosen, size, order)
        self.passes = passes

    def __len__(self) -> int:
        return -(-self.passes * len(self.chosen) // self.size)

    def __iter__(self) -> Iterator[Batch]:
        rows = len(self.chosen)
        orders = [torch.randperm(rows, generator=self.order) for _ in range(self.passes)]
        for part in self.chosen[torch.cat(orders)].split(self.size):
            yield self.images.index_select(0, part), self.labels.index_select(0, part)


class TableModule(L.LightningDataModule):
    """A table, split by the draw, standardised by mean and standard deviation of its training part.

    Rows are given as images of one line, (rows, 1, columns). They stay where they are, in a file
    that all processes share, until a batch is asked for.

    Args:
        x: all rows, (rows, columns).
        y: their classes, (rows,).
        rows: how many of them a draw takes.
        batch_size: rows per optimiser step.
        draw: draws the split and the order of the batches.
    """

    def __init__(
        self, x: Tensor, y: Tensor, rows: int | None = None, batch_size: int = 32, draw: int = 0
    ) -> None:
        super().__init__()
        self.x, self.y, self.draw = x, y, draw
        self.split = split(y.numpy(), rows, draw)
        train = len(self.split.train)
        self.passes = -(-EPOCH * batch_size // train)
        # A last batch of one row has no spread, which batch normalisation asks for.
        self.batch_size = batch_size + (self.passes * train % batch_size == 1)
        self.mean, self.sd = _moments(x, self.split.train)

    @property
    def steps(self) -> int:
        """Number of optimiser steps of an epoch."""
        return -(-self.passes * len(self.split.train) // self.batch_size)

    def train_dataloader(self) -> Batches:
        """Training batches, many at once for a module that asks for them (``batches_per_chunk``).

        Each epoch goes on in the draw's stream of orders.
        """
        size = self.batch_size * (self._batches_per_chunk or 1)
        order = generator(self.draw, Stream.ORDER)
        return _Passes(self.x, self.y, self.split.train, size, order, self.passes)

    def val_dataloader(self) -> Batches:
        """The validation rows, in order."""
        return self.in_order(self.split.validation)

    def in_order(self, chosen: Indices) -> Batches:
        """Some rows, in order, as they lie in the table."""
        return Batches(self.x, self.y, chosen, EVALUATION_BATCH)

    @property
    def _batches_per_chunk(self) -> int | None:
        module = self.trainer.lightning_module if self.trainer is not None else None
        return getattr(module, "batches_per_chunk", None)

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch | list[Batch]:
        """Standardise rows on the device; in training, cut the chunk into its batches."""
        x, y = self.standardised(batch[0]), batch[1]
        if self.trainer is None or not self.trainer.training or self._batches_per_chunk is None:
            return x, y
        size = self.batch_size
        return list(zip(x.split(size), y.split(size), strict=True))

    def standardised(self, x: Tensor) -> Tensor:
        """Return (x − mean) / sd as images of one line: (rows, columns) → (rows, 1, columns)."""
        mean, sd = self.mean.to(x.device), self.sd.to(x.device)
        return ((x - mean) / sd).unsqueeze(1)


def _moments(x: Tensor, chosen: Indices) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of each column, float32, of some rows, in parts of them.

    The second pass is about the mean, in float64, so that a large mean costs no digits. A column
    that is constant among them has a standard deviation of 1.
    """
    parts = torch.from_numpy(chosen).split(EVALUATION_BATCH)
    sums = torch.stack([x[part].double().sum(0) for part in parts])
    mean = sums.sum(0) / len(chosen)
    squares = torch.stack([(x[part].double() - mean).square().sum(0) for part in parts])
    sd = (squares.sum(0) / len(chosen)).sqrt()
    return mean.float(), torch.where(sd > 0, sd, 1.0).float()


@dataclass
class _Best(L.Callback):
    """Keeps the curves, and the weights of the lowest validation loss."""

    place: str
    curves: list[dict[str, float]] = field(default_factory=list)
    weights: dict[str, Any] = field(default_factory=dict)
    loss: float = math.inf

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        seen = {
            name: float(value)
            for name, value in trainer.callback_metrics.items()
            if name.startswith(("train/", "val/"))
        }
        if not all(map(math.isfinite, seen.values())):
            raise BenchError(
                f"{self.place}: the loss is no longer a finite number in epoch "
                f"{trainer.current_epoch + 1}; give a smaller step size (--step)"
            )
        self.curves.append(seen)
        if seen["val/loss"] < self.loss:
            self.loss = seen["val/loss"]
            self.weights = copy.deepcopy(pl_module.state_dict())


def fit(
    x: Tensor, y: Tensor, classes: int, settings: Fit, variant: type[MLP], place: str
) -> Fitted:
    """Train a network on a table, and measure it on all three parts.

    Args:
        x: all rows, (rows, columns).
        y: the place of their class, (rows,).
        classes: number of classes.
        settings: how.
        variant: the network's class.
        place: names the training in messages.

    Raises:
        BenchError: the loss is no longer finite.
    """
    numerics.use_one_thread()
    L.seed_everything(stream_seed(settings.draw, Stream.ELSE), verbose=False)
    data = TableModule(x, y, settings.rows, settings.batch_size, settings.draw)
    network = variant(
        pixels=x.shape[1],
        classes=classes,
        hidden=settings.hidden,
        dropout=settings.dropout,
        learning_rate=settings.learning_rate,
        seed=settings.draw,
    )
    limit = -(-settings.steps // data.steps)
    patience = max(settings.patience, -(-settings.patience_steps // data.steps))
    best = _Best(place)
    ends = EarlyStopping("val/loss", min_delta=SLIGHT, patience=patience, check_finite=False)
    with tempfile.TemporaryDirectory() as nowhere, _quiet_lightning():
        trainer = L.Trainer(
            accelerator="gpu" if torch.cuda.is_available() else "cpu",
            devices=1,
            max_epochs=limit,
            logger=False,
            callbacks=[best, ends],
            default_root_dir=nowhere,
            num_sanity_val_steps=0,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
        )
        started = time.perf_counter()
        trainer.fit(network, data)
        seconds = time.perf_counter() - started
    network.load_state_dict(best.weights)
    network.cpu().eval()
    figures: dict[str, float] = {}
    for name, part in zip(("train", "val", "test"), data.split, strict=True):
        figures |= _figures(name, network, data, part)
    losses = [row["val/loss"] for row in best.curves]
    return Fitted(
        figures=figures,
        curves={name: [row[name] for row in best.curves] for name in best.curves[0]},
        best_epoch=1 + int(np.argmin(losses)),
        limit=limit,
        steps=data.steps,
        rows=tuple(map(len, data.split)),
        seconds=seconds,
    )


@torch.inference_mode()
def _figures(part: str, network: MLP, data: TableModule, chosen: Indices) -> dict[str, float]:
    """Return mean negative log-likelihood, in nats, and accuracy, a fraction, in evaluation."""
    loss = right = 0.0
    for rows, labels in data.in_order(chosen):
        logits = network(data.standardised(rows))
        loss += float(F.cross_entropy(logits, labels, reduction="none").double().sum())
        right += float((logits.argmax(1) == labels).sum())
    return {f"{part}/loss": loss / len(chosen), f"{part}/accuracy": right / len(chosen)}


@contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Keep from the user what Lightning says of every training."""
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
