"""Where datasets come from: mirrors of the original files, or scikit-learn for the digits.

A dataset is put together in a temporary folder beside its place and moved there whole, so an
interrupted download never passes for a finished one.
"""

import gzip
import hashlib
import os
import time
import urllib.request
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

import numpy as np
from filelock import FileLock

from dropout_bench.catalogue.datasets import DATASETS, Dataset
from dropout_bench.data import idx
from dropout_bench.errors import BenchError
from dropout_bench.files import whole_folder
from dropout_bench.params.file import Download

MIRROR_VARIABLE = "DROPOUT_BENCH_MIRROR"
DATA_VARIABLE = "DROPOUT_BENCH_DATA"
_LARGEST_FILE = 64 * 2**20  # bytes; the largest original has 26 MB


class MirrorsFailed(BenchError):
    """No mirror gave a whole, correct copy of a file."""


def mirrors(dataset: Dataset, settings: Download) -> list[str]:
    """List the places to ask for a dataset, best first.

    The local mirror (``$DROPOUT_BENCH_MIRROR``, a folder or an address, else ``download.local``
    where that folder exists) comes first, then the addresses of ``download.mirrors``.
    """
    upstream = list(settings.mirrors.get(dataset.name, ()))
    if named := os.environ.get(MIRROR_VARIABLE):
        return [f"{named.rstrip('/')}/{dataset.folder}", *upstream]
    local = Path(settings.local) / dataset.folder
    return [str(local), *upstream] if local.is_dir() else upstream


def _read(mirror: str, name: str, timeout: float) -> bytes:
    if "://" not in mirror:
        return (Path(mirror) / name).read_bytes()
    address = f"{mirror.rstrip('/')}/{name}"
    if not address.startswith(("http://", "https://")):
        raise OSError("only http and https addresses are asked")
    deadline = time.monotonic() + 10 * timeout
    with urllib.request.urlopen(address, timeout=timeout) as response:  # noqa: S310 (checked)
        content = bytearray()
        while block := response.read1(2**20):
            content += block
            if len(content) > _LARGEST_FILE:
                raise OSError(f"sends more than {_LARGEST_FILE} bytes")
            if time.monotonic() > deadline:
                raise TimeoutError(f"not done after {10 * timeout:.0f} s")
    return bytes(content)


def fetch(
    dataset: Dataset, name: str, settings: Download, say: Callable[[str], None]
) -> tuple[bytes, bytes]:
    """Fetch one original file from the first mirror that has a correct copy.

    Args:
        dataset: the dataset it belongs to.
        name: its name, without ``.gz``.
        settings: the ``download`` section of ``params.yaml``.
        say: is told of each mirror that failed and why.

    Returns:
        The file as it came (gzip), and unpacked.

    Raises:
        MirrorsFailed: names the file, each mirror with its reason, and the remedy.
    """
    reasons = []
    for mirror in mirrors(dataset, settings):
        try:
            packed = _read(mirror, f"{name}.gz", settings.timeout)
            md5 = hashlib.md5(packed, usedforsecurity=False).hexdigest()
            if md5 != dataset.md5[name]:
                size = f"{len(packed)} bytes"
                raise OSError(f"wrong content: {size}, MD5 {md5}, expected {dataset.md5[name]}")
            return packed, gzip.decompress(packed)
        except (OSError, EOFError, ValueError, HTTPException, zlib.error) as error:
            reason = str(error) or type(error).__name__
            reasons.append(f"  {mirror}: {reason}")
            say(f"{name}.gz: {mirror} failed ({reason})")
    listed = "\n".join(reasons) or "  (none is configured)"
    raise MirrorsFailed(
        f"{dataset.title}: no mirror has a correct {name}.gz\n{listed}\n"
        f"Remedy: set {MIRROR_VARIABLE} to a folder or an address that holds "
        f"{dataset.folder}/{name}.gz, then repeat the command."
    )


def reachable(dataset: Dataset, settings: Download) -> None:
    """Check that some mirror gives the smallest file of a dataset.

    Raises:
        MirrorsFailed: none does.
    """
    if dataset.md5:
        fetch(dataset, "t10k-labels-idx1-ubyte", settings, say=lambda _: None)


