"""One run: the same bytes for the same key, and what it leaves."""

import ast
import io
import platform
import sys
from pathlib import Path

import lightning as L
import pandas as pd
import pytest
import torch
from conftest import one_run
from lightning.fabric.accelerators.mps import MPSAccelerator
from lightning.pytorch.accelerators import CPUAccelerator
from safetensors.torch import load

from dropout_bench import numerics
from dropout_bench.catalogue.source import PACKAGE
from dropout_bench.data.modules import subset_of
from dropout_bench.evaluation.metrics import evaluate
from dropout_bench.models import variants
from dropout_bench.params.variants import VARIANTS, counterpart
from dropout_bench.training.keys import Identity
from dropout_bench.training.result import BEST, CURVES, LAST, epoch_file
from dropout_bench.training.run import Diverged, device_in_use, load_weights, network_of, train


@pytest.mark.parametrize("variant", sorted(VARIANTS - {"standard"}))
def test_a_run_repeats_to_the_last_bit(variant: str, raw: Path) -> None:
    run = one_run(variants=[variant], dropout=[0.5 if counterpart(variant) else 0.0])
    assert run.variant == variant
    first = train(run, raw)
    torch.manual_seed(99)
    torch.rand(7)
    second = train(run, raw)
    assert first.files == second.files
    assert first.device == second.device


@pytest.mark.skipif(not numerics.is_pinned(), reason="no x86-64 CPU with AVX2")
def test_a_run_does_not_depend_on_the_number_of_threads(raw: Path) -> None:
    run = one_run()
    first = train(run, raw)
    torch.set_num_threads(2)
    assert train(run, raw).files == first.files


def test_runs_differ_by_seed_and_by_dropout(raw: Path) -> None:
    results = [
        train(run, raw).files[LAST]
        for run in (one_run(), one_run(seeds=[1]), one_run(dropout=[0.3]))
    ]
    assert len(set(results)) == 3


def test_what_a_run_leaves(raw: Path) -> None:
    result = train(one_run(epochs=3), raw, keep_every_epoch=True)
    assert set(result.files) == {LAST, BEST, CURVES, *map(epoch_file, (1, 2, 3))}
    assert result.files[LAST] == result.files[epoch_file(3)]
    curves = pd.read_csv(io.BytesIO(result.files[CURVES]))
    assert list(curves["epoch"]) == [1, 2, 3]
    best = int(curves["val/loss"].to_numpy().argmin()) + 1
    assert result.files[BEST] == result.files[epoch_file(best)]


def test_without_validation_there_is_no_best_and_no_validation_curve(raw: Path) -> None:
    result = train(one_run(validation=0.0), raw)
    assert set(result.files) == {LAST, CURVES}
    assert b"val/" not in result.files[CURVES]


def test_training_learns(raw: Path) -> None:
    result = train(one_run(epochs=8, dropout=[0.0]), raw)
    curves = pd.read_csv(io.BytesIO(result.files[CURVES]))
    assert curves["val/accuracy"].iloc[-1] > 0.8
    assert curves["train/loss"].iloc[-1] < curves["train/loss"].iloc[0] / 2


def test_the_chunked_loop_is_a_plain_loop_of_adam_steps(raw: Path) -> None:
    """Lightning's hooks, chunks and fused steps change nothing: a loop by hand agrees."""
    run = one_run(epochs=1, validation=0.0)
    data = subset_of(run, raw)
    data.setup("fit")
    network = network_of(run)
    optimizer = torch.optim.Adam(network.parameters(), run.learning_rate)
    network.train()
    for images, labels in data.train_dataloader():
        for x, y in zip(images.split(run.batch_size), labels.split(run.batch_size), strict=True):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(network(data.floats(x)), y).backward()
            optimizer.step()
    trained = load(train(run, raw).files[LAST])
    torch.testing.assert_close(trained, network.state_dict(), rtol=1e-4, atol=1e-6)


def test_a_diverging_run_says_so(raw: Path) -> None:
    with pytest.raises(Diverged, match="epoch 1"):
        train(one_run(learning_rate=1e30), raw)


@pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning")  # Lightning beside torch 2.13
def test_evaluation_agrees_with_lightning_s_own_test(raw: Path) -> None:
    run = one_run()
    weights = train(run, raw).files[LAST]
    ours = evaluate(run, raw, weights, {1: weights})
    trainer = L.Trainer(
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    data = subset_of(run, raw)
    (theirs,) = trainer.test(load_weights(network_of(run), weights), data, verbose=False)
    for name in ("test/loss", "test/accuracy"):
        assert ours.final[name] == pytest.approx(theirs[name], rel=1e-5)
        assert ours.by_epoch[1][name] == ours.final[name]
    assert ours.parameters == 784 * 16 + 16 + 16 * 8 + 8 + 8 * 10 + 10


def test_validation_curve_agrees_with_the_evaluation(raw: Path) -> None:
    run = one_run()
    result = train(run, raw)
    final = evaluate(run, raw, result.files[LAST], {}).final
    curves = pd.read_csv(io.BytesIO(result.files[CURVES]))
    for name in ("val/loss", "val/accuracy"):
        assert curves[name].iloc[-1] == pytest.approx(final[name], rel=1e-5)


def test_a_run_does_not_depend_on_what_its_process_trained_before(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even with a variant from elsewhere, whose noise comes from torch's own generator."""
    (tmp_path / "global_dropout.py").write_text(
        """
from torch import nn
from dropout_bench.models.base import MLP

class GlobalDropoutMLP(MLP):
    def hidden_layer(self, linear, rate, number):
        return [linear, nn.ReLU(), nn.Dropout(rate)]
"""
    )
    monkeypatch.setattr(variants, "__path__", [*variants.__path__, str(tmp_path)])
    run = one_run().model_copy(update={"variant": "global-dropout"})
    first = train(run, raw).files
    train(one_run(seeds=[1]), raw)
    torch.rand(7)
    assert train(run, raw).files == first
    other = train(run.model_copy(update={"seed": 1}), raw).files
    assert other[LAST] != first[LAST]


class _Seen(L.Callback):
    accelerator: object = None

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.accelerator = trainer.accelerator


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is taken before all else")
def test_apple_s_mps_is_never_taken(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MPSAccelerator, "is_available", staticmethod(lambda: True))
    seen = _Seen()
    result = train(one_run(), raw, callbacks=[seen])
    assert isinstance(seen.accelerator, CPUAccelerator)
    assert result.device.startswith("CPU")


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is taken before all else")
@pytest.mark.parametrize("system", ["win32", "darwin"])
def test_the_same_bits_are_promised_under_linux_alone(
    system: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numerics, "arithmetic", numerics.arithmetic.__wrapped__)  # without a memory
    monkeypatch.setattr(sys, "platform", system)
    assert not numerics.is_pinned()
    assert numerics.arithmetic() == numerics.NATIVE
    assert device_in_use().endswith(", native")


SYSTEMS = {  # sys.platform, platform.system(), platform.machine()
    "CPU (Linux aarch64), native": ("linux", "Linux", "aarch64"),
    "CPU (Darwin arm64), native": ("darwin", "Darwin", "arm64"),
    "CPU (Darwin x86_64), native": ("darwin", "Darwin", "x86_64"),
    "CPU (Windows AMD64), native": ("win32", "Windows", "AMD64"),
    "CPU (Windows ARM64), native": ("win32", "Windows", "ARM64"),
}


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is taken before all else")
def test_the_operating_system_is_in_the_key_of_what_linux_on_x86_64_did_not_compute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """There the device is named without it, and the key stays what it was."""
    monkeypatch.setattr(numerics, "arithmetic", numerics.arithmetic.__wrapped__)  # without a memory
    here = device_in_use()
    keys = {Identity.here(one_run(), "data", here).key}
    for told, (kind, system, machine) in SYSTEMS.items():
        monkeypatch.setattr(sys, "platform", kind)
        monkeypatch.setattr(platform, "system", lambda system=system: system)
        monkeypatch.setattr(platform, "machine", lambda machine=machine: machine)
        assert device_in_use() == told
        keys.add(Identity.here(one_run(), "data", told).key)
    assert len(keys) == 1 + len(SYSTEMS)
    assert here in {f"CPU, {numerics.PORTABLE}", *SYSTEMS, "CPU (Linux x86_64), native"}


def test_every_training_is_on_a_gpu_of_cuda_or_on_the_cpu() -> None:
    """Lightning's own choice, ``auto``, would take Apple's MPS, which is neither."""
    calls = [
        node
        for file in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Trainer")
    ]
    assert len(calls) >= 2
    for call in calls:
        named = {word.arg: ast.unparse(word.value) for word in call.keywords}
        assert named["accelerator"] == "'gpu' if torch.cuda.is_available() else 'cpu'"
    assert numerics.arithmetic("mps") == numerics.NATIVE
