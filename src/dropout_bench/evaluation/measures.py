"""What an experiment may measure of each trained network, besides how well it does.

Each function takes a trained network in evaluation mode, its data and the run's seed, and gives
rows (metric, at, value): accuracy under noise at a strength, mean activation at a layer.
"""

from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dropout_bench.data.modules import Subset
from dropout_bench.data.shifting import shifted
from dropout_bench.models.base import MLP
from dropout_bench.models.layers.noise import Noise
from dropout_bench.params.experiment import Measure
from dropout_bench.streams import Stream, generator

Row = tuple[str, float, float]

MASKS = (1, 2, 5, 10, 20, 50, 100)
STRENGTHS = {
    "noise": (0.1, 0.2, 0.3, 0.4),
    "shift": (1, 2, 3, 4),
    "occlusion": (4, 8, 12, 16),
    "contrast": (0.2, 0.4, 0.6, 0.8),
}
ABLATED = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
SINGLE_UNITS = 50
RELIABILITY_BINS = 10
FEATURES = 24
HISTOGRAM = torch.arange(0.0, 5.25, 0.25)


def _test_set(data: Subset) -> tuple[Tensor, Tensor]:
    chosen = torch.from_numpy(data.test)
    return data.test_images[chosen], data.test_labels[chosen]


def _accuracy(scores: Tensor, labels: Tensor) -> float:
    return float((scores.argmax(1) == labels).double().mean())


@torch.inference_mode()
def masks(network: MLP, data: Subset, seed: int) -> Iterator[Row]:
    """Average the predicted probabilities over k sampled masks, k = 1 … 100.

    The average of all thinned networks is what scaling the weights stands for (Srivastava et al.
    2014, section 7.5, figure 11). At each k: accuracy, loss, and the predictive entropy
    −Σ p log p in nats, averaged over the test images; at 0, the same by weight scaling.
    ``masks/activation`` is the mean activation of the first hidden layer, averaged over the k
    masks, over that of evaluation: 1 where dropout keeps the expectation of what it drops from.

    Every fifth test image is used: a sampled network costs as much as an evaluation.
    """
    images, labels = _test_set(data)
    images, labels = data.floats(images[::5]), labels[::5]
    layers = list(network.network)
    first = 1 + [name.startswith("hidden") for name, _ in network.network.named_children()].index(
        True
    )
    scaled = _through(layers[:first], images)
    yield from _prediction(_through(layers[first:], scaled).softmax(1), labels, 0)
    _let_noise_in(network, stream=0)
    noisy = any(isinstance(layer, Noise) for layer in network.modules())
    total, activation = torch.zeros(()), 0.0
    for count in range(1, MASKS[-1] + 1):
        if noisy or count == 1:  # without noise every pass is the same
            sampled = _through(layers[:first], images)
            probabilities = _through(layers[first:], sampled).softmax(1)
            mean = float(sampled.double().mean())
        total = total + probabilities
        activation += mean
        if count in MASKS:
            yield from _prediction(total / count, labels, count)
            yield "masks/activation", count, activation / count / float(scaled.double().mean())
    network.eval()


def _through(layers: Iterable[nn.Module], x: Tensor) -> Tensor:
    for layer in layers:
        x = layer(x)
    return x


def _let_noise_in(network: MLP, stream: int) -> None:
    """Have the noise layers, and them alone, act as in training; with another stream."""
    for layer in network.modules():
        if isinstance(layer, Noise):
            layer.masks.restart(stream)
            layer.train()


def _prediction(probabilities: Tensor, labels: Tensor, at: float) -> Iterator[Row]:
    yield "masks/accuracy", at, _accuracy(probabilities, labels)
    likelihood = probabilities[torch.arange(len(labels)), labels]
    yield "masks/loss", at, float(-likelihood.clamp_min(1e-12).log().double().mean())
    entropy = torch.special.entr(probabilities).sum(1)
    yield "masks/entropy", at, float(entropy.double().mean())