def download(name: str, raw: Path, settings: Download, say: Callable[[str], None] = print) -> Path:
    """Put a dataset into ``raw/<name>``, unless it is there, whole, already.

    The folder holds the original gzip files where there are any, the same unpacked (so that they
    can be memory-mapped), and ``SHA256SUMS`` over the unpacked ones.

    Args:
        name: the dataset's name in the catalogue.
        raw: the folder of all datasets.
        settings: the ``download`` section of ``params.yaml``.
        say: is told what is going on, a line at a time.

    Returns:
        The dataset's folder.

    Raises:
        MirrorsFailed: a file cannot be had; nothing is left behind.
        BenchError: the folder cannot be written.
    """
    dataset = DATASETS[name]
    folder = raw / name
    try:
        raw.mkdir(parents=True, exist_ok=True)
        # Two processes that want the same dataset do not disturb each other: one gets it.
        with FileLock(raw / f".{name}.lock"):
            try:
                idx.verified_digest(folder)
                say(f"{dataset.title}: already in {folder}, checksums agree")
                return folder
            except BenchError:
                pass  # missing or damaged: made anew
            with whole_folder(folder) as unfinished:
                for file in dataset.md5:
                    packed, unpacked = fetch(dataset, file, settings, say)
                    (unfinished / f"{file}.gz").write_bytes(packed)
                    (unfinished / file).write_bytes(unpacked)
                    say(f"{dataset.title}: {file}.gz, {len(packed):,} bytes, MD5 agrees")
                if not dataset.md5:
                    _write_digits(unfinished)
                idx.write_sums(unfinished)
    except OSError as error:
        raise BenchError(f"{folder}: cannot be written ({error})") from error
    say(f"{dataset.title}: in {folder}")
    return folder


@dataclass(frozen=True)
class Source:
    """A dataset as a worker finds it, which may be on another machine than its caller.

    Attributes:
        name: the dataset's name in the catalogue.
        raw: the caller's folder of all datasets.
        digest: digest of the caller's dataset.
        settings: where to get it, if that folder is not on the worker's machine.
    """

    name: str
    raw: Path
    digest: str
    settings: Download

    @classmethod
    def of(cls, name: str, root: Path, settings: Download) -> "Source":
        """Return the dataset of the project in ``root``, checked.

        Raises:
            BenchError: it is missing or damaged.
        """
        raw = (root / "data" / "raw").resolve()
        local = str((root / settings.local).resolve())
        return cls(
            name,
            raw,
            idx.verified_digest(raw / name),
            settings.model_copy(update={"local": local}),
        )

    def at_hand(self) -> Path:
        """Return a folder of datasets on this machine with this one in it.

        That is the caller's own where this machine sees it; else the dataset is downloaded, once
        a machine, to ``$DROPOUT_BENCH_DATA``, or to ``~/.cache/dropout-bench``.

        Raises:
            BenchError: it cannot be had, or is another one than the caller's.
        """
        raw = self.raw
        if not (raw / self.name).is_dir():
            raw = Path(os.environ.get(DATA_VARIABLE) or Path.home() / ".cache" / "dropout-bench")
            download(self.name, raw, self.settings, say=lambda _: None)
        if idx.verified_digest(raw / self.name) != self.digest:
            raise BenchError(f"{raw / self.name}: not the dataset that the caller has")
        return raw


def _write_digits(folder: Path) -> None:
    """Write scikit-learn's digits: every fifth image of each class is for the test set."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = digits.images.astype(np.uint8)
    labels = digits.target.astype(np.uint8)
    place_in_class = np.zeros(len(labels), dtype=int)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        place_in_class[members] = np.arange(len(members))
    is_test = place_in_class % 5 == 4
    for split, chosen in (("train", ~is_test), ("test", is_test)):
        idx.write_idx(folder / idx.FILES[split, "images"], images[chosen])
        idx.write_idx(folder / idx.FILES[split, "labels"], labels[chosen])
