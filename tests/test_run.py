"""One run: the same bytes for the same key, and what it leaves."""

import io
from pathlib import Path

import lightning as L
import pandas as pd
import pytest
import torch
from conftest import one_run
from safetensors.torch import load

from dropout_bench import numerics
from dropout_bench.data.modules import subset_of
from dropout_bench.evaluation.metrics import evaluate
from dropout_bench.params.variants import VARIANTS, counterpart
from dropout_bench.training.result import BEST, CURVES, LAST, epoch_file
from dropout_bench.training.run import Diverged, load_weights, network_of, train


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
