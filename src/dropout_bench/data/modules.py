"""The LightningDataModule: a subset of any dataset of the catalogue.

Images stay unsigned bytes in memory-mapped files until a batch is asked for; a batch is gathered
by index in one operation and turned into floats after it reached the device. There is nothing to
decode, so there are no worker processes.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import lightning as L
import torch
from torch import Tensor

from dropout_bench.catalogue.datasets import DATASETS
from dropout_bench.data.arrays import SplitName, open_split, verified_digest
from dropout_bench.data.subsets import Indices, reindexed, stratified_split
from dropout_bench.errors import BenchError
from dropout_bench.params.options import active
from dropout_bench.params.options.base import Option
from dropout_bench.params.run import Run
from dropout_bench.params.values import Normalise
from dropout_bench.streams import Stream, generator

Batch = tuple[Tensor, Tensor]
"""Images, (images, height, width), and labels, (images,)."""

EVALUATION_BATCH = 1000
"""Images per batch in evaluation; fixed, since sums over a batch depend on its size."""


class Batches:
    """An iterable over batches of some images of a dataset, as a DataLoader would be.

    Args:
        images: all images of a file, unsigned bytes; shape (images, height, width).
        labels: their labels; shape (images,).
        chosen: places of the images to go over.
        size: images per batch; the last batch may be smaller.
        order: draws a new order for each pass; without it the order is that of ``chosen``.
    """

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        chosen: Indices,
        size: int,
        order: torch.Generator | None = None,
    ) -> None:
        self.images = images
        self.labels = labels
        self.chosen = torch.from_numpy(chosen)
        self.size = size
        self.order = order

    def __len__(self) -> int:
        return -(-len(self.chosen) // self.size)

    def __iter__(self) -> Iterator[Batch]:
        chosen = self.chosen
        if self.order is not None:
            chosen = chosen[torch.randperm(len(chosen), generator=self.order)]
        for part in chosen.split(self.size):
            yield self.images.index_select(0, part), self.labels.index_select(0, part)


class Subset(L.LightningDataModule):
    """Images of some classes of a dataset, split by seed into training and validation.

    The test files are opened by ``setup("test")`` only: training cannot touch them.

    Args:
        dataset: its name in the catalogue.
        root: the folder that holds the dataset's folder.
        classes: labels to keep; the place of a label here is the label the network sees.
        train_size: number of training images to draw, stratified by class, those for validation
            included; all of them without it.
        validation: fraction of these images held out for validation, in [0, 1).
        normalise: a pixel of value v in [0, 1] enters as (v − mean) / sd.
        batch_size: images per optimiser step.
        seed: draws the subset, the split, the order of the batches, the noise and the shifts.
        options: what training images go through, anew each time that they are seen.

    Raises:
        BenchError: (by ``setup``) the files are missing or damaged, labels are not those of the
            dataset, or there are too few images.
    """

    def __init__(
        self,
        dataset: str,
        root: Path | str,
        classes: tuple[int, ...] | None = None,
        train_size: int | None = None,
        validation: float = 0.0,
        normalise: Normalise | None = None,
        batch_size: int = 64,
        seed: int = 0,
        options: Sequence[Option] = (),
    ) -> None:
        super().__init__()
        self.dataset = DATASETS[dataset]
        self.folder = Path(root) / dataset
        self.classes = classes or self.dataset.labels
        self.train_size = train_size
        self.validation = validation
        self.normalise = normalise or Normalise()
        self.batch_size = batch_size
        self.seed = seed
        self.options = [
            (option, generator(seed, Stream[option.stream]) if option.stream else None)
            for option in options
        ]

    def prepare_data(self) -> None:
        """Check that the dataset is there and whole; getting it is ``dropout-bench download``."""
        verified_digest(self.folder)

    def setup(self, stage: str | None = None) -> None:
        """Open the training files (``fit``, ``validate``), the test files (``test``), or both."""
        if stage in {"test", "predict", None}:
            self.test_images, self.test_labels = self._open("test")
            self.test = (self.test_labels >= 0).nonzero().squeeze(1).numpy()
        if stage in {"test", "predict"}:
            return
        self.train_images, self.train_labels = self._open("train")
        labels = self.train_labels.numpy()
        try:
            self.split = stratified_split(
                labels,
                self.train_size or int((labels >= 0).sum()),
                self.validation,
                self.seed,
            )
        except ValueError as error:
            raise BenchError(f"{self.folder}: cannot be split as asked: {error}") from error
        for option, _ in self.options:
            random = generator(self.seed, Stream[option.stream], 1) if option.stream else None
            self.train_labels, train = option.on_subset(self.train_labels, self.split.train, random)
            self.split = self.split._replace(train=train)

    def _open(self, split: SplitName) -> Batch:
        images, labels = open_split(self.folder, split)
        return torch.from_numpy(images), torch.from_numpy(reindexed(labels, self.classes))

    def train_dataloader(self) -> Batches:
        """Training batches, many at once for a module that asks for them (``batches_per_chunk``).

        Each pass goes on in the seed's stream of orders.
        """
        return Batches(
            self._opened("train_images"),
            self.train_labels,
            self.split.train,
            self.batch_size * (self._batches_per_chunk or 1),
            generator(self.seed, Stream.ORDER),
        )

    @property
    def _batches_per_chunk(self) -> int | None:
        module = self.trainer.lightning_module if self.trainer is not None else None
        return getattr(module, "batches_per_chunk", None)

    def _opened(self, name: str) -> Tensor:
        try:
            images: Tensor = getattr(self, name)
        except AttributeError:
            stage = "test" if name.startswith("test") else "fit"
            raise BenchError(f'no images are open yet: call setup("{stage}") first') from None
        return images

    def train_evaluation_dataloader(self) -> Batches:
        """The training images once, in the dataset's order."""
        return self._in_order(self._opened("train_images"), self.train_labels, self.split.train)

    def val_dataloader(self) -> Batches | list[Any]:
        """The validation images in the dataset's order; no loader at all without a split."""
        images = self._opened("train_images")
        if not len(self.split.validation):
            return []
        return self._in_order(images, self.train_labels, self.split.validation)

    def test_dataloader(self) -> Batches:
        """The test images of the chosen classes in the dataset's order."""
        return self._in_order(self._opened("test_images"), self.test_labels, self.test)

    def predict_dataloader(self) -> Batches:
        """The test images, to be predicted."""
        return self.test_dataloader()

    @staticmethod
    def _in_order(images: Tensor, labels: Tensor, chosen: Indices) -> Batches:
        return Batches(images, labels, chosen, EVALUATION_BATCH)

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch | list[Batch]:
        """Turn bytes into floats on the device; in training, cut the chunk into its batches."""
        images, labels = batch
        if self.trainer is None or not self.trainer.training:
            return self.floats(images), labels
        for option, random in self.options:
            images = option.on_bytes(images, random)
        images = self.floats(images)
        for option, random in self.options:
            images = option.on_pixels(images, random)
        if self._batches_per_chunk is None:
            return images, labels
        size = self.batch_size
        return list(zip(images.split(size), labels.split(size), strict=True))

    def floats(self, images: Tensor) -> Tensor:
        """Normalise images: (v / white − mean) / sd, float32, from bytes v in [0, white]."""
        mean, sd = self.normalise.mean, self.normalise.sd
        return images.float().mul_(1 / (self.dataset.white * sd)).sub_(mean / sd)


def subset_of(run: Run, root: Path | str) -> Subset:
    """Return the data module of a run, over the datasets in ``root``."""
    return Subset(
        run.dataset,
        root,
        classes=run.classes,
        train_size=run.train_size,
        validation=run.validation,
        normalise=run.normalise,
        batch_size=run.batch_size,
        seed=run.seed,
        options=active(run),
    )
