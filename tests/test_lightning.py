"""The networks are ordinary LightningModules, and their data modules ordinary ones too."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightning as L
import pandas as pd
import pytest
import torch
from conftest import one_run
from lightning.fabric.utilities.exceptions import MisconfigurationException
from project import DIGITS, write_project
from safetensors.torch import load, save
from stock import ADVICE, IMAGES, LABELS, loader, trainer
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook
from torch.utils.data import DataLoader, Sampler, TensorDataset

import dropout_bench
from dropout_bench.data.modules import subset_of
from dropout_bench.errors import BenchError
from dropout_bench.models.base import MLP
from dropout_bench.models.variants import variant_class
from dropout_bench.models.variants.batch_norm_dropout import BatchNormDropoutMLP
from dropout_bench.models.variants.dropout import DropoutMLP
from dropout_bench.models.variants.falling_dropout import FallingDropoutMLP
from dropout_bench.params.file import load_params
from dropout_bench.params.variants import VARIANTS
from dropout_bench.training.result import LAST
from dropout_bench.training.run import network_of, train

pytestmark = ADVICE


SMALL: dict[str, Any] = {"hidden": (16, 8), "dropout": 0.2, "learning_rate": 0.01}


def network(variant: type[MLP] = DropoutMLP, **settings: Any) -> MLP:
    return variant(784, 10, **SMALL | settings)


def loss_of(model: MLP) -> float:
    with torch.no_grad():
        loss = nn.functional.cross_entropy(model.eval()(IMAGES), LABELS)
    model.train()
    return float(loss)


def test_a_stock_trainer_trains_it_and_its_progress_bar_shows_loss_and_accuracy() -> None:
    model = network()
    before = loss_of(model)
    stock = trainer(max_epochs=8)
    stock.fit(model, loader(shuffle=True), loader())
    assert loss_of(model) < 0.7 * before
    shown = stock.progress_bar_metrics
    assert set(shown) == {f"{s}/{m}" for s in ("train", "val") for m in ("loss", "accuracy")}
    assert shown["val/loss"] == pytest.approx(loss_of(model), rel=1e-5)


class Epochs(Sampler[int]):
    """Goes over ``count`` images in each epoch, one after the other."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.epoch = 0

    def __iter__(self) -> Iterator[int]:
        first = self.epoch * self.count
        self.epoch += 1
        return iter(range(first, first + self.count))

    def __len__(self) -> int:
        return self.count


