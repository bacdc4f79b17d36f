"""What all MLP variants have in common, and what tells them apart."""

import io
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from conftest import one_run
from safetensors.torch import load
from torch.optim.optimizer import register_optimizer_step_pre_hook

from dropout_bench.models.base import MLP
from dropout_bench.models.variants import variant_class
from dropout_bench.models.variants.dropout import DropoutMLP
from dropout_bench.models.variants.pre_activation_dropout import PreActivationDropoutMLP
from dropout_bench.models.variants.standard import StandardMLP
from dropout_bench.params.variants import VARIANTS, counterpart
from dropout_bench.training.result import CURVES, LAST
from dropout_bench.training.run import network_of, train

IMAGES = torch.rand(32, 28, 28)
KINDS = {name for name in VARIANTS if counterpart(name) is None}


def network(variant: type[MLP], rate: float = 0.5, seed: int = 0, **settings: Any) -> MLP:
    return variant(784, 10, hidden=(16, 8), dropout=(rate, rate), seed=seed, **settings)


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_every_variant_maps_images_to_logits(name: str) -> None:
    logits = network(variant_class(name))(IMAGES)
    assert logits.shape == (32, 10)
    assert logits.isfinite().all()


def test_a_network_may_have_any_number_of_hidden_layers() -> None:
    for hidden in ((16,), (16, 8, 4, 6)):
        model = variant_class("dropout")(784, 10, hidden=hidden, dropout=(0.5,) * len(hidden))
        assert model(IMAGES).shape == (32, 10)
        assert [weight.shape[0] for weight in model.hidden_weights] == [*hidden]
        assert len(model.hidden_layers()) == len(hidden)


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_evaluation_is_deterministic_and_draws_no_mask(name: str) -> None:
    model = network(variant_class(name)).eval()
    assert torch.equal(model(IMAGES), model(IMAGES))


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_one_seed_one_start_whatever_the_variant_and_the_rate(name: str) -> None:
    base = variant_class(counterpart(name) or name)
    for rate in (0.0, 0.5):
        expected = network(base, rate=0.0)
        model = network(variant_class(name), rate=rate)
        ours, theirs = model.state_dict().values(), expected.state_dict().values()
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
        if rate == 0.0:
            for mode in (True, False):
                assert torch.equal(model.train(mode)(IMAGES), expected.train(mode)(IMAGES))


def test_dropout_of_a_variant_acts_in_training_only_or_is_scaled_in_evaluation() -> None:
    for name in sorted(VARIANTS - KINDS):
        model = network(variant_class(name))
        noisy = [model(IMAGES) for _ in range(2)]
        assert not torch.equal(*noisy), name
        model.eval()
        assert torch.equal(model(IMAGES), model(IMAGES)), name


def test_another_seed_another_start() -> None:
    one, two = (network(StandardMLP, seed=seed).state_dict() for seed in (0, 1))
    assert not torch.equal(one["network.output.weight"], two["network.output.weight"])


def test_building_a_network_leaves_torch_s_random_numbers_alone() -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    network(StandardMLP)
    assert torch.equal(torch.rand(3), expected)


def test_before_or_after_relu_makes_no_difference_with_the_same_masks() -> None:
    """relu(m z) = m relu(z) for m ≥ 0, so values and gradients agree to the last bit."""
    gradients = []
    for variant in (DropoutMLP, PreActivationDropoutMLP):
        model = network(variant)
        model(IMAGES).square().sum().backward()
        gradients.append([p.grad for p in model.parameters()])
    torch.testing.assert_close(gradients[0], gradients[1], rtol=0, atol=0)


@pytest.mark.parametrize(
    ("name", "expected"), [("rising", [0.0, 0.3, 0.6]), ("falling", [0.6, 0.3, 0.0])]
)
def test_a_scheduled_rate_is_a_line_over_the_epochs(
    name: str, expected: list[float], raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[float]] = []
    variant = variant_class(f"{name}-dropout")

    def spy(self: MLP) -> None:
        seen.append([layer.p for layer in self.noise_layers()])

    monkeypatch.setattr(variant, "on_train_epoch_end", spy)
    train(one_run(variants=[f"{name}-dropout"], dropout=["0.6/0.3"], epochs=3), raw)
    torch.testing.assert_close(seen, [[rate, rate / 2] for rate in expected])


