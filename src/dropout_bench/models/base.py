"""The base LightningModule: everything that the MLP variants share."""

from collections import OrderedDict
from itertools import pairwise
from typing import cast

import lightning as L
import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import LinearLR, LRScheduler
from torchmetrics import Metric, MetricCollection
from torchmetrics.aggregation import MeanMetric
from torchmetrics.classification import MulticlassAccuracy

from dropout_bench.data.modules import Batch
from dropout_bench.models.dropout import Dropout
from dropout_bench.models.linear import PortableLinear
from dropout_bench.streams import Stream, stream_seed


class MLP(L.LightningModule):
    """A multilayer perceptron for images, trained by Adam on the cross-entropy.

    A variant says what one of its hidden layers is made of (:meth:`hidden_layer`); input, output,
    training, metrics and optimiser stand here once.

    Loss is the negative log-likelihood −log softmax(z)ₜ of the true class t, in nats, averaged
    over images; accuracy is the fraction of images whose largest logit is that of the true class.
    Both are kept by epoch and logged as ``split/name``. The training figures are those seen in
    training: with the masks of the moment, and with weights that move as the epoch goes on.

    Args:
        pixels: number of pixels of an image.
        classes: number of classes.
        hidden: width of each hidden layer.
        dropout: dropout rate of each hidden layer, in [0, 1).
        input_dropout: dropout rate of the pixels, in [0, 1).
        learning_rate: Adam's step size.
        seed: draws the initial weights and the masks.
        weight_decay: decoupled weight decay λ (Loshchilov and Hutter 2019): each step also takes
            learning_rate · λ · w from every parameter w.
        l2: factor λ of an L2 penalty λ/2 · Σ w² of all parameters, whose gradient enters Adam's.
        l1: factor λ of an L1 penalty λ · Σ |w| of the weights of the linear maps.
        max_norm: largest Euclidean norm c of the weights into a hidden unit; longer ones are
            shortened to it after each step (Srivastava et al. 2014, section 5.1).
        learning_rate_decay: ``none``, or ``linear``: in epoch e of E the step size is
            learning_rate · (1 − (e − 1) / E).
    """

    def __init__(
        self,
        pixels: int,
        classes: int,
        hidden: tuple[int, ...],
        dropout: tuple[float, ...],
        input_dropout: float = 0.0,
        learning_rate: float = 1e-3,
        seed: int = 0,
        weight_decay: float = 0.0,
        l2: float = 0.0,
        l1: float = 0.0,
        max_norm: float | None = None,
        learning_rate_decay: str = "none",
    ) -> None:
        super().__init__()
        self.full_rates = (input_dropout, *dropout)
        self.learning_rate = learning_rate
        self.seed = seed
        self.weight_decay = weight_decay
        self.l2 = l2
        self.l1 = l1
        self.max_norm = max_norm
        self.learning_rate_decay = learning_rate_decay
        # One training_step takes a chunk of batches and steps the optimiser after each.
        self.automatic_optimization = False
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(stream_seed(seed, Stream.WEIGHTS))
            layers = OrderedDict[str, nn.Module](flatten=nn.Flatten())
            if input_dropout:
                layers["input_dropout"] = Dropout(input_dropout, seed, layer=0)
            widths = pairwise((pixels, *hidden))
            linears: list[nn.Linear] = []
            for number, ((before, after), rate) in enumerate(
                zip(widths, dropout, strict=True), start=1
            ):
                linears.append(PortableLinear(before, after))
                layers[f"hidden{number}"] = nn.Sequential(
                    *self.hidden_layer(linears[-1], rate, number)
                )
            layers["output"] = PortableLinear(hidden[-1], classes)
        self.network = nn.Sequential(layers)
        self.hidden_weights = [linear.weight for linear in linears]
        self.train_metrics = _metrics("train", classes)
        self.val_metrics = _metrics("val", classes)
        self.test_metrics = _metrics("test", classes)

    def hidden_layer(self, linear: nn.Linear, rate: float, number: int) -> list[nn.Module]:
        """Return the modules of a hidden layer, in order.

        Args:
            linear: the layer's linear map.
            rate: the layer's dropout rate.
            number: the layer's number, from 1; a dropout layer draws its masks by it.
        """
        raise NotImplementedError

    def forward(self, images: Tensor) -> Tensor:
        """Return logits, (images, classes), of normalised images, (images, height, width)."""
        logits: Tensor = self.network(images)
        return logits

    def training_step(self, batches: list[Batch], batch_idx: int) -> None:
        """Take one optimiser step for each batch of a chunk."""
        optimizer = cast("LightningOptimizer", self.optimizers())
        seen = []
        for images, labels in batches:
            logits = self(images)
            loss = F.cross_entropy(logits, labels)
            optimizer.zero_grad()
            self.manual_backward(loss + self.penalty() if self.l1 else loss)
            optimizer.step()
            if self.max_norm is not None:
                self._shorten_weights(self.max_norm)
            seen.append(logits.detach())
        labels = torch.cat([labels for _, labels in batches])
        self._record(self.train_metrics, torch.cat(seen), labels)

    def penalty(self) -> Tensor:
        """Return the L1 penalty, λ · Σ |w|, a scalar; L2 and weight decay are in the optimiser."""
        weights = (*self.hidden_weights, cast("nn.Linear", self.network.output).weight)
        return self.l1 * torch.stack([weight.abs().sum() for weight in weights]).sum()

    @torch.no_grad()
    def _shorten_weights(self, longest: float) -> None:
        for weight in self.hidden_weights:
            weight.copy_(torch.renorm(weight, p=2, dim=0, maxnorm=longest))

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Record loss and accuracy on validation images, in evaluation mode."""
        self._record(self.val_metrics, self(batch[0]), batch[1])

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Record loss and accuracy on test images, in evaluation mode."""
        self._record(self.test_metrics, self(batch[0]), batch[1])

    def _record(self, metrics: MetricCollection, logits: Tensor, labels: Tensor) -> None:
        metrics["loss"].update(F.cross_entropy(logits, labels, reduction="none"))
        metrics["accuracy"].update(logits, labels)
        self.log_dict(metrics, on_step=False, on_epoch=True)

    def on_train_epoch_end(self) -> None:
        """Lower the step size, if it is to decay."""
        if schedule := cast("LRScheduler | None", self.lr_schedulers()):
            schedule.step()

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Adam (Kingma and Ba 2015) with its usual moments, all parameters in one fused step."""
        adam = torch.optim.Adam(
            self.parameters(),
            self.learning_rate,
            weight_decay=self.weight_decay or self.l2,
            decoupled_weight_decay=self.weight_decay > 0,
            fused=True,
        )
        if self.learning_rate_decay == "none":
            return adam
        epochs = self.trainer.max_epochs or 1
        return [adam], [LinearLR(adam, start_factor=1.0, end_factor=0.0, total_iters=epochs)]


def _metrics(split: str, classes: int) -> MetricCollection:
    metrics: dict[str, Metric | MetricCollection] = {
        # A loss that is not finite must show: it is how a diverged run is noticed.
        "loss": MeanMetric(nan_strategy="disable"),
        "accuracy": MulticlassAccuracy(classes, average="micro", validate_args=False),
    }
    return MetricCollection(metrics, prefix=f"{split}/", compute_groups=False)