@pytest.mark.parametrize(
    "settings",
    [{}, {"variants": ["falling-dropout"], "learning_rate_decay": "linear", "l1": 1e-4}],
    ids=["dropout", "falling-dropout with options"],
)
def test_single_batches_give_the_bits_of_our_chunks(settings: dict[str, Any], raw: Path) -> None:
    run = one_run(epochs=2, **settings)
    data = subset_of(run, raw)
    data.setup("fit")
    ours = data.train_dataloader()
    batches = [batch for _ in range(run.epochs) for batch in ours]
    images = torch.cat([data.floats(images) for images, _ in batches])
    labels = torch.cat([labels for _, labels in batches])
    order = Epochs(len(images) // run.epochs)
    model = network_of(run)
    trainer(max_epochs=run.epochs).fit(model, loader(images, labels, run.batch_size, sampler=order))
    trained = load(train(run, raw).files[LAST])
    assert all(torch.equal(value, trained[name]) for name, value in model.state_dict().items())


def test_it_is_validated_tested_and_asked_for_predictions() -> None:
    model = network()
    stock = trainer()
    (validated,) = stock.validate(model, loader(), verbose=False)
    (tested,) = stock.test(model, loader(), verbose=False)
    probabilities = torch.cat(stock.predict(model, loader()))  # type: ignore[arg-type]
    torch.testing.assert_close(probabilities.sum(1), torch.ones(len(IMAGES)))
    torch.testing.assert_close(probabilities, model.eval()(IMAGES).softmax(1).detach())
    accuracy = float((probabilities.argmax(1) == LABELS).float().mean())
    loss = float(nn.functional.nll_loss(probabilities.log(), LABELS))
    for split, found in (("val", validated), ("test", tested)):
        assert found[f"{split}/accuracy"] == pytest.approx(accuracy)
        assert found[f"{split}/loss"] == pytest.approx(loss, rel=1e-5)


def test_images_without_labels_are_predicted_too() -> None:
    model = network()
    given: DataLoader[Any] = DataLoader(TensorDataset(IMAGES), batch_size=64)
    probabilities = torch.cat(trainer().predict(model, given))  # type: ignore[arg-type]
    torch.testing.assert_close(probabilities, model.eval()(IMAGES).softmax(1).detach())


@pytest.mark.parametrize(
    ("variant", "settings"),
    [
        (DropoutMLP, {}),
        (FallingDropoutMLP, {"dropout": (0.5, 0.3), "input_dropout": 0.1, "seed": 7}),
        (BatchNormDropoutMLP, {"optimiser": "sgd", "options": {"l2": 1e-3, "max_norm": 2.0}}),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
@pytest.mark.parametrize("weights_only", [None, True])
def test_a_checkpoint_is_loaded_without_arguments(
    variant: type[MLP], settings: dict[str, Any], weights_only: bool | None, tmp_path: Path
) -> None:
    model = network(variant, **settings)
    stock = trainer(max_epochs=1)
    stock.fit(model, loader())
    stock.save_checkpoint(tmp_path / "a.ckpt")
    again = variant.load_from_checkpoint(tmp_path / "a.ckpt", weights_only=weights_only)
    assert torch.equal(again.eval()(IMAGES), model.eval()(IMAGES))
    assert again.hparams == model.hparams
    assert again.options == model.options
    assert [layer.rate for layer in again.noise_layers()] == [
        layer.rate for layer in model.noise_layers()
    ]


@pytest.fixture
def steps() -> Iterator[list[int]]:
    """Counts the steps of all optimisers in its only element."""
    count = [0]

    def watch(*_: object) -> None:
        count[0] += 1

    hook = register_optimizer_step_post_hook(watch)
    yield count
    hook.remove()


@pytest.mark.parametrize("ours", [True, False], ids=["chunks", "single batches"])
@pytest.mark.parametrize("number", [3, 10])
def test_it_takes_as_many_steps_as_it_is_told(
    ours: bool, number: int, steps: list[int], raw: Path
) -> None:
    stock = trainer(max_steps=number, limit_val_batches=0)
    if ours:
        stock.fit(network(), subset_of(one_run(), raw))
    else:
        stock.fit(network(), loader(size=64))
    assert steps == [number]
    assert stock.global_step == number


@pytest.mark.parametrize(
    ("asked", "value"), [("gradient_clip_val", 1.0), ("accumulate_grad_batches", 2)]
)
def test_what_manual_optimisation_rules_out_is_said_at_once(
    asked: str, value: Any, steps: list[int]
) -> None:
    with pytest.raises(MisconfigurationException, match=f"manual optimization.*{asked}"):
        trainer(max_epochs=1, **{asked: value}).fit(network(), loader())
    assert steps == [0]


def test_a_decay_over_the_epochs_needs_their_number() -> None:
    model = network(options={"learning_rate_decay": "linear"})
    with pytest.raises(ValueError, match="max_epochs"):
        trainer(max_steps=3).fit(model, loader())


def test_other_precisions_train() -> None:
    model = network()
    before = loss_of(model)
    trainer(max_epochs=8, precision="64-true").fit(model, loader(IMAGES.double()))
    assert loss_of(model.float()) < 0.7 * before


class Ordinary(L.LightningModule):
    """Somebody else's: it knows nothing of chunks."""

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
        self.seen: dict[str, list[tuple[int, ...]]] = {"train": [], "val": [], "test": []}
        self.losses: list[float] = []

    def _loss(self, split: str, batch: tuple[Tensor, Tensor]) -> Tensor:
        images, labels = batch
        assert images.dtype == torch.float32
        self.seen[split].append(tuple(images.shape))
        return nn.functional.cross_entropy(self.network(images), labels)

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        loss = self._loss("train", batch)
        self.losses.append(float(loss.detach()))
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor]) -> None:
        self._loss("val", batch)

    def test_step(self, batch: tuple[Tensor, Tensor]) -> None:
        self._loss("test", batch)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), 1e-2)