def test_max_norm_bounds_the_weights_into_every_hidden_unit(raw: Path) -> None:
    free, bound = (
        load(train(one_run(max_norm=norm, epochs=3), raw).files[LAST]) for norm in (None, 0.5)
    )
    for number in (1, 2):
        name = f"network.hidden{number}.0.weight"
        assert free[name].norm(dim=1).max() > 0.51
        assert bound[name].norm(dim=1).max() <= 0.5 + 1e-6


def test_penalties_shrink_the_weights(raw: Path) -> None:
    sizes = {}
    for option in ({}, {"l1": 0.01}, {"l2": 0.1}, {"weight_decay": 1.0}):
        weights = load(train(one_run(epochs=5, **option), raw).files[LAST])
        sizes[next(iter(option), "none")] = float(weights["network.hidden1.0.weight"].abs().sum())
    assert max(sizes, key=lambda name: sizes[name]) == "none"


@pytest.mark.parametrize("option", [{"l1": 0.01}, {"l2": 0.1}, {"weight_decay": 0.1}])
def test_a_step_with_a_penalty_is_the_textbook_s(option: dict[str, Any]) -> None:
    """One step of Adam, whose first step is learning_rate · sign(gradient) but for ε."""
    model = network(StandardMLP, rate=0.0, options=option)
    output = model.network.output
    assert isinstance(output, torch.nn.Linear)
    weight = output.weight
    before = weight.detach().clone()
    loss = torch.nn.functional.cross_entropy(model(IMAGES), torch.arange(32) % 10)
    (gradient,) = torch.autograd.grad(loss, weight)
    if "l1" in option:
        gradient = gradient + option["l1"] * before.sign()
    if "l2" in option:
        gradient = gradient + option["l2"] * before
    expected = before - 1e-3 * gradient / (gradient.abs() + 1e-8)
    expected -= 1e-3 * option.get("weight_decay", 0.0) * before
    step(model)
    torch.testing.assert_close(weight.detach(), expected, rtol=0, atol=1e-6)


def test_the_step_size_decays_in_a_straight_line_that_ends_after_the_last_epoch(raw: Path) -> None:
    seen: dict[float, None] = {}

    def watch(optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        seen[round(optimizer.param_groups[0]["lr"], 6)] = None

    hook = register_optimizer_step_pre_hook(watch)
    train(one_run(learning_rate=0.01, learning_rate_decay="linear", epochs=4), raw)
    hook.remove()
    assert list(seen) == [0.01, 0.0075, 0.005, 0.0025]


def test_early_stopping_ends_when_the_validation_loss_no_longer_falls(raw: Path) -> None:
    run = one_run(patience=2, epochs=60, learning_rate=0.05, dropout=[0.0])
    result = train(run, raw)
    losses = pd.read_csv(io.BytesIO(result.files[CURVES]))["val/loss"]
    assert len(losses) < 60
    assert len(losses) - 1 - int(losses.to_numpy().argmin()) == 2
    assert result.time.epochs == len(losses)


def test_a_rate_for_each_layer_and_for_the_input() -> None:
    model = network_of(one_run(dropout=["0.5/0.3"], input_dropout=[0.2]))
    assert [layer.rate for layer in model.noise_layers()] == [0.2, 0.5, 0.3]


def test_dropout_thins_the_hidden_layers_in_training_only() -> None:
    model = network(DropoutMLP, rate=0.75)
    hidden, _ = model.hidden_layers()
    in_training = (hidden(IMAGES.flatten(1)) == 0).float().mean()
    hidden.eval()
    in_evaluation = (hidden(IMAGES.flatten(1)) == 0).float().mean()
    assert in_training > 0.75 > in_evaluation
