"""Downloads: whole and correct, or an error that says what to do, and nothing left behind."""

import dataclasses
import functools
import gc
import gzip
import hashlib
import http.server
import pkgutil
import re
import shutil
import struct
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import experiment, make_dataset
from pydantic import ValidationError

from dropout_bench.catalogue.datasets import DATASETS
from dropout_bench.data import arrays
from dropout_bench.data import download as module
from dropout_bench.data.download import download
from dropout_bench.errors import BenchError
from dropout_bench.evaluation.metrics import evaluate
from dropout_bench.training.result import LAST
from dropout_bench.training.run import train

PROJECT = Path(__file__).parents[1]
OF_TORCHVISION = [name for name, each in DATASETS.items() if "torchvision" in each.made_by]
NAMES = [
    f"{split}-{of}-ubyte" for split in ("train", "t10k") for of in ("images-idx3", "labels-idx1")
]
UNREACHABLE = "http://127.0.0.1:9/"

# Errors of HTTP hold their sockets, and torchvision holds the errors until memory is collected.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module", autouse=True)
def _sockets_are_closed_here() -> Iterator[None]:
    yield
    gc.collect()


def quiet(_: str) -> None:
    pass


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def idx_gz(array: arrays.Array) -> bytes:
    """Pack an array as the originals are: magic number, big-endian shape, data; then gzip."""
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return gzip.compress(header + array.tobytes(), mtime=0)


def small(name: str, archives: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, arrays.Array]:
    """Write small archives of a dataset, and have class and entry describe them."""
    entry = DATASETS[name]
    made_by = pkgutil.resolve_name(entry.made_by)
    folder = archives / made_by.__name__
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    content: dict[str, arrays.Array] = {}
    for split, count in (("train", 10), ("test", 3)):
        labels = np.tile(np.array(entry.labels, np.uint8), count)
        images = random.integers(0, 128, (len(labels), *entry.shape), dtype=np.uint8)
        images[np.arange(len(labels)), labels] = 200
        content |= {f"{split}-images.npy": images, f"{split}-labels.npy": labels}
    packed = dict(zip(NAMES, map(idx_gz, content.values()), strict=True))
    if hasattr(made_by, "url"):  # one file for all of it
        path = folder / Path(made_by.url).name
        with zipfile.ZipFile(path, "w") as file:
            for inside, each in packed.items():
                inside = inside.replace("t10k", "test")
                file.writestr(f"gzip/emnist-{entry.arguments['split']}-{inside}.gz", each)
        monkeypatch.setattr(made_by, "md5", md5(path.read_bytes()))
        monkeypatch.setattr(made_by, "url", f"{UNREACHABLE}{path.name}")
    else:
        for inside, each in packed.items():
            (folder / f"{inside}.gz").write_bytes(each)
        sums = [(f"{inside}.gz", md5(each)) for inside, each in packed.items()]
        monkeypatch.setattr(made_by, "resources", sums)
        monkeypatch.setattr(made_by, "mirrors", [UNREACHABLE])
    counts = tuple(10 * (label in entry.labels) for label in range(len(entry.classes)))
    monkeypatch.setitem(DATASETS, name, dataclasses.replace(entry, train_per_class=counts))
    monkeypatch.setenv("DROPOUT_BENCH_ARCHIVES", str(archives))
    return content


@pytest.fixture
def archives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the archives of a small "MNIST", whose mirrors cannot be reached."""
    small("mnist", tmp_path / "archives", monkeypatch)
    return tmp_path / "archives" / "MNIST"


def left_in(folder: Path) -> list[str]:
    """Names of what is in a folder; the lock of a download is empty and stays."""
    names = [path.name for path in folder.rglob("*")] if folder.exists() else []
    return sorted(name for name in names if not name.endswith(".lock"))


@pytest.mark.parametrize("name", OF_TORCHVISION)
def test_an_entry_is_all_that_a_dataset_needs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From archives to a trained and evaluated network, without a network."""
    content = small(name, tmp_path / "archives", monkeypatch)
    said: list[str] = []
    folder = download(name, tmp_path / "raw", said.append)
    assert left_in(folder) == sorted([*arrays.FILES, arrays.SUMS])
    for split in ("train", "test"):
        images, labels = arrays.open_split(folder, split)
        assert np.array_equal(images, content[f"{split}-images.npy"])
        assert np.array_equal(labels, content[f"{split}-labels.npy"])
    assert said == [f"{DATASETS[name].title}: in {folder}"]
    settings = experiment(
        dataset=name, classes="all", train_size="all", dropout=[0.5], seeds=[0], hidden=[32, 32],
        epochs=20,
    )  # fmt: skip
    (run,) = settings.runs()
    assert run.classes == DATASETS[name].labels
    trained = train(run, tmp_path / "raw").files[LAST]
    figures = evaluate(run, tmp_path / "raw", trained, {}).final
    assert figures["test/accuracy"] > 3 / len(run.classes)