def test_our_data_module_serves_an_ordinary_module(raw: Path) -> None:
    model = Ordinary()
    data = subset_of(one_run(input_noise=0.1, shift=1), raw)
    stock = trainer(max_epochs=2, num_sanity_val_steps=0)
    stock.fit(model, data)
    stock.test(model, data, verbose=False)
    epoch = [(32, 28, 28)] * 7 + [(16, 28, 28)]
    assert model.seen == {
        "train": epoch * 2,
        "val": [(60, 28, 28)] * 2,
        "test": [(120, 28, 28)],
    }
    assert model.losses[-2] < model.losses[0]


def test_a_data_module_may_be_set_up_for_all_stages_at_once(raw: Path) -> None:
    data = subset_of(one_run(), raw)
    for asked in (data.train_dataloader, data.val_dataloader):
        with pytest.raises(BenchError, match=r'call setup\("fit"\) first'):
            asked()
    for asked in (data.test_dataloader, data.predict_dataloader):
        with pytest.raises(BenchError, match=r'call setup\("test"\) first'):
            asked()
    data.setup()
    images, labels = next(iter(data.train_dataloader()))
    assert (len(images), len(labels)) == (32, 32)
    assert sum(len(labels) for _, labels in data.val_dataloader()) == 60
    assert sum(len(labels) for _, labels in data.test_dataloader()) == 120


COMPILED = [
    pytest.param(variant, marks=() if variant == "dropout" else pytest.mark.slow)
    for variant in sorted(VARIANTS)
]


@pytest.mark.parametrize("variant", COMPILED)
def test_a_network_can_be_compiled(variant: str) -> None:
    model, other = (network(variant_class(variant)).eval() for _ in range(2))
    compiled = torch.compile(other, backend="eager")
    torch.testing.assert_close(compiled(IMAGES), model(IMAGES), rtol=1e-4, atol=1e-5)
    torch.compiler.reset()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # torch, of its own
@pytest.mark.filterwarnings("ignore:.torch.jit.script_method. is deprecated")
def test_a_compiled_network_trains_as_the_other() -> None:
    model, other = (network() for _ in range(2))
    compiled = torch.compile(other)
    for each in (model, compiled):
        nn.functional.cross_entropy(each(IMAGES), LABELS).backward()
    for ours, theirs in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-3, atol=1e-5)
    torch.compiler.reset()


NAME = "small/dropout/dropout=0.5/seed=1"


@pytest.mark.slow
def test_a_trained_network_is_loaded_by_the_name_of_its_run(
    committed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = dropout_bench.load_run(NAME, committed)
    assert isinstance(model, DropoutMLP)
    assert not model.training
    jobs = load_params(committed / "params.yaml").experiment("small").jobs()
    (run,) = (job.run for job in jobs if f"small/{job.name}" == NAME)
    data = subset_of(run, committed / "data" / "raw")
    (found,) = trainer().test(model, data, verbose=False)
    table = pd.read_csv(committed / "reports" / "results" / "small" / "runs.csv")
    (row,) = table.query("variant == 'dropout' and seed == 1").to_dict("records")
    assert found["test/accuracy"] == pytest.approx(row["test/accuracy"], abs=1e-6)
    assert found["test/loss"] == pytest.approx(row["test/loss"], abs=1e-5)
    monkeypatch.chdir(committed / "data")
    again = dropout_bench.load_run(NAME).state_dict()
    assert all(torch.equal(value, again[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("smal/dropout/dropout=0.5/seed=1", 'did you mean "small"'),
        ("small/dropout/dropout=0.5/seed=2", 'did you mean "dropout/dropout=0.5/seed='),
        ("small", "small has no run"),
    ],
)
def test_an_unknown_run_is_named_with_the_closest(name: str, hint: str, tmp_path: Path) -> None:
    write_project(tmp_path, small=DIGITS)
    with pytest.raises(BenchError, match=hint):
        dropout_bench.load_run(name, tmp_path)


def test_a_run_without_its_weights_is_one_error(tmp_path: Path) -> None:
    write_project(tmp_path, small=DIGITS)
    with pytest.raises(BenchError, match="no trained weights; run: dvc repro"):
        dropout_bench.load_run(NAME, tmp_path)
    weights = tmp_path / "runs" / NAME / "best.safetensors"
    weights.parent.mkdir(parents=True)
    other = save({"network.output.bias": torch.zeros(10)})
    for content in (other[:100], b"", other):
        weights.write_bytes(content)
        with pytest.raises(BenchError, match=r"damaged \(.*\); run: dvc repro"):
            dropout_bench.load_run(NAME, tmp_path)
