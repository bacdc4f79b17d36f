"""The base LightningModule: everything that the MLP variants share."""

from collections import OrderedDict
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, ClassVar, cast

import lightning as L
import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import LRScheduler
from torchmetrics import Metric, MetricCollection
from torchmetrics.aggregation import MeanMetric
from torchmetrics.classification import MulticlassAccuracy

from dropout_bench.catalogue.optimisers import OPTIMISERS
from dropout_bench.models.layers.dropout import Dropout
from dropout_bench.models.layers.linear import PortableLinear
from dropout_bench.models.layers.noise import Noise
from dropout_bench.params.options import Options, active
from dropout_bench.params.values import Strict
from dropout_bench.streams import Masks, Stream, stream_seed

Batch = tuple[Tensor, Tensor]
"""Images, (images, height, width), and labels, (images,)."""


class MLP(L.LightningModule):
    """A multilayer perceptron for images, trained on the cross-entropy.

    A variant says what one of its hidden layers is made of (:meth:`hidden_layer`), and whichever
    of :meth:`loss`, :meth:`on_epoch`, :attr:`counterpart` and :attr:`Own` differs from what stands
    here; input, output, training, metrics and optimiser stand here once.

    It is an ordinary LightningModule, for any Trainer and any loader of (images, labels); of its
    own data module it asks for many batches at once (:attr:`batches_per_chunk`), since what
    Lightning does per step is then paid once for all. It steps the optimiser itself: Lightning
    refuses gradient clipping and accumulation by the Trainer.

    Loss is the negative log-likelihood −log softmax(z)ₜ of the true class t, in nats, averaged
    over images; accuracy is the fraction of images whose largest logit is that of the true class.
    Both are kept by epoch and logged as ``split/name``. The training figures are those seen in
    training: with the masks of the moment, and with weights that move as the epoch goes on.

    Args:
        pixels: number of pixels of an image.
        classes: number of classes.
        hidden: width of each hidden layer.
        dropout: dropout rate of each hidden layer, or one for all of them; in [0, 1).
        input_dropout: dropout rate of the pixels, in [0, 1).
        learning_rate: the optimiser's step size.
        optimiser: name of an entry of :data:`dropout_bench.catalogue.optimisers.OPTIMISERS`.
        seed: draws the initial weights and the masks.
        options: what else it is trained with, as in ``params.yaml``.

    Raises:
        ValueError: there is not one rate for each hidden layer, or a rate outside [0, 1).
    """

    counterpart: ClassVar[str | None] = "standard"
    """the variant that this one is at rate 0; None for one that takes no dropout"""

    batches_per_chunk: ClassVar[int] = 64
    """batches that one ``training_step`` may take, with an optimiser step for each"""

    class Own(Strict):
        """Options of the variant's own; ``self.own`` has their values."""

    def __init__(
        self,
        pixels: int,
        classes: int,
        hidden: tuple[int, ...],
        dropout: tuple[float, ...] | float,
        input_dropout: float = 0.0,
        learning_rate: float = 1e-3,
        optimiser: str = "adam",
        seed: int = 0,
        options: Options | Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        rates = dropout if isinstance(dropout, tuple | list) else (dropout,) * len(hidden)
        if len(rates) != len(hidden):
            raise ValueError(f"{len(rates)} dropout rates for {len(hidden)} hidden layers")
        options = Options.model_validate(options or {}, from_attributes=True)
        # Plain values: they are in every checkpoint, which is loaded without running any code.
        self.save_hyperparameters(
            {
                "pixels": pixels,
                "classes": classes,
                "hidden": list(hidden),
                "dropout": list(rates),
                "input_dropout": input_dropout,
                "learning_rate": learning_rate,
                "optimiser": optimiser,
                "seed": seed,
                "options": options.model_dump(mode="json", exclude_defaults=True),
            }
        )
        self.learning_rate = learning_rate
        self.optimiser = OPTIMISERS[optimiser]
        self.seed = seed
        self.options = active(options)
        self.own = self.Own.model_validate(dict(getattr(options, "own")))  # noqa: B009
        # One training_step takes a chunk of batches and steps the optimiser after each.
        self.automatic_optimization = False
        self._parts: dict[int, int] = {}
        self.linears: list[nn.Linear] = []
        hidden_layers = []
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(stream_seed(seed, Stream.WEIGHTS))
            layers = OrderedDict[str, nn.Module](flatten=nn.Flatten())
            if input_dropout:
                layers["input_dropout"] = Dropout(input_dropout, self.masks(0))
            widths = pairwise((pixels, *hidden))
            for number, ((before, after), rate) in enumerate(
                zip(widths, rates, strict=True), start=1
            ):
                self.linears.append(PortableLinear(before, after))
                layer = nn.Sequential(*self.hidden_layer(self.linears[-1], rate, number))
                hidden_layers.append(layer)
                layers[f"hidden{number}"] = layer
            layers["output"] = output = PortableLinear(hidden[-1], classes)
        self.linears.append(output)
        self._hidden_layers = tuple(hidden_layers)
        self.network = nn.Sequential(layers)
        self.train_metrics = _metrics("train", classes)
        self.val_metrics = _metrics("val", classes)
        self.test_metrics = _metrics("test", classes)

    # What a variant may say.

    def hidden_layer(self, linear: nn.Linear, rate: float, number: int) -> list[nn.Module]:
        """Return the modules of a hidden layer, in order.

        Args:
            linear: the layer's linear map.
            rate: the layer's dropout rate.
            number: the layer's number, from 1; :meth:`masks` takes it.
        """
        raise NotImplementedError

    def loss(self, images: Tensor, labels: Tensor, logits: Tensor) -> Tensor:
        """Return the loss of a batch that training lowers, a scalar: here the cross-entropy.

        Args:
            images: normalised images, (images, height, width); for a method with a second pass.
            labels: their classes, (images,).
            logits: what the network gave for them, (images, classes).
        """
        return F.cross_entropy(logits, labels)

    def on_epoch(self, progress: float) -> None:
        """Prepare an epoch; ``progress`` is 0 in the first one and 1 in the last."""

    def masks(self, layer: int) -> Masks:
        """Return a new stream of random numbers for a noise layer; no two share theirs.

        Args:
            layer: number of the hidden layer that it stands in; 0 is the input.
        """
        part = self._parts.get(layer, 0)
        self._parts[layer] = part + 1
        return Masks(self.seed, layer, part)

    # What one may ask of it.

    def hidden_layers(self) -> tuple[nn.Sequential, ...]:
        """Return the hidden layers, in order."""
        return self._hidden_layers

    def noise_layers(self) -> list[Noise]:
        """Return the layers that put noise into it, from the input on."""
        return [layer for layer in self.modules() if isinstance(layer, Noise)]

    @property
    def hidden_weights(self) -> list[Tensor]:
        """The weights into each hidden layer, (units, inputs)."""
        return [linear.weight for linear in self.linears[:-1]]

    def forward(self, images: Tensor) -> Tensor:
        """Return logits, (images, classes), of normalised images, (images, height, width)."""
        logits: Tensor = self.network(images)
        return logits

    # What Lightning asks of it.

    def training_step(self, batch: Batch | list[Batch], batch_idx: int) -> None:
        """Take one optimiser step for a batch, or for each batch of a chunk."""
        optimizer = cast("LightningOptimizer", self.optimizers())
        # A loader's own batch is a pair of tensors, in a tuple or a list.
        batches = cast("list[Batch]", [batch] if isinstance(batch[0], Tensor) else batch)
        seen = []
        for images, labels in batches:
            if 0 <= self.trainer.max_steps <= self.trainer.global_step:
                break
            logits = self(images)
            loss = self.loss(images, labels, logits)
            for option in self.options:
                loss = loss + option.penalty(self)
            optimizer.zero_grad()
            self.manual_backward(loss)
            optimizer.step()
            for option in self.options:
                option.after_step(self)
            seen.append((logits.detach(), labels))
        if seen:
            logits, labels = (torch.cat(those) for those in zip(*seen, strict=True))
            self._record(self.train_metrics, logits, labels)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Record loss and accuracy on validation images, in evaluation mode."""
        self._record(self.val_metrics, self(batch[0]), batch[1])

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Record loss and accuracy on test images, in evaluation mode."""
        self._record(self.test_metrics, self(batch[0]), batch[1])

    def predict_step(self, batch: Batch | Tensor, batch_idx: int) -> Tensor:
        """Return the probability of each class, (images, classes), in evaluation mode."""
        images = batch if isinstance(batch, Tensor) else batch[0]
        return cast("Tensor", self(images)).softmax(1)

    def _record(self, metrics: MetricCollection, logits: Tensor, labels: Tensor) -> None:
        metrics["loss"].update(F.cross_entropy(logits, labels, reduction="none"))
        metrics["accuracy"].update(logits, labels)
        self.log_dict(metrics, on_step=False, on_epoch=True, prog_bar=True)

    def on_train_epoch_start(self) -> None:
        """Tell the variant how far the training is."""
        last = max(1, (self.trainer.max_epochs or 1) - 1)
        self.on_epoch(min(1.0, self.current_epoch / last))

    def on_train_epoch_end(self) -> None:
        """Lower the step size, if it is to decay."""
        schedules: list[LRScheduler] = [
            each.scheduler for each in self.trainer.lr_scheduler_configs
        ]
        for schedule in schedules:
            schedule.step()

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Make the optimiser: all parameters in one fused step, and a schedule if there is one."""
        settings = dict(self.optimiser.settings)
        for option in self.options:
            for way, strength in option.optimiser_settings().items():
                settings |= {"weight_decay": strength, **self.optimiser.penalty[way]}
        kind = getattr(torch.optim, self.optimiser.torch)
        optimizer = kind(self.parameters(), self.learning_rate, **settings)
        epochs = self.trainer.max_epochs or 1
        schedules = [
            schedule
            for option in self.options
            if (schedule := option.schedule(optimizer, epochs)) is not None
        ]
        return [optimizer], schedules


def _metrics(split: str, classes: int) -> MetricCollection:
    metrics: dict[str, Metric | MetricCollection] = {
        # A loss that is not finite must show: it is how a diverged run is noticed.
        "loss": MeanMetric(nan_strategy="disable"),
        "accuracy": MulticlassAccuracy(classes, average="micro", validate_args=False),
    }
    return MetricCollection(metrics, prefix=f"{split}/", compute_groups=False)
