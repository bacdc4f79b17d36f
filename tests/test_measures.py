"""What is measured of a trained network besides loss and accuracy."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import one_run
from sklearn.metrics import confusion_matrix
from torchmetrics.functional.classification import multiclass_calibration_error

from dropout_bench.data.modules import Subset, subset_of
from dropout_bench.evaluation.metrics import evaluate
from dropout_bench.models.base import MLP
from dropout_bench.params.options.shift import shifted
from dropout_bench.params.run import Run
from dropout_bench.quantities.measured import ablation, corruption, masks, reliability
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


def test_the_stronger_the_corruption_the_less_is_left(raw: Path) -> None:
    run = one_run(epochs=8)
    rows = measured("corruption", run, raw)
    weights = trained(run, raw)[2]
    clean = evaluate(run, raw, weights, {}).final["test/accuracy"]
    for kind, strengths in corruption.STRENGTHS.items():
        for strength in strengths:
            lost = clean - rows[f"corruption/{kind}", strength]
            assert rows[f"sensitivity/{kind}", strength] == pytest.approx(lost, abs=1e-9)
    assert rows["corruption/noise", 0.4] < clean
    assert rows["corruption/shift", 4] < clean


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
    ratio = rows["gradients/norm", 1] / rows["gradients/norm", 2]
    assert rows["gradients/ratio", 1] == pytest.approx(ratio)


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
