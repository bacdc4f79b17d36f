"""What all MLP variants have in common, and what tells them apart."""

import pytest
import torch
from conftest import one_run

from dropout_bench.models.base import MLP
from dropout_bench.models.variants import variant_class
from dropout_bench.models.variants.dropout import DropoutMLP
from dropout_bench.models.variants.pre_activation_dropout import PreActivationDropoutMLP
from dropout_bench.models.variants.standard import StandardMLP
from dropout_bench.params import VARIANTS
from dropout_bench.training.run import network_of

IMAGES = torch.rand(32, 28, 28)


def network(variant: type[MLP], rate: float = 0.5, seed: int = 0, **settings: float) -> MLP:
    return variant(784, 10, hidden=(16, 8), dropout=(rate, rate), seed=seed, **settings)


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_every_variant_maps_images_to_logits(name: str) -> None:
    logits = network(variant_class(name))(IMAGES)
    assert logits.shape == (32, 10)
    assert logits.isfinite().all()


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_evaluation_is_deterministic_and_draws_no_mask(name: str) -> None:
    model = network(variant_class(name)).eval()
    assert torch.equal(model(IMAGES), model(IMAGES))


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_one_seed_one_start_whatever_the_variant_and_the_rate(name: str) -> None:
    start = network(StandardMLP, rate=0.0).state_dict()
    for rate in (0.0, 0.5):
        model = network(variant_class(name), rate=rate)
        torch.testing.assert_close(model.state_dict(), start, rtol=0, atol=0)
        assert torch.equal(model.eval()(IMAGES), network(StandardMLP, rate=0.0).eval()(IMAGES))


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


def test_a_rate_for_each_layer_and_for_the_input() -> None:
    model = network_of(one_run(dropout=["0.5/0.3"], input_dropout=[0.2]))
    rates = [m.p for m in model.modules() if hasattr(m, "p")]
    assert rates == [0.2, 0.5, 0.3]


def test_dropout_thins_the_hidden_layers_in_training_only() -> None:
    model = network(DropoutMLP, rate=0.75)
    hidden = model.network[1]
    in_training = (hidden(IMAGES.flatten(1)) == 0).float().mean()
    hidden.eval()
    in_evaluation = (hidden(IMAGES.flatten(1)) == 0).float().mean()
    assert in_training > 0.75 > in_evaluation