@torch.inference_mode()
def corruption(network: MLP, data: Subset, seed: int) -> Iterator[Row]:
    """Accuracy on test images that are noisy, shifted, occluded, or of lower contrast.

    Noise is Gaussian, its strength the standard deviation for pixels in [0, 1], which are clipped
    to that again; a shift is by so many pixels in a direction drawn for each image; an occlusion
    is a black square of so many pixels at a place drawn for each image; contrast pulls pixels
    towards the image's mean by that fraction. The same seed corrupts the same way. Sensitivity
    is the accuracy lost.
    """
    images, labels = _test_set(data)
    clean = _accuracy(network(data.floats(images)), labels)
    pixels = images.float() / data.dataset.white
    random = generator(seed, Stream.NOISE, index=1)
    for kind, strengths in STRENGTHS.items():
        for strength in strengths:
            spoiled = _corrupt(pixels, kind, strength, random)
            normalised = (spoiled - data.normalise.mean) / data.normalise.sd
            accuracy = _accuracy(network(normalised), labels)
            yield f"corruption/{kind}", strength, accuracy
            yield f"sensitivity/{kind}", strength, clean - accuracy


def _corrupt(pixels: Tensor, kind: str, strength: float, random: torch.Generator) -> Tensor:
    count, height, width = pixels.shape
    if kind == "noise":
        noise = torch.randn(pixels.shape, generator=random)
        return (pixels + strength * noise).clamp_(0, 1)
    if kind == "shift":
        # One of four directions for each image.
        way = torch.randint(4, (count,), generator=random)
        down = torch.tensor([1, -1, 0, 0])[way] * int(strength)
        return shifted(pixels, down, torch.tensor([0, 0, 1, -1])[way] * int(strength))
    if kind == "occlusion":
        side = min(int(strength), height, width)
        top = torch.randint(height - side + 1, (count, 1), generator=random)
        left = torch.randint(width - side + 1, (count, 1), generator=random)
        rows, columns = torch.arange(height), torch.arange(width)
        black = ((rows >= top) & (rows < top + side))[:, :, None] & (
            (columns >= left) & (columns < left + side)
        )[:, None, :]
        return pixels.masked_fill(black, 0.0)
    mean = pixels.mean((1, 2), keepdim=True)
    return mean + (1 - strength) * (pixels - mean)


def hidden_outputs(network: MLP, images: Tensor) -> list[Tensor]:
    """Return the outputs of the hidden layers, in order; each (images, units)."""
    outputs = []
    x = images
    for name, layer in network.network.named_children():
        x = layer(x)
        if name.startswith("hidden"):
            outputs.append(x)
    return outputs


@torch.inference_mode()
def activations(network: MLP, data: Subset, seed: int) -> Iterator[Row]:
    """Activations of the hidden layers on the test images (Srivastava et al. 2014, figure 8).

    By layer, from 1: mean, share of zeros, and, as a measure of how irregular they are, the
    standard deviation over units of their mean. The histogram is of the first layer: share of
    activations in each bin, by its lower edge; the last one holds all above.
    """
    images, _ = _test_set(data)
    outputs = hidden_outputs(network, data.floats(images))
    for layer, output in enumerate(outputs, start=1):
        yield "activations/mean", layer, float(output.double().mean())
        yield "activations/zeros", layer, float((output <= 0).double().mean())
        yield "activations/unevenness", layer, float(output.double().mean(0).std())
    bins = torch.bucketize(outputs[0].flatten(), HISTOGRAM, right=True).clamp_min(1) - 1
    shares = torch.bincount(bins, minlength=len(HISTOGRAM)).double() / bins.numel()
    for edge, share in zip(HISTOGRAM.tolist(), shares.tolist(), strict=True):
        yield "activations/histogram", edge, share


