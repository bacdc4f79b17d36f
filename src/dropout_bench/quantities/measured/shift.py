"""The shift of variance that dropout makes between training and evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dropout_bench.quantities import networks
from dropout_bench.quantities.quantity import LAYER, Quantity, Row, measured

if TYPE_CHECKING:
    from typing import Any

    from torch import Tensor

    from dropout_bench.data.modules import Subset
    from dropout_bench.models.base import MLP


@measured(Quantity("shift/variance", "variance, evaluation over training", "ratio", LAYER))
def shift(network: MLP, data: Subset, seed: int) -> Iterator[Row]:
    """Variance of a hidden layer's pre-activations in evaluation over that with masks at work.

    Of each unit the variance over images in evaluation, over that of the same images with masks at
    work as in training; the mean over units. Pre-activations are what enters the layer's batch
    normalisation, and where it has none, what its linear map gives: with dropout in the layer
    before, W (m ⊙ h) / (1 − p) + b. Such masks add to the variance in training and not in
    evaluation, so that it is below 1, and batch normalisation, which keeps the variance of
    training, no longer normalises (Li et al. 2019, *Understanding the disharmony between dropout
    and batch normalization by variance shift*, section 3). It is 1 without dropout, and in the
    first hidden layer where dropout comes after it; without batch normalisation it is the same
    shift, that nothing was fitted to. A unit that does not vary at all counts as 1.
    Where one mask is for all images of a batch, as in DropConnect, it is one draw.

    The first 1,000 images trained on are used for both: what is left is dropout's doing alone.
    Batch normalisation in the layers before is as in evaluation.
    """
    import torch

    images, _ = networks.train_set(data)
    evaluation = _variances(network, images)
    networks.let_noise_in(network, stream=3)
    training = _variances(network, images)
    network.eval()
    for layer, (here, there) in enumerate(zip(evaluation, training, strict=True), start=1):
        ratios = torch.where(there > 0, here / there, 1.0)
        yield "shift/variance", layer, float(ratios.mean())


def _variances(network: MLP, images: Tensor) -> list[Tensor]:
    """Return the variance of each unit's pre-activation in one pass, (units,), layer by layer."""
    from torch import nn

    seen: dict[int, Tensor] = {}

    def see(number: int, pre_activation: Tensor) -> None:
        seen.setdefault(number, pre_activation.double().var(0))

    def watch_input(number: int) -> Any:
        return lambda module, inputs: see(number, inputs[0])

    def watch_output(number: int) -> Any:
        return lambda module, inputs, output: see(number, output)

    handles = []
    for number, layer in enumerate(network.hidden_layers()):
        norms = [each for each in layer.modules() if isinstance(each, nn.BatchNorm1d)]
        if norms:
            handles.append(norms[0].register_forward_pre_hook(watch_input(number)))
            continue
        # The map itself, or, where it is not called, the step that does it with other weights.
        linear = network.linears[number]
        step = next(each for each in layer if any(part is linear for part in each.modules()))
        see_output = watch_output(number)
        handles += [each.register_forward_hook(see_output) for each in {linear, step}]
    network(images)
    for handle in handles:
        handle.remove()
    return [seen[number] for number in range(len(network.hidden_layers()))]
