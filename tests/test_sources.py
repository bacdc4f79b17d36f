"""Downloads: whole and correct, or an error that says what to do, and nothing left behind."""

import dataclasses
import functools
import gzip
import hashlib
import http.server
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import make_dataset

from dropout_bench.catalogue.datasets import DATASETS
from dropout_bench.data import idx, sources
from dropout_bench.errors import BenchError
from dropout_bench.params.file import Download, load_params

NAMES = sorted(idx.FILES.values())
quiet: Callable[[str], None] = lambda _: None  # noqa: E731


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A local mirror of a small "MNIST" whose published sums are those of its files."""
    plain = make_dataset(tmp_path / "plain")
    folder = tmp_path / "mirror" / "MNIST"
    folder.mkdir(parents=True)
    md5 = {}
    for name in NAMES:
        packed = gzip.compress((plain / name).read_bytes(), mtime=0)
        (folder / f"{name}.gz").write_bytes(packed)
        md5[name] = hashlib.md5(packed, usedforsecurity=False).hexdigest()
    monkeypatch.setitem(DATASETS, "mnist", dataclasses.replace(DATASETS["mnist"], md5=md5))
    return folder


def settings(*mirrors: Path | str, timeout: float = 1.0) -> Download:
    return Download(
        local="nowhere", timeout=timeout, mirrors={"mnist": tuple(str(m) for m in mirrors)}
    )


def left_in(folder: Path) -> list[str]:
    """Names of what is in a folder; the lock of a download is empty and stays."""
    names = [path.name for path in folder.rglob("*")] if folder.exists() else []
    return sorted(name for name in names if not name.endswith(".lock"))


def test_a_download_is_whole_and_a_second_one_does_nothing(mirror: Path, tmp_path: Path) -> None:
    said: list[str] = []
    folder = sources.download("mnist", tmp_path / "raw", settings(mirror), said.append)
    assert left_in(folder) == sorted([*NAMES, *(f"{name}.gz" for name in NAMES), idx.SUMS])
    idx.verified_digest(folder)
    for name in NAMES:
        assert (folder / f"{name}.gz").read_bytes() == (mirror / f"{name}.gz").read_bytes()
        assert (folder / name).read_bytes() == gzip.decompress((mirror / f"{name}.gz").read_bytes())
    times = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    sources.download("mnist", tmp_path / "raw", settings("/gone"), said.append)
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == times
    assert "already" in said[-1]


def test_a_damaged_dataset_is_downloaded_again(mirror: Path, tmp_path: Path) -> None:
    folder = sources.download("mnist", tmp_path / "raw", settings(mirror), quiet)
    (folder / NAMES[0]).write_bytes(b"")
    sources.download("mnist", tmp_path / "raw", settings(mirror), quiet)
    idx.verified_digest(folder)


FAULTS: dict[str, Callable[[bytes], bytes]] = {
    "cut short": lambda content: content[:-100],
    "a flipped bit": lambda content: content[:20] + bytes([content[20] ^ 1]) + content[21:],
    "empty": lambda content: b"",
    "no gzip": lambda content: b"<html>503</html>",
}


@pytest.mark.parametrize("how", FAULTS)
def test_a_faulty_mirror_is_passed_over(how: str, mirror: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad"
    bad.mkdir()
    for name in NAMES:
        (bad / f"{name}.gz").write_bytes(FAULTS[how]((mirror / f"{name}.gz").read_bytes()))
    said: list[str] = []
    folder = sources.download("mnist", tmp_path / "raw", settings(bad, mirror), said.append)
    idx.verified_digest(folder)
    assert sum("failed" in line for line in said) == len(NAMES)


@pytest.mark.parametrize("how", FAULTS)
def test_when_all_mirrors_fail_one_error_tells_and_nothing_stays(
    how: str, mirror: Path, tmp_path: Path
) -> None:
    bad = mirror / f"{NAMES[-1]}.gz"
    bad.write_bytes(FAULTS[how](bad.read_bytes()))
    with pytest.raises(sources.MirrorsFailed) as failure:
        sources.download("mnist", tmp_path / "raw", settings(mirror, "/gone"), quiet)
    text = str(failure.value)
    assert f"{NAMES[-1]}.gz" in text
    assert re.search(f"{mirror}: wrong content", text)
    assert re.search("/gone: .*No such file", text)
    assert "Remedy: set DROPOUT_BENCH_MIRROR" in text
    assert left_in(tmp_path / "raw") == []


def test_right_sum_but_no_gzip(
    mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    junk = b"not a gzip file"
    md5 = dict.fromkeys(NAMES, hashlib.md5(junk, usedforsecurity=False).hexdigest())
    monkeypatch.setitem(DATASETS, "mnist", dataclasses.replace(DATASETS["mnist"], md5=md5))
    for name in NAMES:
        (mirror / f"{name}.gz").write_bytes(junk)
    with pytest.raises(sources.MirrorsFailed, match="gzip"):
        sources.download("mnist", tmp_path / "raw", settings(mirror), quiet)


def test_the_local_mirror_comes_first(
    mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream = ("http://upstream/",)
    dataset = DATASETS["mnist"]
    chosen = Download(local=str(mirror.parent), mirrors={"mnist": upstream})
    assert sources.mirrors(dataset, chosen) == [str(mirror), *upstream]
    absent = Download(local=str(tmp_path / "absent"), mirrors={"mnist": upstream})
    assert sources.mirrors(dataset, absent) == [*upstream]
    monkeypatch.setenv("DROPOUT_BENCH_MIRROR", "/named/")
    assert sources.mirrors(dataset, chosen) == ["/named/MNIST", *upstream]


def test_a_folder_that_cannot_be_written_is_one_clear_error(mirror: Path, tmp_path: Path) -> None:
    (tmp_path / "raw").write_text("a file where the folder should be")
    with pytest.raises(BenchError, match="raw"):
        sources.download("mnist", tmp_path / "raw", settings(mirror), quiet)


def test_an_interrupted_download_leaves_nothing(
    mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(folder: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(idx, "write_sums", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sources.download("mnist", tmp_path / "raw", settings(mirror), quiet)
    assert left_in(tmp_path / "raw") == []


class Server(http.server.BaseHTTPRequestHandler):
    """Answers as the first part of the path says; the rest names a file of the mirror."""

    def __init__(self, *args: object, folder: Path) -> None:
        self.folder = folder
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        _, behaviour, name = self.path.split("/")
        content = (self.folder / name).read_bytes()
        if behaviour.isdigit():
            self.send_error(int(behaviour))
        elif behaviour == "loop":
            self.send_response(302)
            self.send_header("Location", self.path)
            self.end_headers()
        elif behaviour == "hang":
            time.sleep(1.5)
        else:
            body = b"<html>hello</html>" if behaviour == "html" else content
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if behaviour == "half" else body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def address(mirror: Path) -> Iterator[str]:
    handler = functools.partial(Server, folder=mirror)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_download_over_http(address: str, tmp_path: Path) -> None:
    folder = sources.download("mnist", tmp_path / "raw", settings(f"{address}/good/"), quiet)
    idx.verified_digest(folder)


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("404", "404"),
        ("403", "403"),
        ("503", "503"),
        ("html", "wrong content"),
        ("half", "more expected|wrong content|IncompleteRead"),
        ("loop", "redirect"),
        ("hang", "timed out"),
    ],
)
def test_what_a_mirror_on_the_web_may_do(
    behaviour: str, reason: str, address: str, mirror: Path, tmp_path: Path
) -> None:
    chosen = settings(f"{address}/{behaviour}", mirror, timeout=0.5)
    said: list[str] = []
    dataset = DATASETS["mnist"]
    packed, _ = sources.fetch(dataset, NAMES[0], chosen, said.append)
    assert packed == (mirror / f"{NAMES[0]}.gz").read_bytes()
    assert len(said) == 1
    assert re.search(reason, said[0]), said[0]


def test_only_web_addresses_are_asked(mirror: Path, tmp_path: Path) -> None:
    with pytest.raises(sources.MirrorsFailed, match="only http"):
        sources.download("mnist", tmp_path / "raw", settings(f"file://{mirror}"), quiet)


def test_digits_need_no_mirror(tmp_path: Path) -> None:
    folder = sources.download("digits", tmp_path, settings(), quiet)
    images = idx.map_idx(folder / idx.FILES["train", "images"])
    assert images.shape == (sum(DATASETS["digits"].train_per_class), 8, 8)
    assert images.max() == DATASETS["digits"].white
    assert len(images) + len(idx.map_idx(folder / idx.FILES["test", "labels"])) == 1797


def test_the_catalogue_agrees_with_torchvision_and_the_digits(tmp_path: Path) -> None:
    import numpy as np
    from torchvision.datasets import MNIST, FashionMNIST

    params = load_params(Path(__file__).parents[1] / "params.yaml")
    for name, theirs in (("mnist", MNIST), ("fashion-mnist", FashionMNIST)):
        assert {f"{k}.gz": v for k, v in DATASETS[name].md5.items()} == dict(theirs.resources)
        assert list(params.download.mirrors[name]) == theirs.mirrors
        names = [each.partition(" - ")[0] for each in theirs.classes]
        assert len(DATASETS[name].classes) == len(names) == len(DATASETS[name].train_per_class)
    assert list(DATASETS["fashion-mnist"].classes) == FashionMNIST.classes
    folder = sources.download("digits", tmp_path, settings(), quiet)
    labels = idx.map_idx(folder / idx.FILES["train", "labels"])
    assert tuple(np.bincount(labels)) == DATASETS["digits"].train_per_class