@torch.inference_mode()
def ablation(network: MLP, data: Subset, seed: int) -> Iterator[Row]:
    """Accuracy on the test images when units of the first hidden layer are silenced.

    ``ablation/group``: so large a share of the units, drawn at random. ``ablation/single``: loss
    of accuracy when one unit is silenced, at 0.5 the mean and at 1 the largest over 50 units
    drawn at random.
    """
    images, labels = _test_set(data)
    first, *rest = [layer for name, layer in network.network.named_children() if name != "flatten"]
    hidden = first(data.floats(images).flatten(1))

    def accuracy(silenced: Tensor) -> float:
        x = hidden.clone()
        x[:, silenced] = 0
        return _accuracy(_through(rest, x), labels)

    units = torch.randperm(hidden.shape[1], generator=generator(seed, Stream.NOISE, index=2))
    for share in ABLATED:
        yield "ablation/group", share, accuracy(units[: round(share * len(units))])
    whole = accuracy(units[:0])
    drops = [whole - accuracy(unit[None]) for unit in units[:SINGLE_UNITS]]
    yield "ablation/single", 0.5, sum(drops) / len(drops)
    yield "ablation/single", 1, max(drops)


def gradients(network: MLP, data: Subset, seed: int) -> Iterator[Row]:
    """Norms of the loss's gradient with dropout at work, by hidden layer, on 1,000 training images.

    ``gradients/norm``: Euclidean norm of the gradient of the layer's weights, divided by that of
    the weights. ``gradients/ratio``, at 1: that of the first hidden layer over that of the last.
    """
    chosen = torch.from_numpy(data.split.train[:1000])
    _let_noise_in(network, stream=1)
    logits = network(data.floats(data.train_images[chosen]))
    loss = F.cross_entropy(logits, data.train_labels[chosen])
    weights = network.hidden_weights
    norms = [
        float(gradient.norm() / weight.detach().norm())
        for gradient, weight in zip(torch.autograd.grad(loss, weights), weights, strict=True)
    ]
    network.eval()
    for number, norm in enumerate(norms, start=1):
        yield "gradients/norm", number, norm
    yield "gradients/ratio", 1, norms[0] / norms[-1]


@torch.inference_mode()
def reliability(network: MLP, data: Subset, seed: int) -> Iterator[Row]:
    """Accuracy by confidence on the test images, as reliability diagrams show it.

    The confidence, the largest predicted probability, is put into ten bins of equal width. At the
    middle of each that is not empty: accuracy, mean confidence, and share of the images (Guo et
    al. 2017, section 2).
    """
    images, labels = _test_set(data)
    confidence, predicted = network(data.floats(images)).softmax(1).double().max(1)
    right = (predicted == labels).double()
    bins = (confidence * RELIABILITY_BINS).long().clamp_max(RELIABILITY_BINS - 1)
    for number in bins.unique().tolist():
        inside, middle = bins == number, (number + 0.5) / RELIABILITY_BINS
        yield "reliability/accuracy", middle, float(right[inside].mean())
        yield "reliability/confidence", middle, float(confidence[inside].mean())
        yield "reliability/share", middle, float(inside.double().mean())


def first_weights(network: MLP) -> list[bytes]:
    """Draw the weights into the first units of the first hidden layer: a byte a pixel.

    128 is a weight of 0; all units share a scale, on which the largest is 255 or 1. Which units
    are drawn is not chosen: they are the first in the layer.
    """
    weights = network.hidden_weights[0].detach()[:FEATURES]
    drawn = 128 + 127 * weights / weights.abs().max()
    return [bytes(row) for row in drawn.round().to(torch.uint8).tolist()]


MEASURES: dict[Measure, Callable[[MLP, Subset, int], Iterator[Row]]] = {
    "masks": masks,
    "corruption": corruption,
    "activations": activations,
    "ablation": ablation,
    "gradients": gradients,
    "reliability": reliability,
}
"""Those that give rows; for "features" and "examples" see :mod:`dropout_bench.evaluation.pictures`.
"""
