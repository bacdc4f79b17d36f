"""Datasets: from the original archives, by torchvision's classes, to arrays that can be mapped.

A dataset is put together in a temporary folder beside its place and moved there whole, so an
interrupted download never passes for a finished one.
"""

import contextlib
import io
import os
import pkgutil
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from dropout_bench.catalogue.datasets import DATASETS, Dataset
from dropout_bench.data import arrays
from dropout_bench.errors import BenchError
from dropout_bench.files import whole_folder

ARCHIVES_VARIABLE = "DROPOUT_BENCH_ARCHIVES"
DATA_VARIABLE = "DROPOUT_BENCH_DATA"
_PATIENCE = 20  # seconds of silence after which a mirror is given up


def download(name: str, raw: Path, say: Callable[[str], None] = print) -> Path:
    """Put a dataset into ``raw/<name>``, unless it is there, whole, already.

    Its archives are those in ``$DROPOUT_BENCH_ARCHIVES`` if that is set, else in ``archives``
    beside ``raw``, else in this package's own clone. One that is nowhere there is fetched from
    torchvision's mirrors.

    Args:
        name: the dataset's name in the catalogue.
        raw: the folder of all datasets.
        say: is told what is going on, a line at a time.

    Returns:
        The dataset's folder.

    Raises:
        BenchError: an archive is damaged or cannot be had, or the folder cannot be written;
            nothing is left behind.
    """
    dataset = DATASETS[name]
    folder = raw / name
    try:
        raw.mkdir(parents=True, exist_ok=True)
        # Two processes that want the same dataset do not disturb each other: one makes it.
        with FileLock(raw / f".{name}.lock"):
            try:
                arrays.verified_digest(folder)
                say(f"{dataset.title}: already in {folder}, checksums agree")
                return folder
            except BenchError:
                pass  # missing or damaged: made anew
            with whole_folder(folder) as unfinished:
                root = unfinished / "torchvision"
                arrays.save(unfinished, _unpacked(dataset, raw, root, say))
                shutil.rmtree(root, ignore_errors=True)
    except OSError as error:
        raise BenchError(f"{folder}: cannot be made ({error})") from error
    say(f"{dataset.title}: in {folder}")
    return folder


def _unpacked(
    dataset: Dataset, raw: Path, root: Path, say: Callable[[str], None]
) -> dict[arrays.SplitName, tuple[arrays.Array, arrays.Array]]:
    """Return images and labels of both splits; ``root`` is torchvision's to unpack into."""
    made_by = pkgutil.resolve_name(dataset.made_by)
    missing = []
    if hasattr(made_by, "resources"):  # else it unpacks nothing
        missing = _lay_out(made_by, raw, root / made_by.__name__ / "raw")
    if missing:
        say(f"{dataset.title}: {', '.join(missing)}: no archive here, mirrors are asked")
    try:
        with _fetching() if missing else contextlib.nullcontext():
            train, test = (
                made_by(root, train=train, download=True, **dataset.arguments)
                for train in (True, False)
            )
    except (RuntimeError, OSError, HTTPException) as error:
        if not missing:
            raise
        raise BenchError(
            f"{dataset.title}: {', '.join(missing)}: no archive here, and no mirror gives it\n"
            f"{str(error).strip() or type(error).__name__}\n"
            f"Remedy: put it into {_archives(raw)[0] / made_by.__name__}, then repeat the command."
        ) from error
    splits: dict[arrays.SplitName, tuple[arrays.Array, arrays.Array]] = {
        "train": _bytes(train),
        "test": _bytes(test),
    }
    images, labels = splits["train"]
    found = tuple(np.bincount(labels, minlength=len(dataset.classes)).tolist())
    if (found, images.shape[1:]) != (dataset.train_per_class, dataset.shape):
        raise BenchError(
            f"{dataset.title}: {found} training images by class, of {images.shape[1:]} pixels; "
            f"its entry says {dataset.train_per_class}, of {dataset.shape}"
        )
    return splits


def _archives(raw: Path) -> list[Path]:
    """List the folders that have archives in folders with the names of torchvision's classes."""
    if named := os.environ.get(ARCHIVES_VARIABLE):
        return [Path(named)]
    return [raw.parent / "archives", Path(__file__).parents[3] / "data" / "archives"]


def _lay_out(made_by: Any, raw: Path, place: Path) -> list[str]:
    """Link a dataset's archives to where its class looks for them; return the missing ones.

    Raises:
        BenchError: one is not what was published. Torchvision would write over it.
    """
    from torchvision.datasets.utils import check_integrity

    one_file = getattr(made_by, "url", None)  # as EMNIST; then `resources` is but inherited
    wanted = [(Path(one_file).name, made_by.md5)] if one_file else made_by.resources
    place.mkdir(parents=True)
    missing = []
    for name, md5 in wanted:
        places = [folder / made_by.__name__ / name for folder in _archives(raw)]
        found = next((path for path in places if path.exists()), None)
        if found is None:
            missing.append(name)
        elif check_integrity(found, md5):
            (place / name).symlink_to(found.resolve())
        else:
            raise BenchError(
                f"{found}: damaged, its MD5 sum is not {md5}, the published one; restore it "
                f"(git checkout -- {found}), or remove it to have it fetched"
            )
    return missing


@contextlib.contextmanager
def _fetching() -> Iterator[None]:
    """Give up on a silent mirror, and keep torchvision's progress bars to ourselves."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_PATIENCE)
    try:
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        socket.setdefaulttimeout(before)


def _bytes(made: Any) -> tuple[arrays.Array, arrays.Array]:
    return np.asarray(made.data, dtype=np.uint8), np.asarray(made.targets, dtype=np.uint8)


@dataclass(frozen=True)
class Source:
    """A dataset as a worker finds it, which may be on another machine than its caller.

    Attributes:
        name: the dataset's name in the catalogue.
        raw: the caller's folder of all datasets.
        digest: digest of the caller's dataset.
    """

    name: str
    raw: Path
    digest: str

    @classmethod
    def of(cls, name: str, root: Path) -> "Source":
        """Return the dataset of the project in ``root``, checked.

        Raises:
            BenchError: it is missing or damaged.
        """
        raw = (root / "data" / "raw").resolve()
        return cls(name, raw, arrays.verified_digest(raw / name))

    def at_hand(self) -> Path:
        """Return a folder of datasets on this machine with this one in it.

        That is the caller's own where this machine sees it; else the dataset is made, once a
        machine, in ``$DROPOUT_BENCH_DATA``, or in ``~/.cache/dropout-bench``.

        Raises:
            BenchError: it cannot be had, or is another one than the caller's.
        """
        raw = self.raw
        if not (raw / self.name).is_dir():
            raw = Path(os.environ.get(DATA_VARIABLE) or Path.home() / ".cache" / "dropout-bench")
            download(self.name, raw, say=lambda _: None)
        if arrays.verified_digest(raw / self.name) != self.digest:
            raise BenchError(f"{raw / self.name}: not the dataset that the caller has")
        return raw
