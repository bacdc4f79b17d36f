"""The run store: what goes in comes out, or is noticed to be damaged."""

import json
import math
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import experiment, one_run

from dropout_bench.params.run import Run
from dropout_bench.training import keys
from dropout_bench.training.keys import Identity
from dropout_bench.training.result import RunResult
from dropout_bench.training.store import RunStore, checksums, default_store, needed_by

IDENTITY = Identity.here(one_run(), "data", "CPU")
KEY = IDENTITY.key
RESULT = RunResult({"last.safetensors": b"weights", "curves.csv": b"a,b\n"}, "CPU", 1.5)


def key_of(run: Run, data: str, device: str) -> str:
    return Identity.here(run, data, device).key


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    store = RunStore(tmp_path / "store")
    store.put(IDENTITY, RESULT)
    return store


def test_what_is_put_is_got(store: RunStore) -> None:
    assert store.get(KEY) == RESULT
    assert store.get("0" * 32) is None


def test_an_entry_without_the_files_needed_does_not_count(store: RunStore) -> None:
    assert store.get(KEY, needed=("last.safetensors",)) == RESULT
    assert store.get(KEY, needed=("epoch-001.safetensors",)) is None
    assert store.get(KEY) == RESULT


def test_what_has_more_files_replaces_and_what_has_not_does_not(store: RunStore) -> None:
    more = RunResult({**RESULT.files, "epoch-001.safetensors": b"weights"}, "CPU", 2.5)
    store.put(IDENTITY, more)
    assert store.get(KEY) == more
    store.put(IDENTITY, RESULT)
    assert store.get(KEY) == more


def damage_file(folder: Path) -> None:
    (folder / "last.safetensors").write_bytes(b"weightz")


def lose_file(folder: Path) -> None:
    (folder / "curves.csv").unlink()


