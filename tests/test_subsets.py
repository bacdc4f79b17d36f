"""Options that change which images are trained on, or what they are taken for."""

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import PER_CLASS, one_run

from dropout_bench.data.modules import Subset, subset_of
from dropout_bench.evaluation.metrics import evaluate
from dropout_bench.params.options.rare import Rare
from dropout_bench.params.options.wrong_labels import WrongLabels
from dropout_bench.training.result import LAST
from dropout_bench.training.run import train


def opened(raw: Path, **changes: object) -> Subset:
    data = subset_of(one_run(**changes), raw)
    data.setup("fit")
    data.setup("test")
    return data


def given(share: float, labels: torch.Tensor, train: np.ndarray, seed: int = 0) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    found, same = WrongLabels(wrong_labels=share).on_subset(labels.clone(), train, random)
    assert same is train
    return found


@pytest.mark.parametrize("share", [0.0, 0.1, 0.25, 0.333, 0.99])
def test_so_many_labels_are_wrong(share: float, raw: Path) -> None:
    true, some = opened(raw), opened(raw, wrong_labels=share)
    wrong = (some.train_labels != true.train_labels).numpy()
    assert wrong.sum() == wrong[some.split.train].sum() == round(share * len(some.split.train))
    assert np.array_equal(some.split.train, true.split.train)
    assert some.train_labels.min() >= 0
    assert some.train_labels.max() <= 9
    assert torch.equal(some.test_labels, true.test_labels)
    again = opened(raw, wrong_labels=share)
    again.setup("fit")
    assert torch.equal(again.train_labels, some.train_labels)
    other = opened(raw, wrong_labels=share, seeds=[1])
    assert share in {0.0, 0.99} or not torch.equal(other.train_labels, some.train_labels)


def test_labels_of_validation_and_of_classes_left_out_are_left_alone(raw: Path) -> None:
    changes = {"classes": [7, 2, 5], "train_size": 100}
    true, some = opened(raw, **changes), opened(raw, **changes, wrong_labels=0.9)
    left_out = true.train_labels < 0
    assert left_out.sum() == 7 * PER_CLASS["train"]
    assert (some.train_labels[left_out] == -1).all()
    held_out = torch.from_numpy(some.split.validation)
    assert torch.equal(some.train_labels[held_out], true.train_labels[held_out])
    assert set(some.train_labels[~left_out].tolist()) == {0, 1, 2}


def test_each_other_class_is_as_likely() -> None:
    labels, places = torch.arange(40_000) % 4, np.arange(40_000)
    found = given(0.5, labels, places)
    further = (found - labels)[found != labels] % 4
    shares = torch.bincount(further, minlength=4)[1:] / 20_000
    torch.testing.assert_close(shares, torch.full((3,), 1 / 3), rtol=0, atol=0.02)
    by_class = torch.bincount(labels[found != labels]) / 20_000
    torch.testing.assert_close(by_class, torch.full((4,), 1 / 4), rtol=0, atol=0.02)
    two = torch.arange(1000) % 2
    assert (given(0.3, two, np.arange(1000)) != two).sum() == 300


@pytest.mark.parametrize(("rare", "kept"), [(1, 24), (2, 12), (5, 5), (24, 1), (100, 1)])
def test_of_the_first_class_one_in_so_many_is_kept(rare: int, kept: int, raw: Path) -> None:
    whole, some = opened(raw), opened(raw, rare=rare)
    counts = torch.bincount(some.train_labels[torch.from_numpy(some.split.train)])
    assert counts.tolist() == [kept, *[24] * 9]
    assert np.isin(some.split.train, whole.split.train).all()
    assert (np.diff(some.split.train) > 0).all()
    assert np.array_equal(some.split.validation, whole.split.validation)
    assert torch.equal(some.train_labels, whole.train_labels)
    assert np.array_equal(opened(raw, rare=rare).split.train, some.split.train)
    other = opened(raw, rare=rare, seeds=[1]).split.train
    assert not np.array_equal(other, some.split.train)
    batches = some.train_dataloader()
    assert sum(len(labels) for _, labels in batches) == 9 * 24 + kept
    assert len([*batches]) == len(batches) == -(-(9 * 24 + kept) // 32)


def test_the_first_class_is_the_first_of_the_experiment(raw: Path) -> None:
    data = opened(raw, classes=[7, 2], train_size=40, validation=0.0, rare=10)
    kept = data.split.train[data.train_labels[torch.from_numpy(data.split.train)].numpy() == 0]
    assert len(kept) == 2
    assert (np.arange(400) % 10)[kept].tolist() == [7, 7]


def test_nothing_is_kept_of_a_class_that_is_not_there() -> None:
    labels, places = torch.ones(6, dtype=torch.long), np.arange(6)
    found, train_on = Rare(rare=3).on_subset(labels, places, torch.Generator().manual_seed(0))
    assert torch.equal(found, labels)
    assert train_on.tolist() == places.tolist()


def test_both_go_together_and_what_is_held_out_stays_true(raw: Path) -> None:
    run = one_run(rare=6, wrong_labels=0.4, epochs=12, dropout=[0.0], hidden=[32])
    data = subset_of(run, raw)
    data.setup("fit")
    assert len(data.split.train) == 9 * 24 + 4
    true = opened(raw).train_labels
    assert (data.train_labels != true).sum() == round(0.4 * 220)
    final = evaluate(run, raw, train(run, raw).files[LAST], {}).final
    # It is told that two in five are of another class; where images are held out, none is.
    assert final["val/accuracy"] > 0.7
    assert final["train/accuracy"] < 0.9
