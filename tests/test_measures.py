"""What is measured of a trained network besides loss and accuracy."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import one_run
from sklearn.metrics import confusion_matrix, precision_score, recall_score
from torchmetrics.functional.classification import multiclass_calibration_error

from dropout_bench.data.modules import Subset, subset_of
from dropout_bench.evaluation.metrics import evaluate
from dropout_bench.models.base import MLP
from dropout_bench.models.variants import variant_class
from dropout_bench.params.options.shift import shifted
from dropout_bench.params.run import Run
from dropout_bench.params.values import Normalise
from dropout_bench.params.variants import VARIANTS, counterpart
from dropout_bench.quantities import networks
from dropout_bench.quantities.measured import ablation, corruption, flatness, masks, reliability
from dropout_bench.quantities.measured.gradients import unit_error
from dropout_bench.quantities.quantity import MEASURES
from dropout_bench.quantities.registry import measure, quantity
from dropout_bench.streams import Stream, generator
from dropout_bench.training.result import LAST
from dropout_bench.training.run import load_weights, network_of, train

Rows = dict[tuple[str, float], float]


def trained(run: Run, raw: Path) -> tuple[MLP, Subset, bytes]:
    data = subset_of(run, raw)
    data.setup("fit")
    data.setup("test")
    weights = train(run, raw).files[LAST]
    return load_weights(network_of(run), weights).eval(), data, weights


def measured(name: str, run: Run, raw: Path) -> Rows:
    network, data, _ = trained(run, raw)
    rows = {(m, at): value for m, at, value in measure([name], network, data, run.seed)}
    assert all(math.isfinite(value) for value in rows.values())
    for metric, at in rows:
        places = quantity(metric).places_in(run.hidden)
        assert quantity(metric).measure == name
        assert at in places or not places, f"{metric} at {at} cannot be named by a claim"
    assert not network.training
    again = {(m, at): value for m, at, value in measure([name], network, data, run.seed)}
    assert again == rows, "the same network is measured the same way"
    return rows


def untrained(variant: str, input_dropout: float) -> MLP:
    rate = 0.5 if counterpart(variant) else 0.0
    return variant_class(variant)(784, 10, (16, 8), rate, input_dropout).eval()


def of_network(name: str, network: MLP, data: Subset, seed: int = 0) -> Rows:
    return {(m, at): value for m, at, value in measure([name], network, data, seed)}


def rescaled(network: MLP, factor: float) -> MLP:
    """Multiply the first hidden layer of a network and divide the second: the same function."""
    with torch.no_grad():
        first, second = network.linears[:2]
        first.weight.mul_(factor)
        first.bias.mul_(factor)
        second.weight.div_(factor)
    return network


def with_larger_logits(network: MLP, factor: float) -> MLP:
    with torch.no_grad():
        for parameter in network.linears[-1].parameters():
            parameter.mul_(factor)
    return network


def on_another_scale(network: MLP, data: Subset) -> None:
    """Have pixels enter otherwise, and the first layer take them so: the same function of bytes."""
    assert (data.normalise.mean, data.normalise.sd) == (0, 1)
    data.normalise = Normalise(mean=0.25, sd=0.5)
    with torch.no_grad():
        linear = network.linears[0]
        linear.bias.add_(0.25 * linear.weight.sum(1))
        linear.weight.mul_(0.5)


@pytest.mark.parametrize("variant", sorted(VARIANTS))
def test_every_measure_takes_every_variant_and_leaves_it_as_it_was(variant: str, raw: Path) -> None:
    rate = 0.5 if counterpart(variant) else 0.0
    run = one_run(variants=[variant], dropout=[rate], epochs=1)
    network, data, _ = trained(run, raw)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    rows = {name: measure([name], network, data, run.seed) for name in MEASURES}
    for name, found in rows.items():
        assert found, name
        assert all(math.isfinite(value) for _, _, value in found), name
        assert len({(metric, at) for metric, at, _ in found}) == len(found), name
        assert measure([name], network, data, run.seed) == found, "it is measured the same again"
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert not any(module.training for module in network.modules())
    assert not any(module._forward_hooks for module in network.modules())


def test_images_move_whole_pixels_and_black_comes_in() -> None:
    images = torch.arange(1, 13, dtype=torch.uint8).reshape(1, 3, 4).repeat(3, 1, 1)
    moved = shifted(images, torch.tensor([0, 1, -2]), torch.tensor([0, 0, 1]))
    assert torch.equal(moved[0], images[0])
    assert torch.equal(moved[1, 1:], images[1, :-1])
    assert moved[1, 0].sum() == 0
    assert torch.equal(moved[2, 0, 1:], images[2, 2, :-1])
    assert moved[2, 1:].sum() == moved[2, :, 0].sum() == 0


@pytest.mark.parametrize(
    ("variant", "ratio"), [("dropout", 1.0), ("gaussian-dropout", 1.0), ("unscaled-dropout", 0.5)]
)
def test_masks_keep_the_expected_activation_or_show_that_they_do_not(
    variant: str, ratio: float, raw: Path
) -> None:
    rows = measured("masks", one_run(variants=[variant], hidden=[128, 8], epochs=4), raw)
    assert rows["masks/activation", 100] == pytest.approx(ratio, rel=0.02)
    assert 0 <= rows["masks/entropy", 1] <= math.log(10)


def test_without_dropout_masks_change_nothing(raw: Path) -> None:
    rows = measured("masks", one_run(dropout=[0.0]), raw)
    for name in ("accuracy", "loss", "entropy"):
        for count in masks.MASKS:
            assert rows[f"masks/{name}", count] == pytest.approx(rows[f"masks/{name}", 0], abs=1e-5)
    for count in masks.MASKS:
        for name in ("difference", "standard-error", "apart"):
            assert rows[f"masks/{name}", count] == 0


@pytest.mark.parametrize(
    ("variant", "input_dropout", "certain"),
    [("dropout", 0.0, 3), ("dropout", 0.2, 1), ("pre-activation-dropout", 0.0, 2),
     ("drop-connect", 0.0, 1), ("standout", 0.0, 1), ("standard", 0.0, 3)],
)  # fmt: skip
def test_what_comes_before_the_noise_is_the_same_in_every_pass(
    variant: str, input_dropout: float, certain: int
) -> None:
    model = untrained(variant, input_dropout)
    before, drawn = networks.until_noise(model)
    first, rest = networks.parts(model)
    assert len([*before]) == certain
    x = torch.rand(5, 28, 28)
    networks.let_noise_in(model, 0)
    expected = rest(first(x))
    networks.let_noise_in(model, 0)
    assert torch.equal(rest(drawn(before(x))), expected)


def test_the_standard_error_of_masks_is_that_of_a_paired_difference(raw: Path) -> None:
    run = one_run(epochs=4, input_dropout=[0.6], classes=[1, 0], train_size=60)
    rows = measured("masks", run, raw)
    network, data, _ = trained(run, raw)
    images, labels = networks.test_set(data)
    x, labels = data.floats(images)[::5], labels[::5]
    with torch.inference_mode():
        scaled = network(x).argmax(1) == labels
        networks.let_noise_in(network, stream=0)
        one = network(x).argmax(1) == labels
    between = one.double().numpy() - scaled.double().numpy()
    assert between.any(), "or nothing is tested"
    error = between.std() / math.sqrt(len(between))
    assert rows["masks/difference", 1] == pytest.approx(between.mean())
    assert rows["masks/standard-error", 1] == pytest.approx(error)
    assert rows["masks/apart", 1] == pytest.approx(abs(between.mean()) / error)
    for count in masks.MASKS:
        lost = rows["masks/accuracy", count] - rows["masks/accuracy", 0]
        assert rows["masks/difference", count] == pytest.approx(lost, abs=1e-9)


def test_the_stronger_the_corruption_the_less_is_left(raw: Path) -> None:
    run = one_run(epochs=8)
    rows = measured("corruption", run, raw)
    weights = trained(run, raw)[2]
    clean = evaluate(run, raw, weights, {}).final["test/accuracy"]
    assert rows["corruption/noise", 0.4] < clean
    assert rows["corruption/shift", 4] < clean


def test_on_another_scale_of_pixels_the_same_network_is_measured_the_same(raw: Path) -> None:
    network, data, _ = trained(one_run(epochs=8), raw)
    of_pixels = ("corruption", "smoothness", "ablation", "minority")
    before = {name: of_network(name, network, data) for name in of_pixels}
    on_another_scale(network, data)
    for name, expected in before.items():
        # An image on the border may fall to the other side by rounding.
        assert of_network(name, network, data) == pytest.approx(expected, rel=1e-4, abs=0.01)
    assert before["corruption"]["corruption/noise", 0.4] < 0.9


def test_corruptions_are_as_strong_as_they_say() -> None:
    pixels = torch.full((2000, 28, 28), 0.5)
    random = torch.Generator().manual_seed(0)
    noisy = corruption.corrupt(pixels, "noise", 0.1, random)
    assert float(noisy.std()) == pytest.approx(0.1, rel=0.01)
    assert ((corruption.corrupt(pixels, "occlusion", 8, random) == 0).sum((1, 2)) == 64).all()
    images = torch.rand(5, 28, 28)
    flat = corruption.corrupt(images, "contrast", 0.6, random)
    torch.testing.assert_close(flat.mean((1, 2)), images.mean((1, 2)))
    torch.testing.assert_close(flat.std((1, 2)), 0.4 * images.std((1, 2)))


def test_activations_are_those_of_the_hidden_layers(raw: Path) -> None:
    run = one_run()
    rows = measured("activations", run, raw)
    network, data, _ = trained(run, raw)
    with torch.inference_mode():
        x = data.floats(data.test_images[torch.from_numpy(data.test)])
        hidden = network.network[1](x.flatten(1))
    assert rows["activations/mean", 1] == pytest.approx(float(hidden.mean()), rel=1e-5)
    assert rows["activations/zeros", 1] == pytest.approx(float((hidden == 0).float().mean()))
    histogram = [v for (name, _), v in rows.items() if name == "activations/histogram"]
    assert sum(histogram) == pytest.approx(1)
    assert ("activations/mean", 2) in rows
    assert ("activations/mean", 3) not in rows
    means = hidden.double().mean(0)
    uneven = float(means.std() / means.mean())
    assert rows["activations/relative-unevenness", 1] == pytest.approx(uneven, rel=1e-5)


def test_unevenness_has_no_scale_and_is_zero_where_all_units_are_alike(raw: Path) -> None:
    network, data, _ = trained(one_run(), raw)
    before = of_network("activations", network, data)
    after = of_network("activations", rescaled(network, 3.0), data)
    for kind in ("", "training-"):
        place = f"activations/{kind}relative-unevenness", 1
        assert after[place] == pytest.approx(before[place], rel=1e-5)
    for offset in (0.5, -0.5):  # all alike, and all silent
        with torch.no_grad():
            network.linears[0].weight.zero_()
            network.linears[0].bias.fill_(offset)
        alike = of_network("activations", network, data)
        assert alike["activations/relative-unevenness", 1] == pytest.approx(0, abs=1e-7)


def test_in_training_so_many_more_activations_are_zero_as_are_dropped(raw: Path) -> None:
    run = one_run(hidden=[128, 64], dropout=["0.5/0.25"], epochs=4)
    network, data, _ = trained(run, raw)
    rows = of_network("activations", network, data)
    images, _ = networks.train_set(data)
    with torch.inference_mode():
        clean = float((network.hidden_layers()[0](images.flatten(1)) == 0).double().mean())
    expected = 1 - 0.5 * (1 - clean)
    assert rows["activations/training-zeros", 1] == pytest.approx(expected, abs=0.02)
    assert rows["activations/training-zeros", 2] >= 0.24
    rate_zero = measured("activations", one_run(dropout=[0.0]), raw)
    assert 0 < rate_zero["activations/training-zeros", 1] < 1


@pytest.mark.parametrize("input_dropout", [0.0, 0.2])
def test_ablation_silences_hidden_units_also_under_input_dropout(
    input_dropout: float, raw: Path
) -> None:
    run = one_run(epochs=8, input_dropout=[input_dropout])
    rows = measured("ablation", run, raw)
    network, data, _ = trained(run, raw)
    images = data.floats(data.test_images[torch.from_numpy(data.test)])
    labels = data.test_labels[torch.from_numpy(data.test)]
    units = torch.randperm(16, generator=generator(run.seed, Stream.NOISE, index=2))

    @torch.inference_mode()
    def accuracy_without(silenced: torch.Tensor) -> float:
        kept = torch.ones(16)
        kept[silenced] = 0
        handle = network.hidden_layers()[0].register_forward_hook(lambda _, __, out: out * kept)
        scores = network(images)
        handle.remove()
        return float((scores.argmax(1) == labels).double().mean())

    for share in ablation.SHARES:
        silenced = units[: round(share * 16)]
        assert rows["ablation/group", share] == accuracy_without(silenced)
    with torch.inference_mode():
        first, rest = networks.parts(network)
        hidden = first(images)
        for share in ablation.SHARES:
            count = round(share * 16)
            left = torch.full((16,), 16 / (16 - count))
            left[units[:count]] = 0
            found = networks.accuracy(rest(hidden * left), labels)
            assert rows["ablation/made-up", share] == found
    whole = accuracy_without(units[:0])
    lost = [whole - accuracy_without(units[number : number + 1]) for number in range(16)]
    assert rows["ablation/single", 1] == pytest.approx(max(lost))
    assert rows["ablation/single", 0.5] == pytest.approx(np.mean(lost))
    assert min(lost) < np.mean(lost) < max(lost), "or mean and worst could not be told apart"


def test_gradients_are_those_of_torch_without_noise(raw: Path) -> None:
    run = one_run(dropout=[0.0])
    rows = measured("gradients", run, raw)
    network, data, _ = trained(run, raw)
    images = data.floats(data.train_images[torch.from_numpy(data.split.train)])
    labels = data.train_labels[torch.from_numpy(data.split.train)]
    torch.nn.functional.cross_entropy(network(images), labels).backward()
    for number, weight in enumerate(network.hidden_weights, start=1):
        assert weight.grad is not None
        expected = float(weight.grad.norm() / weight.detach().norm())
        assert rows["gradients/norm", number] == pytest.approx(expected, rel=1e-4)


def test_a_unit_error_is_that_of_the_loss_but_for_its_size() -> None:
    random = torch.Generator().manual_seed(0)
    logits = torch.randn((50, 10), generator=random).requires_grad_()
    labels = torch.randint(10, (50,), generator=random)
    loss = torch.nn.functional.cross_entropy(logits, labels, reduction="sum")
    (gradient,) = torch.autograd.grad(loss, logits)
    expected = gradient / gradient.norm(dim=1, keepdim=True)
    torch.testing.assert_close(unit_error(logits.detach(), labels), expected)
    # However sure the network is, and whichever way.
    for size in (1e3, -1e3):
        sure = torch.zeros(1, 10)
        sure[0, 3], sure[0, 5] = size, size / 2
        error = unit_error(sure, torch.tensor([3]))
        assert float(error.norm()) == pytest.approx(1)
        assert float(error.sum()) == pytest.approx(0, abs=1e-6)
        assert float(error[0, 3]) < 0


def test_what_arrives_is_the_gradient_of_each_image_over_its_error(raw: Path) -> None:
    run = one_run(dropout=[0.0], epochs=4)
    rows = measured("gradients", run, raw)
    network, data, _ = trained(run, raw)
    images, labels = networks.train_set(data)
    squares = []
    for image, label in zip(images, labels, strict=True):
        outputs = networks.hidden_outputs(network, image[None])
        logits = network.network[-1](outputs[-1])
        loss = torch.nn.functional.cross_entropy(logits, label[None])
        error, *found = torch.autograd.grad(loss, [logits, *outputs])
        squares.append([float((each.norm() / error.norm()).square()) for each in found])
    arriving = np.sqrt(np.mean(squares, axis=0))
    for number, expected in enumerate(arriving, start=1):
        assert rows["gradients/arriving", number] == pytest.approx(expected, rel=1e-3)
    assert rows["gradients/first", 1] == pytest.approx(arriving[0] / arriving[1], rel=1e-3)


def test_how_sure_a_network_is_does_not_change_how_much_arrives_first(raw: Path) -> None:
    network, data, _ = trained(one_run(dropout=[0.0], epochs=4), raw)
    before = of_network("gradients", network, data)
    # The output's weights cancel; of two classes the error has one direction, whatever its size.
    after = of_network("gradients", with_larger_logits(network, 3.0), data)
    assert after["gradients/norm", 1] != pytest.approx(before["gradients/norm", 1], rel=0.2)
    assert after["gradients/first", 1] == pytest.approx(before["gradients/first", 1], rel=0.1)
    assert after["gradients/untrained", 1] == before["gradients/untrained", 1]
    alone = measured("gradients", one_run(hidden=[16], dropout=[0.0]), raw)
    assert alone["gradients/first", 1] == alone["gradients/untrained", 1] == 1


def test_an_untrained_network_is_the_one_that_training_began_with(raw: Path) -> None:
    run = one_run()
    data = subset_of(run, raw)
    data.setup("fit")
    rows = of_network("gradients", network_of(run).eval(), data)
    assert rows["gradients/first", 1] == pytest.approx(rows["gradients/untrained", 1])
    later = measured("gradients", run, raw)
    assert later["gradients/untrained", 1] == pytest.approx(rows["gradients/untrained", 1])


@pytest.mark.parametrize("variant", ["sigmoid", "sigmoid-dropout"])
def test_gradients_of_deep_sigmoid_networks_vanish_as_their_start_says(
    variant: str, raw: Path
) -> None:
    rate = 0.0 if variant == "sigmoid" else 0.3
    run = one_run(variants=[variant], dropout=[rate], hidden=[64] * 6)
    data = subset_of(run, raw)
    data.setup("fit")
    rows = of_network("gradients", network_of(run).eval(), data)
    step = 1 / (4 * math.sqrt(3)) / math.sqrt(1 - rate)  # masks keep the mean, not the mean square
    assert rows["gradients/first", 1] ** (1 / 5) == pytest.approx(step, rel=0.15)
    assert rows["gradients/first", 1] < 1e-3


def test_smoothness_is_the_norm_of_the_gradient_of_each_image(raw: Path) -> None:
    run = one_run(epochs=4, normalise={"mean": 0.1, "sd": 0.3})
    rows = measured("smoothness", run, raw)
    network, data, _ = trained(run, raw)
    images, labels = networks.test_set(data)
    losses, steep, margins = [], [], []
    for image, label in zip(images, labels, strict=True):
        pixels = (image[None] / 255).requires_grad_()
        logits = network((pixels - 0.1) / 0.3)
        loss = torch.nn.functional.cross_entropy(logits, label[None])
        losses.append(float(torch.autograd.grad(loss, pixels, retain_graph=True)[0].norm()))
        best, second = logits[0].sort(descending=True).values[:2]
        steep.append(float(torch.autograd.grad(best - second, pixels)[0].norm()))
        margins.append(float((best - second).detach()))
    assert rows["smoothness/input-gradient", 1] == pytest.approx(np.mean(losses), rel=1e-4)
    relative = np.mean(steep) / np.mean(margins)
    assert rows["smoothness/margin-gradient", 1] == pytest.approx(relative, rel=1e-4)


def test_confidence_does_not_enter_the_relative_gradient_of_the_margin(raw: Path) -> None:
    network, data, _ = trained(one_run(epochs=4), raw)
    before = of_network("smoothness", network, data)
    after = of_network("smoothness", with_larger_logits(network, 5.0), data)
    place = "smoothness/margin-gradient", 1
    assert after[place] == pytest.approx(before[place], rel=1e-4)
    assert after["smoothness/input-gradient", 1] != pytest.approx(
        before["smoothness/input-gradient", 1], rel=0.1
    )


def test_a_network_that_does_not_look_is_as_smooth_as_can_be(raw: Path) -> None:
    network, data, _ = trained(one_run(epochs=1), raw)
    with torch.no_grad():
        network.linears[-1].weight.zero_()
    assert set(of_network("smoothness", network, data).values()) == {0.0}


def test_flatness_is_of_the_function_and_not_of_the_scale_of_a_layer(raw: Path) -> None:
    network, data, weights = trained(one_run(epochs=8, dropout=[0.0]), raw)
    before = of_network("flatness", network, data)
    clean = evaluate(one_run(epochs=8, dropout=[0.0]), raw, weights, {}).final["test/loss"]
    for strength in flatness.STRENGTHS:
        rise = before["flatness/loss", strength] - clean
        assert before["flatness/rise", strength] == pytest.approx(rise, abs=1e-5)
    assert before["flatness/rise", 0.4] > before["flatness/rise", 0.1]
    assert before["flatness/accuracy", 0.4] < before["flatness/accuracy", 0.05]
    after = of_network("flatness", rescaled(network, 4.0), data)
    assert after == pytest.approx(before, rel=1e-3, abs=1e-3)


def test_noise_on_the_weights_is_as_large_as_it_says(
    raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, data, _ = trained(one_run(epochs=1), raw)
    seen: list[dict[str, torch.Tensor]] = []

    def spy(module: MLP, weights: dict[str, torch.Tensor], args: tuple[torch.Tensor]) -> object:
        seen.append(weights)
        return module(*args)

    monkeypatch.setattr(torch.func, "functional_call", spy)
    rows = of_network("flatness", network, data)
    assert len(seen) == flatness.DRAWS * len(flatness.STRENGTHS)
    of = dict(network.named_parameters())
    for number, noisy in enumerate(seen):
        assert len(noisy) == len(network.linears)
        assert not any(name.endswith("bias") for name in noisy)
        for name, weight in noisy.items():
            size = (weight - of[name]).norm().item() / of[name].norm().item()
            strength = flatness.STRENGTHS[number % len(flatness.STRENGTHS)]
            assert size == pytest.approx(strength, rel=0.3)
    assert all(value == 0 for (name, _), value in rows.items() if name == "flatness/rise")


def test_recall_and_precision_of_the_first_class_are_those_of_scikit_learn(raw: Path) -> None:
    run = one_run(epochs=4, rare=12)
    rows = measured("minority", run, raw)
    network, data, _ = trained(run, raw)
    images, labels = networks.test_set(data)
    with torch.inference_mode():
        told = network(data.floats(images)).argmax(1)
    for name, score in (("recall", recall_score), ("precision", precision_score)):
        expected = score(labels == 0, told == 0, zero_division=0.0)
        assert rows[f"minority/{name}", 1] == pytest.approx(expected)
    with torch.no_grad():
        network.linears[-1].bias[0] = -1e6
    assert set(of_network("minority", network, data).values()) == {0.0}
    with torch.no_grad():
        network.linears[-1].bias[0] = 1e6
    rows = of_network("minority", network, data)
    assert rows["minority/recall", 1] == 1
    assert rows["minority/precision", 1] == pytest.approx(0.1)


def test_a_network_that_is_silent_has_figures_of_all_kinds(raw: Path) -> None:
    network, data, _ = trained(one_run(epochs=1), raw)
    with torch.no_grad():
        for linear in network.linears[:-1]:
            linear.weight.mul_(1e-3)
            linear.bias.fill_(-1.0)
    for name in MEASURES:
        assert all(math.isfinite(value) for value in of_network(name, network, data).values())
    rows = of_network("masks", network, data) | of_network("shift", network, data)
    assert rows["masks/activation", 100] == rows["shift/variance", 2] == 1


@pytest.mark.parametrize("variant", ["standard", "batch-norm", "selu", "sigmoid"])
def test_without_masks_no_variance_shifts(variant: str, raw: Path) -> None:
    rows = measured("shift", one_run(variants=[variant], dropout=[0.0]), raw)
    assert rows == {("shift/variance", 1): 1, ("shift/variance", 2): 1}


def shifts(variant: str, raw: Path, rate: float = 0.5) -> tuple[float, ...]:
    run = one_run(variants=[variant], dropout=[rate], hidden=[64, 32, 32], epochs=4)
    return tuple(measured("shift", run, raw).values())


def test_the_variance_shifts_by_what_masks_add_to_it(raw: Path) -> None:
    """Var Σ w m h / (1 − p) is Var Σ w h + p / (1 − p) Σ w² E h², for masks of their own."""
    first, *later = shifts("dropout", raw)
    assert first == 1, "no mask comes before it"
    assert all(0.1 < ratio < 0.95 for ratio in later)
    assert shifts("dropout", raw, 0.2)[1] > later[0]
    run = one_run(hidden=[64, 32], epochs=4)
    rows = measured("shift", run, raw)
    network, data, _ = trained(run, raw)
    with torch.inference_mode():
        h = networks.hidden_outputs(network, networks.train_set(data)[0])[0].double()
    w = network.hidden_weights[1].detach().double()
    variance = (h @ w.t()).var(0)
    ratio = variance / (variance + 0.5 / 0.5 * h.square().mean(0) @ w.square().t())
    assert rows["shift/variance", 2] == pytest.approx(float(ratio.mean()), rel=0.1)


def test_where_there_is_batch_norm_it_is_the_variance_of_what_enters_it(raw: Path) -> None:
    first, second, _ = shifts("dropout-batch-norm", raw)
    assert first < 0.95, "the mask comes before it in the same layer"
    assert second < 0.95
    first, second, _ = shifts("batch-norm-dropout", raw)
    assert first == 1
    assert second < 0.95
    # Before ReLU or after it, masks are the same thing to the next layer.
    assert shifts("pre-activation-dropout", raw) == pytest.approx(shifts("dropout", raw))


def test_dropped_weights_shift_the_variance_in_their_own_layer(raw: Path) -> None:
    assert shifts("drop-connect", raw)[0] != 1
    assert shifts("standout", raw)[0] == 1


def test_a_sample_of_test_images_is_spread_over_all_of_them(raw: Path) -> None:
    data = subset_of(one_run(classes=[3, 8, 1]), raw)
    data.setup("test")
    whole, labels = networks.test_set(data)
    assert len(whole) == len(labels) == 36
    for most, count in ((36, 36), (100, 36), (18, 18), (17, 12), (1, 1)):
        some, their = networks.test_sample(data, most)
        assert len(some) == len(their) == count
        every = -(-36 // most)
        assert torch.equal(some, whole[::every])
        assert torch.equal(their, labels[::every])


def test_the_reliability_diagram_adds_up_to_accuracy_and_calibration_error(raw: Path) -> None:
    run = one_run(epochs=4)
    rows = measured("reliability", run, raw)
    network, data, weights = trained(run, raw)
    middles = sorted({at for _, at in rows})
    table = {
        name: np.array([rows[f"reliability/{name}", at] for at in middles])
        for name in ("accuracy", "confidence", "share")
    }
    assert table["share"].sum() == pytest.approx(1)
    clean = evaluate(run, raw, weights, {}).final["test/accuracy"]
    assert (table["share"] * table["accuracy"]).sum() == pytest.approx(clean)
    with torch.inference_mode():
        logits = network(data.floats(data.test_images))
    expected = multiclass_calibration_error(
        logits.softmax(1), data.test_labels, 10, n_bins=reliability.BINS, norm="l1"
    )
    error = (table["share"] * np.abs(table["accuracy"] - table["confidence"])).sum()
    assert error == pytest.approx(float(expected), abs=1e-5)


def test_calibration_and_confusion_are_those_of_their_definitions(raw: Path) -> None:
    run = one_run(epochs=4)
    network, data, weights = trained(run, raw)
    found = evaluate(run, raw, weights, {})
    with torch.inference_mode():
        images = data.floats(data.test_images[torch.from_numpy(data.test)])
        p = network(images).softmax(1).double().numpy()
    labels = data.test_labels[torch.from_numpy(data.test)].numpy()
    brier = np.mean(np.sum((p - np.eye(10)[labels]) ** 2, axis=1))
    assert found.final["test/brier"] == pytest.approx(brier, rel=1e-5)
    confidence, correct = p.max(1), p.argmax(1) == labels
    bins = np.ceil(confidence * 15).astype(int)
    error = sum(
        np.mean(bins == b) * abs(np.mean(correct[bins == b]) - np.mean(confidence[bins == b]))
        for b in set(bins.tolist())
    )
    assert found.final["test/ece"] == pytest.approx(error, rel=1e-4)
    assert found.confusion == confusion_matrix(labels, p.argmax(1), labels=range(10)).tolist()