def cut_entry(folder: Path) -> None:
    text = (folder / "entry.json").read_text()
    (folder / "entry.json").write_text(text[: len(text) // 2])


def forge_entry(folder: Path) -> None:
    (folder / "entry.json").write_text(json.dumps([1, 2]))


def lose_entry(folder: Path) -> None:
    (folder / "entry.json").unlink()


def name_another_place(folder: Path) -> None:
    (folder.parent / "secret").write_bytes(b"weights")
    entry = json.loads((folder / "entry.json").read_text())
    entry["files"]["../secret"] = entry["files"]["last.safetensors"]
    (folder / "entry.json").write_text(json.dumps(entry))


@pytest.mark.parametrize(
    "damage",
    [
        damage_file, lose_file, cut_entry, forge_entry, lose_entry,
        name_another_place,
    ],
)  # fmt: skip
def test_a_damaged_entry_is_dropped(damage: object, store: RunStore) -> None:
    assert callable(damage)
    damage(store.folder / KEY)
    assert store.get(KEY) is None
    assert not (store.folder / KEY).exists()


@pytest.mark.parametrize("key", ["..", "../../up", "/etc", "", ".", "a" * 31, "A" * 32])
def test_what_is_no_key_leads_nowhere(key: str, store: RunStore) -> None:
    (store.folder.parent / "evaluation-1").write_bytes(b"x" * 40)
    assert store.get(key) is None
    assert store.get_beside(key, "evaluation-1") is None
    store.put_beside(key, "evaluation-2", b"content")
    assert not list(store.folder.parent.rglob("evaluation-2"))
    assert store.get(KEY) == RESULT


def lie(folder: Path, key: str = KEY, **files: str) -> Path:
    """Write a run's folder, as it lies in ``runs``."""
    folder.mkdir()
    for name, content in RESULT.files.items():
        (folder / name).write_bytes(content)
    about = {"key": key, "files": checksums(RESULT.files) | files}
    (folder / "run.json").write_text(json.dumps(about))
    return folder


def test_a_run_that_lies_in_a_folder_is_adopted(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "store")
    store.adopt(IDENTITY, lie(tmp_path / "run"))
    kept = store.get(KEY)
    assert kept is not None
    assert kept.files == RESULT.files
    assert math.isnan(kept.seconds)


def test_a_run_is_adopted_with_what_each_experiment_evaluates_of_it(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "store")
    curves = RESULT.files["curves.csv"]
    for number, weights in enumerate(("last", "best", "last")):
        own = {"curves.csv": curves, f"{weights}.safetensors": weights.encode()}
        folder = tmp_path / f"{number}"
        folder.mkdir()
        for name, content in own.items():
            (folder / name).write_bytes(content)
        about = {"key": KEY, "files": checksums(own)}
        (folder / "run.json").write_text(json.dumps(about))
        store.adopt(IDENTITY, folder)
    kept = store.get(KEY)
    assert kept is not None
    assert set(kept.files) == {"curves.csv", "last.safetensors", "best.safetensors"}


def test_another_run_or_a_damaged_one_is_not_adopted(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "store")
    damaged = lie(tmp_path / "damaged")
    (damaged / "curves.csv").write_bytes(b"a,c\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / "secret").write_bytes(b"weights")
    elsewhere = {"../secret": checksums(RESULT.files)["last.safetensors"]}
    for folder in (
        damaged,
        tmp_path / "empty",
        tmp_path / "nowhere",
        lie(tmp_path / "other", key="0" * 32),
        lie(tmp_path / "elsewhere", **elsewhere),
    ):
        store.adopt(IDENTITY, folder)
        assert store.get(KEY) is None


def test_what_experiments_need_is_told_and_what_is_gone(store: RunStore) -> None:
    gone = replace(IDENTITY, run=one_run().model_copy(update={"variant": "gone-dropout"}))
    other = replace(IDENTITY, code="other code")
    for identity in (gone, other):
        store.put(identity, RESULT)
    (store.folder / "cut").mkdir()
    small = experiment(dropout=[0.0, 0.5], seeds=[0, 1])
    entries = store.entries()
    needs = needed_by(entries, {"small": small, "again": small}, {})
    name = "dropout/dropout=0.5/seed=0"
    assert needs == {
        KEY: [f"small/{name}", f"again/{name}"],
        gone.key: [],
        other.key: [],
        "cut": [],
    }
    troubles = {entry.key: entry.trouble for entry in entries}
    assert troubles[gone.key] == ": the variant gone-dropout is gone"
    assert troubles["cut"] == ": it cannot be read"
    assert not troubles[KEY]
    other_data = needed_by(entries, {"small": small}, {"mnist": "other data"})
    assert other_data[KEY] == []


def test_readers_beside_writers_always_get_the_run(store: RunStore) -> None:
    got: list[RunResult | None] = []

    def read() -> None:
        got.extend(store.get(KEY) for _ in range(200))

    def write() -> None:
        for _ in range(100):
            store.put(IDENTITY, RESULT)

    threads = [threading.Thread(target=action) for action in (read, read, write, write)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 400
    assert all(each == RESULT for each in got)


def test_nothing_half_written_is_left(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(json, "dumps", full)
    with pytest.raises(OSError, match="No space"):
        store.put(Identity.here(one_run(seeds=[7]), "data", "CPU"), RESULT)
    assert [path.name for path in store.folder.iterdir()] == [KEY]


@pytest.mark.parametrize(
    "change",
    [
        {"seeds": [1]},
        {"dropout": [0.3]},
        {"dropout": ["0.5/0.3"]},
        {"input_dropout": [0.1]},
        {"variants": ["pre-activation-dropout"]},
        {"hidden": [16, 9]},
        {"epochs": 3},
        {"batch_size": 16},
        {"learning_rate": 1e-3},
        {"train_size": 299},
        {"validation": 0.1},
        {"classes": [0, 1, 2]},
        {"normalise": {"mean": 0.5, "sd": 0.5}},
    ],
)
def test_every_parameter_is_in_the_key(change: dict[str, object]) -> None:
    assert key_of(one_run(**change), "data", "CPU") != key_of(one_run(), "data", "CPU")


def test_data_device_versions_and_code_are_in_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    key = key_of(one_run(), "data", "CPU")
    assert key_of(one_run(), "data", "CPU") == key
    assert key_of(one_run(), "other data", "CPU") != key
    assert key_of(one_run(), "data", "GPU") != key
    monkeypatch.setattr(keys, "library_versions", lambda: {"torch": "2.12"})
    assert key_of(one_run(), "data", "CPU") != key
    monkeypatch.undo()
    monkeypatch.setattr(keys, "digest_of", lambda *modules: "changed")
    assert key_of(one_run(), "data", "CPU") != key


def test_what_a_run_is_evaluated_for_is_not_in_the_key() -> None:
    plain, other = one_run(), one_run(checkpoint="best", keep_every_epoch=True)
    assert key_of(plain, "data", "CPU") == key_of(other, "data", "CPU")


def test_copies_that_dvc_makes_share_the_project_s_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / ".dvc" / "tmp" / "exps" / "standalone" / "x"
    copy.mkdir(parents=True)
    assert default_store(copy) == default_store(tmp_path) == tmp_path / "run-store"
    monkeypatch.setenv("DROPOUT_BENCH_STORE", "/elsewhere")
    assert default_store(tmp_path) == Path("/elsewhere")
