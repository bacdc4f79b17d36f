"""Laws of the layers beside inverted dropout: support, mean, variance, evaluation, gradients."""

import math

import pytest
import torch
from torch import Tensor, nn

from dropout_bench.models.layers.alpha_dropout import AlphaDropout
from dropout_bench.models.layers.classic_dropout import ClassicDropout
from dropout_bench.models.layers.drop_connect import DropConnect
from dropout_bench.models.layers.dropout import Dropout
from dropout_bench.models.layers.gaussian_dropout import GaussianDropout
from dropout_bench.models.layers.linear import PortableLinear
from dropout_bench.models.layers.noise import Noise
from dropout_bench.models.layers.standout import Standout
from dropout_bench.models.layers.unscaled_dropout import UnscaledDropout
from dropout_bench.streams import Masks

RATES = (0.1, 0.5, 0.8)
COUNT = 400_000
ONES = torch.ones(COUNT)


def masks(seed: int = 0) -> Masks:
    """Each layer of these tests begins the same stream."""
    return Masks(seed, 1)


def near(value: Tensor, expected: float, sd: float, count: int = COUNT) -> None:
    """Five standard errors: a chance of one in a million to fail by itself."""
    assert float(value) == pytest.approx(expected, abs=5 * sd / math.sqrt(count) + 1e-6)


@pytest.mark.parametrize("p", RATES)
@pytest.mark.parametrize("layer", [ClassicDropout, UnscaledDropout])
def test_classic_masks_are_zero_or_one(layer: type[Noise], p: float) -> None:
    mask = layer(p, masks())(ONES)
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    near(mask.double().mean(), 1 - p, math.sqrt(p * (1 - p)))


@pytest.mark.parametrize("p", RATES)
def test_classic_evaluation_is_the_expectation_of_training(p: float) -> None:
    x = torch.linspace(-1, 2, 1000)
    torch.testing.assert_close(ClassicDropout(p, masks()).eval()(x), (1 - p) * x)
    mean = torch.stack([ClassicDropout(p, masks(seed))(x) for seed in range(2000)]).mean(0)
    deviation = (mean - (1 - p) * x).abs() / x.abs().clamp_min(1e-3)
    assert deviation.max() < 6 * math.sqrt(p * (1 - p) / 2000)


@pytest.mark.parametrize("p", RATES)
def test_unscaled_evaluation_is_too_large_by_one_over_the_keep_probability(p: float) -> None:
    evaluation, training = (
        UnscaledDropout(p, masks()).eval()(ONES),
        UnscaledDropout(p, masks())(ONES),
    )
    ratio = evaluation.double().mean() / training.double().mean()
    assert float(ratio) == pytest.approx(1 / (1 - p), rel=0.02)


@pytest.mark.parametrize("p", RATES)
def test_gaussian_noise_has_the_mean_and_variance_of_inverted_dropout(p: float) -> None:
    noise = GaussianDropout(p, masks())(ONES).double()
    variance = p / (1 - p)
    near(noise.mean(), 1, math.sqrt(variance))
    near(noise.var(), variance, math.sqrt(2) * variance)
    mask = Dropout(p, masks())(ONES).double()
    near(mask.var(), variance, variance * (1 / (1 - p) + 2))


@pytest.mark.parametrize("p", RATES)
def test_alpha_dropout_keeps_mean_zero_and_variance_one(p: float) -> None:
    x = torch.randn(COUNT, generator=torch.Generator().manual_seed(1))
    for layer in (AlphaDropout(p, masks()), nn.AlphaDropout(p)):
        y = layer(x).double()
        near(y.mean(), 0, 3)
        near(y.var(), 1, 8)
    y = AlphaDropout(p, masks())(x)
    lowest = y[(y - y.mode().values).abs() < 1e-6]
    near(torch.tensor(len(lowest) / COUNT), p, math.sqrt(p * (1 - p)))


@pytest.mark.parametrize("p", RATES)
def test_drop_connect_is_linear_in_expectation(p: float) -> None:
    linear = PortableLinear(20, 5)
    layer = DropConnect(linear, p, masks())
    x = torch.rand(3, 20)
    outputs = torch.stack([layer(x) for _ in range(4000)]).double()
    expected = linear(x).double()
    error = (outputs.mean(0) - expected).abs()
    assert (error < 6 * outputs.std(0) / math.sqrt(4000) + 1e-6).all()
    # y − b is a sum of w x / (1 − p) over kept weights: its variance is p / (1 − p) Σ (w x)².
    products = (linear.weight[None] * x[:, None]).double().square().sum(2)
    torch.testing.assert_close(outputs.var(0), p / (1 - p) * products, rtol=0.15, atol=1e-5)
    assert torch.equal(layer.eval()(x), linear(x))


@pytest.mark.parametrize("p", RATES)
def test_standout_keeps_what_its_input_excites(p: float) -> None:
    linear = PortableLinear(2, 3)
    with torch.no_grad():
        linear.weight.zero_()
        linear.bias.copy_(torch.tensor([1e-6, 2.0, 6.0]))
    layer = Standout(linear, p, masks())
    x = torch.zeros(COUNT // 4, 2)
    kept = (layer(x) > 0).double().mean(0)
    beta = math.log((1 - p) / p)
    for share, z in zip(kept, linear.bias.tolist(), strict=True):
        keep = 1 / (1 + math.exp(-(z + beta)))
        near(share, keep, math.sqrt(keep * (1 - keep)), len(x))
    torch.testing.assert_close(
        layer.eval()(x[:1])[0], linear.bias * torch.sigmoid(linear.bias + beta)
    )


@pytest.mark.parametrize(
    "layer",
    [Dropout, ClassicDropout, UnscaledDropout, GaussianDropout, AlphaDropout],
    ids=lambda x: x.__name__,
)
def test_rate_zero_is_the_identity(layer: type[Noise]) -> None:
    x = torch.randn(50)
    for mode in (True, False):
        torch.testing.assert_close(layer(0.0, masks()).train(mode)(x), x, rtol=0, atol=0)


@pytest.mark.parametrize(
    "layer", [Dropout, UnscaledDropout, GaussianDropout, AlphaDropout], ids=lambda x: x.__name__
)
def test_evaluation_is_the_identity(layer: type[Noise]) -> None:
    x = torch.randn(50)
    assert layer(0.5, masks()).eval()(x) is x


@pytest.mark.parametrize(
    "layer", [Dropout, ClassicDropout, UnscaledDropout, AlphaDropout], ids=lambda x: x.__name__
)
def test_gradients_reach_kept_units_only(layer: type[Noise]) -> None:
    x = torch.linspace(1, 2, 10_000, requires_grad=True)
    y = layer(0.5, masks())(x)
    y.sum().backward()
    assert x.grad is not None
    dropped = x.grad == 0
    assert 0.4 < dropped.double().mean() < 0.6
    assert len(x.grad.unique()) == 2
    assert len(y[dropped].unique()) == 1


def test_gradients_reach_kept_weights_and_excited_units_only() -> None:
    linear = PortableLinear(30, 20)
    DropConnect(linear, 0.5, masks())(torch.ones(1, 30)).sum().backward()
    assert linear.weight.grad is not None
    assert 0.35 < (linear.weight.grad == 0).double().mean() < 0.65

    linear = PortableLinear(30, 20)
    y = Standout(linear, 0.5, masks())(torch.ones(1, 30))
    y.sum().backward()
    assert linear.bias.grad is not None
    assert torch.equal(linear.bias.grad != 0, y[0] != 0)
