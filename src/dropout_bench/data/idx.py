"""Datasets on disk: IDX files, the format of the original MNIST, and their checksums.

A dataset's folder holds four uncompressed IDX files and ``SHA256SUMS``, as ``sha256sum`` writes
it. The images are memory-mapped, so all processes of a machine share one copy of them.
"""

import functools
import hashlib
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dropout_bench.errors import BenchError

FILES = {
    ("train", "images"): "train-images-idx3-ubyte",
    ("train", "labels"): "train-labels-idx1-ubyte",
    ("test", "images"): "t10k-images-idx3-ubyte",
    ("test", "labels"): "t10k-labels-idx1-ubyte",
}
SUMS = "SHA256SUMS"


def write_idx(path: Path, array: NDArray[np.uint8]) -> None:
    """Write an array of unsigned bytes as an IDX file: magic number, big-endian shape, data."""
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    path.write_bytes(header + array.tobytes())


def map_idx(path: Path) -> NDArray[np.uint8]:
    """Memory-map an IDX file of unsigned bytes.

    Raises:
        BenchError: the file is missing, of another format, or shorter or longer than it says.
    """
    try:
        with path.open("rb") as file:
            zeros, kind, dimensions = struct.unpack(">HBB", file.read(4))
            shape = struct.unpack(f">{dimensions}I", file.read(4 * dimensions))
    except (OSError, struct.error) as error:
        raise BenchError(f"{path}: cannot be read as an IDX file ({error})") from error
    offset = 4 + 4 * dimensions
    expected = offset + int(np.prod(shape, dtype=np.int64))
    if (zeros, kind) != (0, 8) or path.stat().st_size != expected:
        raise BenchError(f"{path}: not an IDX file of {expected} bytes")
    # Copy-on-write, since torch wants writable memory; nothing is ever written, so all is shared.
    return np.memmap(path, dtype=np.uint8, mode="c", offset=offset, shape=shape)


def sha256(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_sums(folder: Path) -> None:
    """Write ``SHA256SUMS`` over the four IDX files of ``folder``."""
    lines = [f"{sha256(folder / name)}  {name}\n" for name in sorted(FILES.values())]
    (folder / SUMS).write_text("".join(lines))


def verified_digest(folder: Path) -> str:
    """Check a dataset's folder against its ``SHA256SUMS``; return a digest of the whole dataset.

    A folder that has not changed since is not read again by the same process.

    Raises:
        BenchError: the dataset is not there, or a file of it is not as it was downloaded.
    """
    try:
        stats = [(folder / name).stat() for name in (SUMS, *FILES.values())]
    except OSError as error:
        raise BenchError(
            f"{error.filename}: not there; run: dropout-bench download {folder.name}"
        ) from error
    return _verified_digest(folder, tuple((stat.st_size, stat.st_mtime_ns) for stat in stats))


@functools.lru_cache
def _verified_digest(folder: Path, unchanged: tuple[tuple[int, int], ...]) -> str:
    remedy = f"remove {folder} and run: dropout-bench download {folder.name}"
    sums = (folder / SUMS).read_text()
    lines = [line.split() for line in sums.splitlines()]
    if sorted(line[-1] for line in lines) != sorted(FILES.values()):
        raise BenchError(f"{folder / SUMS}: does not list the four files; {remedy}")
    for digest, name in lines:
        if sha256(folder / name) != digest:
            raise BenchError(f"{folder / name}: damaged, its checksum is wrong; {remedy}")
    return hashlib.sha256(sums.encode()).hexdigest()
