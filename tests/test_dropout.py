"""Laws of the dropout layer."""

import math

import pytest
import torch
from torch import nn

from dropout_bench.models.layers.dropout import Dropout
from dropout_bench.streams import Masks

RATES = (0.1, 0.3, 0.5, 0.9)
X = torch.linspace(0.5, 2.0, 200_000).reshape(1000, 200)


def dropout(p: float, seed: int = 0, layer: int = 1) -> Dropout:
    return Dropout(p, Masks(seed, layer))


@pytest.mark.parametrize("p", RATES)
def test_output_is_zero_or_x_over_keep_probability(p: float) -> None:
    y = dropout(p)(X)
    kept = y != 0
    torch.testing.assert_close(y[kept], (X / (1 - p))[kept])
    assert 0 < kept.float().mean() < 1


@pytest.mark.parametrize("p", RATES)
def test_share_of_dropped_units_is_the_rate(p: float) -> None:
    dropped = (dropout(p)(X) == 0).double().mean().item()
    assert dropped == pytest.approx(p, abs=5 * math.sqrt(p * (1 - p) / X.numel()))


@pytest.mark.parametrize("p", RATES)
def test_mean_and_variance_are_those_of_torch_dropout(p: float) -> None:
    """E[m] = 1 and Var[m] = p / (1 − p), within five standard errors, for both layers."""
    ones = torch.ones(400_000)
    for layer in (dropout(p), nn.Dropout(p)):
        mask = layer(ones).double()
        variance = p / (1 - p)
        assert mask.mean().item() == pytest.approx(1, abs=5 * math.sqrt(variance / len(ones)))
        assert mask.var().item() == pytest.approx(variance, rel=0.05)


def test_units_and_examples_are_dropped_independently() -> None:
    mask = (dropout(0.5)(torch.ones(4000, 50)) > 0).double()
    correlation = torch.corrcoef(mask.T) - torch.eye(50, dtype=torch.double)
    assert correlation.abs().max() < 6 / math.sqrt(4000)
    shifted = torch.corrcoef(torch.stack([mask[:-1].flatten(), mask[1:].flatten()]))[0, 1]
    assert abs(shifted) < 5 / math.sqrt(mask.numel())


def test_evaluation_and_rate_zero_are_the_identity() -> None:
    assert dropout(0.5).eval()(X) is X
    assert dropout(0.0)(X) is X


@pytest.mark.parametrize("p", RATES)
def test_gradient_reaches_kept_units_only(p: float) -> None:
    x = X.clone().requires_grad_()
    y = dropout(p)(x)
    y.sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad, torch.where(y == 0, 0.0, 1 / (1 - p)))


def test_masks_are_a_stream_of_seed_and_layer() -> None:
    first = dropout(0.5, seed=1, layer=1)
    masks = [first(X), first(X)]
    again = dropout(0.5, seed=1, layer=1)
    assert torch.equal(again(X), masks[0])
    assert torch.equal(again(X), masks[1])
    assert not torch.equal(masks[0], masks[1])
    assert not torch.equal(dropout(0.5, seed=2, layer=1)(X), masks[0])
    assert not torch.equal(dropout(0.5, seed=1, layer=2)(X), masks[0])


def test_masks_leave_torch_s_own_random_numbers_alone() -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    dropout(0.5)(X)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("p", [-0.1, 1.0, 2.0, math.nan])
def test_rate_outside_the_unit_interval_is_refused(p: float) -> None:
    with pytest.raises(ValueError, match="outside"):
        dropout(p)


def test_a_stream_is_handed_in() -> None:
    with pytest.raises(TypeError, match="masks"):
        Dropout(0.5)  # type: ignore[call-arg]
    for nothing in (None, 0, torch.Generator()):
        with pytest.raises(TypeError, match=r"a stream of its own: Masks\(seed, layer\)"):
            Dropout(0.5, nothing)  # type: ignore[arg-type]


def test_streams_of_layers_parts_and_restarts_never_meet() -> None:
    """Each layer, each noise layer within it, and each restart has masks of its own."""
    seen: dict[bytes, object] = {}
    for layer in range(4):
        for part in range(3):
            masks = Masks(0, layer, part)
            for number in (None, *range(5)):
                if number is not None:
                    masks.restart(number)
                drawn = torch.rand(4, generator=masks.on(X.device)).numpy().tobytes()
                where = (layer, part, number)
                assert seen.setdefault(drawn, where) == where


def test_a_stream_restarts_where_it_began_and_goes_on_where_it_was() -> None:
    one, two = dropout(0.5), dropout(0.5)
    one(X)
    for layer in (one, two):
        layer.masks.restart(7)
    first = one(X)
    assert torch.equal(two(X), first)
    assert not torch.equal(one(X), first)
    one.masks.restart(7)
    assert torch.equal(one(X), first)
