"""Small data made by the tests: nothing here needs a network or the real datasets."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

import dropout_bench.pinned  # noqa: F401 (before torch is loaded)
from dropout_bench.data import arrays
from dropout_bench.params.experiment import Experiment
from dropout_bench.params.run import Run

settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

PER_CLASS: dict[arrays.SplitName, int] = {"train": 40, "test": 12}


def make_dataset(folder: Path, shape: tuple[int, int] = (28, 28)) -> Path:
    """Write a dataset of ten classes: class k is a bright bar at row 2k, with noise."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    splits: dict[arrays.SplitName, tuple[arrays.Array, arrays.Array]] = {}
    for split, count in PER_CLASS.items():
        labels = np.tile(np.arange(10, dtype=np.uint8), count)
        images = random.integers(0, 128, (len(labels), *shape), dtype=np.uint8)
        images[np.arange(len(labels)), labels * shape[0] // 10] = 200
        splits[split] = images, labels
    arrays.save(folder, splits)
    return folder


@pytest.fixture(scope="session")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small ``mnist`` in it; not to be changed."""
    folder = tmp_path_factory.mktemp("raw")
    make_dataset(folder / "mnist")
    return folder


@pytest.fixture(scope="session")
def workers() -> Iterator[dict[str, str]]:
    """Worker processes that commands share: torch is loaded once."""
    from project import shared_workers

    with shared_workers() as environment:
        yield environment


@pytest.fixture(scope="session")
def committed(tmp_path_factory: pytest.TempPathFactory, workers: dict[str, str]) -> Path:
    """A project whose report is committed; not to be changed."""
    from project import INSIDE, commit_a_report

    root = tmp_path_factory.mktemp("committed")
    commit_a_report(root, "small", workers, inside=INSIDE)
    return root


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("DROPOUT_BENCH_")]:
        monkeypatch.delenv(name)


def experiment(**changes: object) -> Experiment:
    """Return a small experiment on the small dataset."""
    settings: dict[str, object] = {
        "dataset": "mnist",
        "train_size": 300,
        "validation": 0.2,
        "hidden": [16, 8],
        "variants": ["dropout"],
        "dropout": [0.0, 0.5],
        "learning_rate": 1e-2,
        "batch_size": 32,
        "epochs": 2,
        "seeds": [0, 1],
    }
    return Experiment.model_validate(settings | changes)


def one_run(**changes: object) -> Run:
    """Return a small run with dropout."""
    return experiment(**{"dropout": [0.5], "seeds": [0]} | changes).runs()[0]
