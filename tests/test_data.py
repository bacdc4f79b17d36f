"""Splits are disjoint, stratified and repeatable; batches are what a DataLoader would give."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import PER_CLASS, make_dataset

from dropout_bench.data import arrays
from dropout_bench.data.modules import Subset
from dropout_bench.data.subsets import reindexed, stratified_split
from dropout_bench.errors import BenchError
from dropout_bench.params.values import Normalise

LABELS = np.repeat(np.arange(5), [200, 100, 100, 50, 50]).astype(np.int64)


@pytest.mark.parametrize("seed", range(5))
def test_split_is_disjoint_and_of_the_size_asked_for(seed: int) -> None:
    train, validation = stratified_split(LABELS, 400, 0.25, seed)
    assert len(train) == 300
    assert len(validation) == 100
    assert len(np.union1d(train, validation)) == 400


@pytest.mark.parametrize("seed", range(5))
def test_split_keeps_the_share_of_each_class(seed: int) -> None:
    train, validation = stratified_split(LABELS, 250, 0.2, seed)
    expected = np.array([100, 50, 50, 25, 25])
    assert (np.abs(np.bincount(LABELS[train]) - 0.8 * expected) <= 1).all()
    assert (np.abs(np.bincount(LABELS[validation]) - 0.2 * expected) <= 1).all()


def test_split_repeats_by_seed_and_differs_between_seeds() -> None:
    one, again, other = (stratified_split(LABELS, 250, 0.2, seed) for seed in (0, 0, 1))
    assert np.array_equal(one.train, again.train)
    assert np.array_equal(one.validation, again.validation)
    assert not np.array_equal(one.train, other.train)


def test_split_is_the_same_on_every_machine() -> None:
    """The digest is a recorded one: a change of it would change every committed result."""
    train, validation = stratified_split(LABELS, 250, 0.2, seed=7)
    digest = hashlib.sha256(np.concatenate([train, validation]).astype("<i8").tobytes())
    assert digest.hexdigest()[:16] == "04984061ec598fb0"


def test_without_validation_every_image_is_trained_on() -> None:
    train, validation = stratified_split(LABELS, len(LABELS), 0.0, 0)
    assert np.array_equal(train, np.arange(len(LABELS)))
    assert len(validation) == 0


def test_images_of_other_classes_are_left_out() -> None:
    labels = reindexed(LABELS.astype(np.uint8), (3, 1))
    train, _ = stratified_split(labels, 150, 0.0, 0)
    assert set(LABELS[train]) == {1, 3}
    assert set(labels[LABELS == 3]) == {0}
    assert set(labels[LABELS == 1]) == {1}


def test_more_images_than_there_are_is_an_error(raw: Path) -> None:
    data = Subset("mnist", raw, train_size=10_000)
    with pytest.raises(BenchError, match="10000 images asked for, 400 there"):
        data.setup("fit")


def module(raw: Path, **settings: object) -> Subset:
    data = Subset("mnist", raw, **settings)  # type: ignore[arg-type]
    data.prepare_data()
    data.setup("fit")
    return data


def test_each_pass_sees_every_image_once_in_a_new_order(raw: Path) -> None:
    data = module(raw, train_size=300, batch_size=32)
    batches = data.train_dataloader()
    passes = [torch.cat([labels for _, labels in batches]) for _ in range(2)]
    assert sorted(passes[0].tolist()) == sorted(passes[1].tolist())
    assert not torch.equal(passes[0], passes[1])
    again = module(raw, train_size=300, batch_size=32).train_dataloader()
    assert torch.equal(torch.cat([labels for _, labels in again]), passes[0])


@pytest.mark.parametrize("asked_for", [None, 64])
def test_a_chunk_holds_as_many_batches_as_the_module_asks_for(
    asked_for: int | None, raw: Path
) -> None:
    data = module(raw, batch_size=2)
    fitted = SimpleNamespace(batches_per_chunk=asked_for)
    data.trainer = SimpleNamespace(lightning_module=fitted)  # type: ignore[assignment]
    sizes = [len(labels) for _, labels in data.train_dataloader()]
    assert sizes[0] == 2 * (asked_for or 1)
    assert sum(sizes) == 10 * PER_CLASS["train"]
    assert len(data.train_dataloader()) == len(sizes)


def test_images_and_labels_belong_together(raw: Path) -> None:
    """Class k has its bright bar at row 2k (see conftest)."""
    data = module(raw, classes=(3, 8), batch_size=10)
    for images, labels in data.train_dataloader():
        rows = images.float().mean(2).argmax(1)
        expected = torch.tensor([3 * 28 // 10, 8 * 28 // 10])[labels]
        assert torch.equal(rows, expected)


def test_pixels_are_normalised_as_asked(raw: Path) -> None:
    data = module(raw, normalise=Normalise(mean=0.5, sd=0.5))
    floats = data.floats(torch.tensor([[0, 255]], dtype=torch.uint8))
    assert floats.tolist() == [[-1.0, 1.0]]
    plain = module(raw).floats(torch.tensor([[0, 51, 255]], dtype=torch.uint8))
    torch.testing.assert_close(plain, torch.tensor([[0.0, 0.2, 1.0]]))


def test_training_opens_no_test_file(tmp_path: Path) -> None:
    make_dataset(tmp_path / "mnist")
    for file in (tmp_path / "mnist").glob("test-*"):
        file.unlink()
    data = Subset("mnist", tmp_path, validation=0.1)
    data.setup("fit")
    assert len(data.train_dataloader())
    with pytest.raises(BenchError, match=r"test-images\.npy: not there"):
        data.setup("test")


def test_images_are_mapped_not_read(raw: Path) -> None:
    for array in arrays.open_split(raw / "mnist", "train"):
        assert isinstance(array, np.memmap)


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "cut short": lambda content: content[:-1],
    "too long": lambda content: content + b"\0",
    "empty": lambda content: b"",
    "another format": lambda content: b"\x1f\x8b" + content[2:],
    "half": lambda content: content[: len(content) // 2],
}


@pytest.mark.parametrize("how", DAMAGE)
@pytest.mark.parametrize("name", arrays.FILES)
def test_a_damaged_file_is_noticed_by_its_checksum(how: str, name: str, tmp_path: Path) -> None:
    folder = make_dataset(tmp_path / "mnist")
    arrays.verified_digest(folder)
    (folder / name).write_bytes(DAMAGE[how]((folder / name).read_bytes()))
    with pytest.raises(BenchError, match=f"{name}.*dropout-bench download mnist"):
        Subset("mnist", tmp_path).prepare_data()


@pytest.mark.parametrize("how", ["cut short", "empty", "another format", "half"])
def test_a_file_that_is_no_array_is_refused_even_with_its_checksum(
    how: str, tmp_path: Path
) -> None:
    folder = make_dataset(tmp_path / "mnist")
    path = folder / "train-labels.npy"
    path.write_bytes(DAMAGE[how](path.read_bytes()))
    arrays.write_sums(folder)
    with pytest.raises(BenchError, match=r"train-labels\.npy: cannot be read"):
        Subset("mnist", tmp_path).setup("fit")


def test_another_type_of_number_is_refused(tmp_path: Path) -> None:
    folder = make_dataset(tmp_path / "mnist")
    np.save(folder / "train-labels.npy", np.zeros(400))
    with pytest.raises(BenchError, match=r"train-labels\.npy: an array of float64"):
        Subset("mnist", tmp_path).setup("fit")


def test_swapped_files_are_noticed(tmp_path: Path) -> None:
    folder = make_dataset(tmp_path / "mnist")
    train, test = (folder / f"{split}-labels.npy" for split in ("train", "test"))
    content = train.read_bytes()
    train.write_bytes(test.read_bytes())
    test.write_bytes(content)
    with pytest.raises(BenchError, match="checksum is wrong"):
        Subset("mnist", tmp_path).prepare_data()


def test_images_and_labels_of_different_number_are_refused(tmp_path: Path) -> None:
    folder = make_dataset(tmp_path / "mnist")
    shutil.copy(folder / "test-labels.npy", folder / "train-labels.npy")
    with pytest.raises(BenchError, match="do not fit"):
        Subset("mnist", tmp_path).setup("fit")


def test_a_label_out_of_range_is_refused(tmp_path: Path) -> None:
    folder = make_dataset(tmp_path / "mnist")
    labels = np.full(10 * PER_CLASS["train"], 10, dtype=np.uint8)
    np.save(folder / "train-labels.npy", labels)
    with pytest.raises(BenchError, match="label is 10"):
        Subset("mnist", tmp_path).setup("fit")


def test_a_dataset_that_is_not_there_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="dropout-bench download mnist"):
        Subset("mnist", tmp_path).prepare_data()