def test_labels_without_images_are_no_classes() -> None:
    settings = experiment(dataset="emnist-letters", classes="all", train_size="all")
    assert settings.resolved_classes == tuple(range(1, 27))
    assert settings.resolved_train_sizes == (26 * 4800,)
    with pytest.raises(ValidationError, match="no class 0; possible: 1 a, 2 b"):
        experiment(dataset="emnist-letters", classes=[0, 1])


def test_a_second_download_does_nothing(archives: Path, tmp_path: Path) -> None:
    folder = download("mnist", tmp_path / "raw", quiet)
    times = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    shutil.rmtree(archives)
    said: list[str] = []
    download("mnist", tmp_path / "raw", said.append)
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == times
    assert said == [f"MNIST: already in {folder}, checksums agree"]


def test_a_damaged_dataset_is_made_again(archives: Path, tmp_path: Path) -> None:
    folder = download("mnist", tmp_path / "raw", quiet)
    digest = arrays.verified_digest(folder)
    (folder / arrays.FILES[0]).write_bytes(b"")
    download("mnist", tmp_path / "raw", quiet)
    assert arrays.verified_digest(folder) == digest


FAULTS: dict[str, Callable[[bytes], bytes]] = {
    "half": lambda content: content[: len(content) // 2],
    "cut short": lambda content: content[:-1],
    "a flipped bit": lambda content: content[:20] + bytes([content[20] ^ 1]) + content[21:],
    "empty": lambda content: b"",
    "no gzip": lambda content: b"<html>503</html>",
}


@pytest.mark.parametrize("how", FAULTS)
def test_a_damaged_archive_is_one_error_with_the_remedy(
    how: str, archives: Path, tmp_path: Path
) -> None:
    bad = archives / f"{NAMES[-1]}.gz"
    damaged = FAULTS[how](bad.read_bytes())
    bad.write_bytes(damaged)
    with pytest.raises(BenchError) as failure:
        download("mnist", tmp_path / "raw", quiet)
    assert str(failure.value).startswith(f"{bad}: damaged, its MD5 sum is not")
    assert f"git checkout -- {bad}" in str(failure.value)
    assert left_in(tmp_path / "raw") == []
    assert bad.read_bytes() == damaged


@pytest.mark.parametrize("name", OF_TORCHVISION)
def test_without_archive_and_mirror_one_error_tells_and_nothing_stays(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    small(name, tmp_path / "archives", monkeypatch)
    gone, *_ = sorted((tmp_path / "archives").glob("*/*"))
    gone.unlink()
    with pytest.raises(BenchError) as failure:
        download(name, tmp_path / "raw", quiet)
    text = str(failure.value)
    assert text.startswith(f"{DATASETS[name].title}: {gone.name}: no archive here")
    assert "Connection refused" in text
    assert text.endswith(f"Remedy: put it into {gone.parent}, then repeat the command.")
    assert left_in(tmp_path / "raw") == []
    assert capfd.readouterr() == ("", "")


def test_archives_beside_the_data_come_before_those_of_the_package(
    archives: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DROPOUT_BENCH_ARCHIVES")
    arrays.verified_digest(download("mnist", tmp_path / "raw", quiet))
    # Elsewhere the real ones are found, in the package's own clone; they are not the small ones.
    real = PROJECT / "data" / "archives" / "MNIST" / f"{NAMES[0]}.gz"
    with pytest.raises(BenchError, match=re.escape(f"{real}: damaged")):
        download("mnist", tmp_path / "elsewhere" / "raw", quiet)
    monkeypatch.setenv("DROPOUT_BENCH_ARCHIVES", str(archives.parent))
    arrays.verified_digest(download("mnist", tmp_path / "elsewhere" / "raw", quiet))


def test_an_entry_that_does_not_fit_is_told(
    archives: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = dataclasses.replace(DATASETS["mnist"], train_per_class=(10,) * 9 + (11,))
    monkeypatch.setitem(DATASETS, "mnist", wrong)
    with pytest.raises(BenchError, match=r"its entry says .*11"):
        download("mnist", tmp_path / "raw", quiet)
    assert left_in(tmp_path / "raw") == []


def test_a_folder_that_cannot_be_written_is_one_clear_error(archives: Path, tmp_path: Path) -> None:
    (tmp_path / "raw").write_text("a file where the folder should be")
    with pytest.raises(BenchError, match="raw"):
        download("mnist", tmp_path / "raw", quiet)


@pytest.mark.parametrize("place", ["write_sums", "save"])
def test_an_interrupted_download_leaves_nothing(
    place: str, archives: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(arrays, place, interrupted)
    with pytest.raises(KeyboardInterrupt):
        download("mnist", tmp_path / "raw", quiet)
    assert left_in(tmp_path / "raw") == []


class Server(http.server.BaseHTTPRequestHandler):
    """Answers as the first part of the path says; the rest names a file of the mirror."""

    def __init__(self, *args: Any, folder: Path) -> None:
        self.folder = folder
        super().__init__(*args)

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
def address(archives: Path) -> Iterator[str]:
    """Where a mirror is; the archives are there, and no longer here."""
    served = archives.rename(archives.parent.with_name("mirror"))
    handler = functools.partial(Server, folder=served)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_missing_archive_is_fetched_from_the_first_mirror_that_has_it(
    address: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    mirrors = [UNREACHABLE, f"{address}/404/", f"{address}/half/", f"{address}/good/"]
    monkeypatch.setattr("torchvision.datasets.MNIST.mirrors", mirrors)
    said: list[str] = []
    folder = download("mnist", tmp_path / "raw", said.append)
    arrays.verified_digest(folder)
    assert (
        said[0]
        == f"MNIST: {', '.join(f'{n}.gz' for n in NAMES)}: no archive here, mirrors are asked"
    )
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("404", "404"),
        ("403", "403"),
        ("503", "503"),
        ("html", "corrupted"),
        ("half", "corrupted"),
        ("loop", "redirect"),
        ("hang", "timed out"),
    ],
)
def test_what_a_mirror_may_do_is_told_with_the_remedy(
    behaviour: str, reason: str, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.5)
    monkeypatch.setattr("torchvision.datasets.MNIST.mirrors", [f"{address}/{behaviour}/"])
    with pytest.raises(BenchError, match=rf"(?s){NAMES[0]}.gz.*{reason}.*Remedy: put it into"):
        download("mnist", tmp_path / "raw", quiet)
    assert left_in(tmp_path / "raw") == []


def test_digits_come_with_scikit_learn(tmp_path: Path) -> None:
    entry = DATASETS["digits"]
    folder = download("digits", tmp_path, quiet)
    images, labels = arrays.open_split(folder, "train")
    assert images.shape == (sum(entry.train_per_class), 8, 8)
    assert images.max() == entry.white
    assert tuple(np.bincount(labels)) == entry.train_per_class
    assert len(images) + len(arrays.open_split(folder, "test")[1]) == 1797


@pytest.mark.parametrize("name", OF_TORCHVISION)
def test_the_catalogue_agrees_with_torchvision(name: str) -> None:
    entry = DATASETS[name]
    made_by = pkgutil.resolve_name(entry.made_by)
    theirs = made_by.classes
    if "split" in entry.arguments:
        theirs = made_by.classes_split_dict[entry.arguments["split"]]
    assert list(entry.classes) == [re.sub(r"^(\d) - \w+$", r"\1", each) for each in theirs]
    assert len(entry.train_per_class) == len(theirs)


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_the_archives_that_come_with_the_clone_are_those_that_were_published(name: str) -> None:
    made_by = pkgutil.resolve_name(DATASETS[name].made_by)
    told = (PROJECT / "data" / "README.md").read_text()
    for file, published in made_by.resources:
        path = PROJECT / "data" / "archives" / made_by.__name__ / file
        assert md5(path.read_bytes()) == published
        assert published in told


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_a_fresh_clone_has_the_data(name: str, tmp_path: Path) -> None:
    folder = download(name, tmp_path / "raw", quiet)
    images, labels = arrays.open_split(folder, "train")
    assert images.shape == (60_000, 28, 28)
    assert tuple(np.bincount(labels)) == DATASETS[name].train_per_class
    assert arrays.open_split(folder, "test")[0].shape == (10_000, 28, 28)


def test_the_digest_is_that_of_the_content(tmp_path: Path) -> None:
    one, other = make_dataset(tmp_path / "a" / "mnist"), make_dataset(tmp_path / "b" / "mnist")
    digest = arrays.verified_digest(one)
    assert digest == arrays.verified_digest(other)
    labels = np.load(other / "test-labels.npy")
    np.save(other / "test-labels.npy", labels[::-1])
    arrays.write_sums(other)
    assert digest != arrays.verified_digest(other)
