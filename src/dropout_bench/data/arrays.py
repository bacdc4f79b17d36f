"""Datasets on disk: four NumPy arrays and their checksums.

A dataset's folder holds images and labels of both splits as unsigned bytes, uncompressed, and
``SHA256SUMS``, as ``sha256sum`` writes it. The arrays are memory-mapped, so all processes of a
machine share one copy of them.
"""

import functools
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dropout_bench.catalogue.datasets import DATASETS
from dropout_bench.errors import BenchError

Array = NDArray[np.uint8]
SplitName = Literal["train", "test"]

FILES = ("train-images.npy", "train-labels.npy", "test-images.npy", "test-labels.npy")
SUMS = "SHA256SUMS"


def save(folder: Path, splits: Mapping[SplitName, tuple[Array, Array]]) -> None:
    """Write images and labels of both splits, and their checksums, into a folder."""
    for split, (images, labels) in splits.items():
        np.save(folder / f"{split}-images.npy", images)
        np.save(folder / f"{split}-labels.npy", labels)
    write_sums(folder)


def write_sums(folder: Path) -> None:
    """Write ``SHA256SUMS`` over the four arrays of ``folder``."""
    (folder / SUMS).write_text("".join(f"{line}\n" for line in _sums(folder)))


def _sums(folder: Path) -> list[str]:
    lines = []
    for name in FILES:
        with (folder / name).open("rb") as file:
            lines.append(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {name}")
    return lines


def verified_digest(folder: Path) -> str:
    """Check a dataset's folder against its ``SHA256SUMS``; return a digest of the whole dataset.

    The digest is that of the four sums in the order of ``FILES``. A folder that has not changed
    since is not read again by the same process.

    Raises:
        BenchError: the dataset is not there, or a file of it is not as it was downloaded.
    """
    try:
        stats = [(folder / name).stat() for name in (SUMS, *FILES)]
    except OSError as error:
        raise _not_there(error.filename, folder) from error
    return _verified_digest(folder, tuple((stat.st_size, stat.st_mtime_ns) for stat in stats))


@functools.lru_cache
def _verified_digest(folder: Path, unchanged: tuple[tuple[int, int], ...]) -> str:
    remedy = f"remove {folder} and run: dropout-bench download {folder.name}"
    listed = (folder / SUMS).read_text(errors="replace").splitlines()
    if [line.partition("  ")[2] for line in listed] != list(FILES):
        raise BenchError(f"{folder / SUMS}: does not list the four files; {remedy}")
    found = _sums(folder)
    for name, line, right in zip(FILES, listed, found, strict=True):
        if line != right:
            raise BenchError(f"{folder / name}: damaged, its checksum is wrong; {remedy}")
    return hashlib.sha256("\n".join(found).encode()).hexdigest()


def open_split(folder: Path, split: SplitName) -> tuple[Array, Array]:
    """Memory-map the images and labels of a split.

    Args:
        folder: the dataset's folder, which has its name.
        split: ``train`` or ``test``.

    Returns:
        Images, (images, height, width), and labels, (images,).

    Raises:
        BenchError: a file is missing or no array of bytes, images and labels do not fit each
            other, or they are not those of the dataset.
    """
    images, labels = (_open(folder / f"{split}-{part}.npy") for part in ("images", "labels"))
    dataset = DATASETS[folder.name]
    if labels.ndim != 1 or images.shape != (len(labels), *dataset.shape):
        raise BenchError(
            f"{folder}: {split} images of shape {images.shape} do not fit labels of shape "
            f"{labels.shape} and images of {dataset.shape} pixels"
        )
    if len(labels) and labels.max() >= len(dataset.classes):
        raise BenchError(
            f"{folder}: a {split} label is {labels.max()}, "
            f"and there are {len(dataset.classes)} classes"
        )
    return images, labels


def _open(path: Path) -> Array:
    try:
        # Copy-on-write, since torch wants writable memory; nothing is ever written, so all is
        # shared. Unlike np.load this takes nothing else for an array, such as a zip file.
        array = np.lib.format.open_memmap(path, mode="c")
    except FileNotFoundError as error:
        raise _not_there(path, path.parent) from error
    except (OSError, ValueError) as error:
        raise BenchError(f"{path}: cannot be read as a NumPy array ({error})") from error
    if array.dtype != np.uint8:
        raise BenchError(f"{path}: an array of {array.dtype}, not of unsigned bytes")
    return array


def _not_there(path: Path | str, folder: Path) -> BenchError:
    return BenchError(f"{path}: not there; run: dropout-bench download {folder.name}")
