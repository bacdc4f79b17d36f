"""What all MLP variants have in common, and what tells them apart."""

import io
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from conftest import one_run
from pydantic import ValidationError
from safetensors.torch import load
from stock import ADVICE, loader, trainer
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

from dropout_bench.catalogue.optimisers import OPTIMISERS
from dropout_bench.models.base import MLP
from dropout_bench.models.layers.dropout import Dropout
from dropout_bench.models.variants import variant_class
from dropout_bench.models.variants.dropout import DropoutMLP
from dropout_bench.models.variants.pre_activation_dropout import PreActivationDropoutMLP
from dropout_bench.models.variants.standard import StandardMLP
from dropout_bench.params.values import Positive
from dropout_bench.params.variants import VARIANTS, counterpart
from dropout_bench.training.result import CURVES, LAST
from dropout_bench.training.run import network_of, train

IMAGES = torch.rand(32, 28, 28)
LABELS = torch.arange(32) % 10
pytestmark = ADVICE
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


def two_steps_by_hand(
    model: MLP, optimiser: str, l1: float = 0.0, l2: float = 0.0, weight_decay: float = 0.0
) -> None:
    """Take two steps as the papers write them, with a step size of 1e-3."""
    parameters = list(model.parameters())
    moments = [(torch.zeros_like(w), torch.zeros_like(w)) for w in parameters]
    for number in (1, 2):
        loss = nn.functional.cross_entropy(model(IMAGES), LABELS)
        loss = loss + l1 * sum(linear.weight.abs().sum() for linear in model.linears)
        loss = loss + l2 / 2 * sum(w.square().sum() for w in parameters)
        gradients = torch.autograd.grad(loss, parameters)
        with torch.no_grad():
            for w, g, (first, second) in zip(parameters, gradients, moments, strict=True):
                if optimiser == "sgd":
                    first.mul_(0.9).add_(g)
                    w.sub_(1e-3 * first)
                    continue
                w.mul_(1 - 1e-3 * weight_decay)
                first.mul_(0.9).add_(0.1 * g)
                second.mul_(0.999).add_(0.001 * g.square())
                root = (second / (1 - 0.999**number)).sqrt()
                w.sub_(1e-3 * first / (1 - 0.9**number) / (root + 1e-8))


@pytest.mark.parametrize(
    ("optimiser", "options"),
    [
        ("adam", {}),
        ("adam", {"l1": 0.01}),
        ("adam", {"l2": 0.1}),
        ("adam", {"weight_decay": 1.0}),
        ("adamw", {}),
        ("adamw", {"weight_decay": 1.0}),
        ("adamw", {"l1": 0.01}),
        ("sgd", {}),
        ("sgd", {"l2": 0.1}),
    ],
    ids=str,
)
def test_a_step_is_the_textbook_s(optimiser: str, options: dict[str, float]) -> None:
    """Kingma and Ba 2015, algorithm 1; Loshchilov and Hutter 2019, algorithm 2; momentum 0.9."""
    ours, expected = (
        network(StandardMLP, rate=0.0, optimiser=optimiser, options=options) for _ in range(2)
    )
    twice = loader(IMAGES.repeat(2, 1, 1), LABELS.repeat(2))
    trainer(max_epochs=1).fit(ours, twice)
    two_steps_by_hand(expected, optimiser, **options)
    torch.testing.assert_close(
        dict(ours.named_parameters()), dict(expected.named_parameters()), rtol=0, atol=2e-6
    )


@pytest.mark.parametrize("optimiser", sorted(OPTIMISERS))
def test_every_optimiser_trains(optimiser: str, raw: Path) -> None:
    run = one_run(optimiser=optimiser, epochs=8, dropout=[0.0], learning_rate=0.02)
    losses = pd.read_csv(io.BytesIO(train(run, raw).files[CURVES]))["train/loss"]
    assert losses.iloc[-1] < 0.8 * losses.iloc[0]


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


# A variant's contract.


class TwiceDropoutMLP(MLP):
    """Two noise layers of one kind in each hidden layer."""

    def hidden_layer(self, linear: nn.Linear, rate: float, number: int) -> list[nn.Module]:
        first, second = (Dropout(rate, self.masks(number)) for _ in range(2))
        return [linear, first, nn.ReLU(), second]


def test_two_noise_layers_of_a_hidden_layer_have_masks_of_their_own() -> None:
    twice, once = network(TwiceDropoutMLP, input_dropout=0.5), network(DropoutMLP)
    ones = torch.ones(1000)
    drawn = [layer.kept(ones) for layer in twice.noise_layers()]
    assert len(drawn) == 5
    assert len({tuple(mask.tolist()) for mask in drawn}) == 5
    # The first of each is that of the network with one: what is added disturbs nothing else.
    alone = [layer.kept(ones) for layer in once.noise_layers()]
    assert torch.equal(drawn[1], alone[0])
    assert torch.equal(drawn[3], alone[1])


class RDropMLP(DropoutMLP):
    """A further term that needs a second pass, with a weight of its own (Wu et al. 2021)."""

    class Own(DropoutMLP.Own):
        weight: Positive = 1.0

    own: Own

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.progress: list[float] = []
        self.divergences: list[float] = []

    def on_epoch(self, progress: float) -> None:
        self.progress.append(progress)

    def loss(self, images: Tensor, labels: Tensor, logits: Tensor) -> Tensor:
        one, two = logits.log_softmax(1), self(images).log_softmax(1)
        apart = nn.functional.kl_div(one, two, reduction="batchmean", log_target=True) / 2
        apart = apart + nn.functional.kl_div(two, one, reduction="batchmean", log_target=True) / 2
        self.divergences.append(float(apart.detach()))
        likelihood = nn.functional.nll_loss(one, labels) + nn.functional.nll_loss(two, labels)
        return likelihood + self.own.weight * apart


def test_a_variant_may_add_a_term_with_a_second_pass_and_options_of_its_own() -> None:
    weights = (0.1, 100.0)
    divergences = {}
    for weight in weights:
        model = network(RDropMLP, optimiser="sgd", options={"own": {"weight": weight}})
        assert isinstance(model, RDropMLP)
        trainer(max_epochs=40).fit(model, loader(IMAGES, LABELS))
        assert model.own.weight == weight
        assert model.progress == pytest.approx([epoch / 39 for epoch in range(40)])
        assert min(model.divergences) > 0  # the second pass has other masks
        divergences[weight] = model.divergences[-1] / model.divergences[0]
    assert divergences[100.0] < 0.5 * divergences[0.1]
    assert network(RDropMLP).hparams["options"] == {}
    with pytest.raises(ValidationError, match='unknown key "wieght"; did you mean "weight"'):
        network(RDropMLP, options={"own": {"wieght": 1.0}})
    with pytest.raises(ValidationError, match="greater than 0"):
        network(RDropMLP, options={"own": {"weight": 0.0}})


def test_without_noise_the_second_pass_is_the_first() -> None:
    """The loss is twice that of the standard network, so sgd takes a step twice as long."""
    pair = [
        network(variant, rate=0.0, optimiser="sgd", learning_rate=rate)
        for variant, rate in ((RDropMLP, 0.01), (StandardMLP, 0.02))
    ]
    for model in pair:
        trainer(max_epochs=3).fit(model, loader(IMAGES, LABELS))
    one, two = (dict(model.named_parameters()) for model in pair)
    torch.testing.assert_close(one, two)


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_what_a_variant_declares_is_read_from_its_file(name: str) -> None:
    assert counterpart(name) == variant_class(name).counterpart
    assert counterpart(counterpart(name) or name) is None
