"""Archives of runs: what is exported is imported, and nothing else ever is."""

import hashlib
import io
import json
import shutil
import tarfile
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import one_run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from project import contents

from dropout_bench.errors import BenchError
from dropout_bench.training.archive import export_runs, import_runs
from dropout_bench.training.keys import Identity
from dropout_bench.training.result import RunResult
from dropout_bench.training.store import RunStore

RUNS = [Identity.here(one_run(seeds=[seed]), "data", "CPU") for seed in (0, 1)]
KEYS = sorted(each.key for each in RUNS)
BESIDE = f"evaluation-{'0' * 32}"
LAST = "last.safetensors"

Members = list[tuple[tarfile.TarInfo, bytes]]


def filled(folder: Path, *identities: Identity, **files: bytes) -> RunStore:
    """Make a store with runs in it, each with an evaluation beside it."""
    store = RunStore(folder)
    for identity in identities:
        weights = f"weights of {identity.run.seed}".encode() * 100
        store.put(identity, RunResult({LAST: weights, "curves.csv": b"a,b\n"} | files, "CPU", 1.5))
        store.put_beside(identity.key, BESIDE, b"what came out")
    return store


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return filled(tmp_path / "store", *RUNS)


@pytest.fixture
def archive(store: RunStore, tmp_path: Path) -> Path:
    export_runs(store, KEYS, tmp_path / "runs.tar")
    return tmp_path / "runs.tar"


def everything(folder: Path) -> dict[str, str]:
    return contents(folder) | {str(each): "" for each in folder.glob("**/") if folder.exists()}


@contextmanager
def unchanged(*folders: Path) -> Iterator[None]:
    before = [everything(folder) for folder in folders]
    yield
    assert [everything(folder) for folder in folders] == before


def refused(archive: Path, store: RunStore, told: str) -> None:
    """Try to import: it is one error, and nothing has changed."""
    store.folder.mkdir(exist_ok=True)
    with unchanged(store.folder.parent), pytest.raises(BenchError, match=told) as caught:
        import_runs(store, archive)
    assert str(archive) in str(caught.value) or str(store.folder) in str(caught.value)


def test_what_is_exported_is_imported_to_the_byte(
    store: RunStore, archive: Path, tmp_path: Path
) -> None:
    other = RunStore(tmp_path / "other")
    assert import_runs(other, archive) == (tuple(KEYS), ())
    assert contents(other.folder) == contents(store.folder)
    assert other.get(KEYS[0], (LAST,)) == store.get(KEYS[0], (LAST,))
    assert other.get_beside(KEYS[0], BESIDE) == b"what came out"
    export_runs(other, reversed(KEYS), tmp_path / "again.tar")
    assert (tmp_path / "again.tar").read_bytes() == archive.read_bytes()
    assert import_runs(other, archive) == ((), tuple(KEYS))
    assert contents(other.folder) == contents(store.folder)


def test_it_is_a_plain_tar_of_the_runs_asked_for(store: RunStore, tmp_path: Path) -> None:
    export_runs(store, KEYS[:1], tmp_path / "one.tar")
    with tarfile.open(tmp_path / "one.tar", "r:") as opened:
        names = opened.getnames()
    files = ["entry.json", "curves.csv", LAST, BESIDE]
    assert names == ["manifest.json", *(f"{KEYS[0]}/{file}" for file in files)]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1, exclude_max=True), bit=st.none() | st.integers(0, 7))
def test_damage_anywhere_is_noticed_or_does_nothing(
    share: float, bit: int | None, store: RunStore, archive: Path, tmp_path: Path
) -> None:
    damaged, other = tmp_path / "damaged.tar", RunStore(tmp_path / "other")
    said = bytearray(archive.read_bytes())
    place = int(share * len(said))
    if bit is None:
        del said[place:]
    else:
        said[place] ^= 1 << bit
    damaged.write_bytes(said)
    shutil.rmtree(other.folder, ignore_errors=True)
    try:
        import_runs(other, damaged)
    except BenchError:
        assert list(other.folder.iterdir()) == []
    else:  # a byte of a header that says nothing
        assert bit is not None
        assert contents(other.folder) == contents(store.folder)


def read(archive: Path) -> tuple[dict[str, Any], Members]:
    with tarfile.open(archive) as opened:
        (_, manifest), *members = [(m, _content(opened, m)) for m in opened]
    return json.loads(manifest), members


def _content(opened: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = opened.extractfile(member)
    assert file is not None
    return file.read()


def write(archive: Path, manifest: Any, members: Members) -> None:
    with tarfile.open(archive, "w", format=tarfile.USTAR_FORMAT) as opened:
        for member, content in [of("manifest.json", json.dumps(manifest).encode()), *members]:
            opened.addfile(member, io.BytesIO(content))


def of(name: str, content: bytes) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    return member, content


def said_of(content: bytes) -> dict[str, object]:
    return {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def put(manifest: dict[str, Any], members: Members, name: str, content: bytes) -> None:
    """Give a file of an archive other bytes, in the manifest too."""
    key, _, file = name.partition("/")
    manifest["runs"][key][file] = said_of(content)
    names = [member.name for member, _ in members]
    members[names.index(name)] = of(name, content)


def leads_elsewhere(manifest: dict[str, Any], members: Members) -> None:
    manifest["runs"][KEYS[0]]["../../secret"] = said_of(b"secret")
    members.insert(4, of(f"{KEYS[0]}/../../secret", b"secret"))


def key_leads_elsewhere(manifest: dict[str, Any], members: Members) -> None:
    manifest["runs"] = {"../elsewhere": manifest["runs"][KEYS[0]]}
    members[:] = [of(f"../elsewhere/{m.name.partition('/')[2]}", c) for m, c in members[:4]]


def member_leads_elsewhere(manifest: dict[str, Any], members: Members) -> None:
    members[3] = of(f"{KEYS[0]}/../../secret", members[3][1])


def link(kind: bytes, target: str) -> Callable[[dict[str, Any], Members], None]:
    def change(manifest: dict[str, Any], members: Members) -> None:
        member = tarfile.TarInfo(members[2][0].name)
        member.type, member.linkname = kind, target
        members[2] = member, b""
        manifest["runs"][KEYS[0]][LAST] = said_of(b"")

    return change


def twice(manifest: dict[str, Any], members: Members) -> None:
    members.insert(3, members[2])


def one_more(manifest: dict[str, Any], members: Members) -> None:
    members.append(of("more", b"more"))


def one_less(manifest: dict[str, Any], members: Members) -> None:
    members.pop()


def of_another_run(manifest: dict[str, Any], members: Members) -> None:
    manifest["runs"] = {KEYS[0]: manifest["runs"][KEYS[1]]}
    members[:] = [of(f"{KEYS[0]}/{m.name.partition('/')[2]}", c) for m, c in members[4:]]


def other_weights(manifest: dict[str, Any], members: Members) -> None:
    put(manifest, members, f"{KEYS[0]}/{LAST}", b"other weights")


def other_evaluation(manifest: dict[str, Any], members: Members) -> None:
    put(manifest, members, f"{KEYS[0]}/{BESIDE}", bytes(32) + b"what did not come out")


def entry(content: bytes) -> Callable[[dict[str, Any], Members], None]:
    def change(manifest: dict[str, Any], members: Members) -> None:
        put(manifest, members, f"{KEYS[1]}/entry.json", content)

    return change


def no_entry(manifest: dict[str, Any], members: Members) -> None:
    del manifest["runs"][KEYS[1]]["entry.json"], members[4]


def set_format(number: object) -> Callable[[dict[str, Any], Members], None]:
    return lambda manifest, _: manifest.update(format=number)


HOSTILE: dict[str, tuple[Callable[[dict[str, Any], Members], None], str]] = {
    "a file out of the store": (leads_elsewhere, "damaged, cut short or forged"),
    "a key out of the store": (key_leads_elsewhere, "damaged, cut short or forged"),
    "a member out of the store": (member_leads_elsewhere, r"secret in the place of"),
    "a symbolic link": (link(tarfile.SYMTYPE, "/etc/passwd"), "in the place of"),
    "a hard link": (link(tarfile.LNKTYPE, f"{KEYS[0]}/entry.json"), "in the place of"),
    "a device": (link(tarfile.CHRTYPE, ""), "in the place of"),
    "a file twice": (twice, f"{LAST} in the place of"),
    "a file more": (one_more, "its end is not that of an archive"),
    "a file less": (one_less, f"{BESIDE} does not come where it should"),
    "a run under another key": (of_another_run, f"{KEYS[0]} is the run {KEYS[1]}"),
    "other weights": (other_weights, "not those that it was trained to"),
    "another evaluation": (other_evaluation, f"{BESIDE} has another checksum"),
    "an entry that is none": (entry(b"[1, 2]"), "entry.json"),
    "an entry without end": (entry(b"[" * 100_000), "entry.json"),
    "an entry of nothing": (entry(b"{}"), "entry.json"),
    "an endless entry": (entry(b" " * 2**21), "or too long"),
    "no entry": (no_entry, "its entry.json is not there"),
    "a later format": (set_format(2), "an archive of format 2, and this release reads format 1"),
    "no format": (set_format("new"), "manifest.json: format"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_forged_archive_is_one_error_and_nothing_is_taken(
    what: str, archive: Path, tmp_path: Path
) -> None:
    change, told = HOSTILE[what]
    manifest, members = read(archive)
    change(manifest, members)
    write(archive, manifest, members)
    refused(archive, RunStore(tmp_path / "other"), told)
    assert not list(tmp_path.rglob("secret"))


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x1f\x8b" + bytes(600), bytes(10_240)])
def test_what_is_no_archive_is_told(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(content)
    refused(tmp_path / "x.tar", RunStore(tmp_path / "other"), "no archive of runs")


def test_another_tar_a_folder_and_nothing_are_told(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar", "w") as opened:
        opened.add(__file__, "file.py")
    other = RunStore(tmp_path / "other")
    refused(tmp_path / "x.tar", other, "no archive of runs")
    refused(tmp_path, other, "directory")
    refused(tmp_path / "gone.tar", other, "No such file")


def test_a_run_that_is_here_is_kept_and_gets_what_it_lacks(archive: Path, tmp_path: Path) -> None:
    other = RunStore(tmp_path / "other")
    epochs = {"epoch-001.safetensors": b"after one"}
    other.put(RUNS[0], RunResult({"curves.csv": b"a,b\n"} | epochs, "CPU", 9.0))
    assert import_runs(other, archive).kept == ()
    kept = other.get(RUNS[0].key, (LAST, "epoch-001.safetensors", "curves.csv"))
    assert kept is not None
    assert kept.seconds == 9.0, "what is here is kept"
    assert other.get_beside(RUNS[0].key, BESIDE) == b"what came out"
    assert import_runs(other, archive).kept == tuple(KEYS)


def test_other_bytes_of_a_run_that_is_here_are_an_error(archive: Path, tmp_path: Path) -> None:
    other = filled(tmp_path / "other", RUNS[0], **{LAST: b"others"})
    refused(archive, other, f"1 files .* have other bytes .*{RUNS[0].key}/{LAST}")
    shutil.rmtree(other.folder)
    filled(tmp_path / "other", RUNS[0]).put_beside(RUNS[0].key, BESIDE, b"something else")
    refused(archive, other, f"{RUNS[0].key}/{BESIDE}")


def test_a_damaged_run_here_is_replaced(archive: Path, store: RunStore, tmp_path: Path) -> None:
    other = filled(tmp_path / "other", RUNS[0])
    (other.folder / RUNS[0].key / LAST).write_bytes(b"cut")
    (other.folder / KEYS[1]).mkdir(exist_ok=True)
    assert RUNS[0].key in import_runs(other, archive).new
    assert {each: other.get(each) for each in KEYS} == {each: store.get(each) for each in KEYS}


def test_a_full_disk_is_told_before_and_while_it_is_written(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = RunStore(tmp_path / "other")
    free = shutil.disk_usage(tmp_path)._replace(free=4_000)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: free)
        refused(archive, other, "the disk is full: .* are needed")
    resource = pytest.importorskip("resource")  # not on Windows
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_100, before[1]))
        refused(archive, other, "too large; nothing half-written was left")
        new = tmp_path / "new.tar"
        with unchanged(tmp_path), pytest.raises(BenchError, match=r"new\.tar: .*nothing was exp"):
            export_runs(RunStore(tmp_path / "store"), KEYS, new)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_what_is_there_or_damaged_is_not_exported(
    store: RunStore, archive: Path, tmp_path: Path
) -> None:
    with unchanged(tmp_path), pytest.raises(BenchError, match=r"runs\.tar: is there already"):
        export_runs(store, KEYS, archive)
    (store.folder / KEYS[1] / LAST).write_bytes(b"other weights")
    new = tmp_path / "new.tar"
    with unchanged(tmp_path), pytest.raises(BenchError, match=f"{KEYS[1]}: damaged"):
        export_runs(store, KEYS, new)
    (store.folder / KEYS[0] / "entry.json").unlink()
    with unchanged(tmp_path), pytest.raises(BenchError, match=f"{KEYS[0]}: damaged"):
        export_runs(store, KEYS, new)


def test_a_damaged_evaluation_is_left_out_since_it_is_made_again(
    store: RunStore, tmp_path: Path
) -> None:
    (store.folder / KEYS[0] / BESIDE).write_bytes(b"cut")
    export_runs(store, KEYS, tmp_path / "new.tar")
    other = RunStore(tmp_path / "other")
    import_runs(other, tmp_path / "new.tar")
    assert not (other.folder / KEYS[0] / BESIDE).exists()
    assert other.get_beside(KEYS[1], BESIDE) == b"what came out"


def test_memory_does_not_grow_with_the_weights(tmp_path: Path) -> None:
    large = replace(RUNS[0], data="large")
    store = filled(tmp_path / "store", large, **{LAST: bytes(2**25)})
    tracemalloc.start()
    try:
        export_runs(store, [large.key], tmp_path / "large.tar")
        import_runs(RunStore(tmp_path / "other"), tmp_path / "large.tar")
        assert tracemalloc.get_traced_memory()[1] < 2**23
    finally:
        tracemalloc.stop()
