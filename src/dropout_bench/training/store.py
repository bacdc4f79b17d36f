"""The run store: every finished run, under its key, so that nothing is trained twice.

An entry is a folder with the run's files and ``entry.json``, which holds their checksums. It is
written beside its place and moved there whole; one that is damaged is dropped when it is read.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dropout_bench.files import whole_folder
from dropout_bench.params.experiment import VARIANTS, Experiment
from dropout_bench.params.run import Run
from dropout_bench.training.result import EVENTS, RunResult

STORE_VARIABLE = "DROPOUT_BENCH_STORE"
_ENTRY = "entry.json"
_KEY = re.compile(r"[0-9a-f]{32}")
_FILE_NAME = re.compile(r"[a-z][a-z0-9.-]*")
_DAMAGED = (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError, AttributeError)
"""What reading an entry that is not whole may raise."""

_PACKAGE = Path(__file__).parents[1]
_TRAINING_CODE = (
    "numerics.py",
    "streams.py",
    "catalogue/datasets.py",
    "data/idx.py",
    "data/subsets.py",
    "data/modules.py",
    "models/linear.py",
    "models/dropout.py",
    "models/base.py",
    "training/run.py",
)
"""The files that a run's result depends on, besides its own variant's."""


def default_store(root: Path) -> Path:
    """Return the folder of the store: ``$DROPOUT_BENCH_STORE``, else ``run-store`` in the project.

    ``dvc exp`` runs experiments in copies of the project, in ``.dvc/tmp/exps`` inside it; they
    share the store of the project itself.
    """
    if named := os.environ.get(STORE_VARIABLE):
        return Path(named)
    home = next((p.parents[2] for p in root.resolve().parents if p.match(".dvc/tmp/exps")), root)
    return home / "run-store"


def library_versions() -> dict[str, str]:
    """Versions of the libraries that compute; a build's suffix such as ``+cpu`` left out."""
    return {name: _version(name) for name in ("torch", "lightning")}


@cache
def _version(library: str) -> str:
    return version(library).partition("+")[0]


@cache
def code_digest(variant: str) -> str:
    """Digest the source code that training a variant depends on (line ends apart)."""
    return digest_of_code(*_TRAINING_CODE, *_variant_files(variant.replace("-", "_")))


def digest_of_code(*names: str) -> str:
    """Digest source files of this package (line ends apart)."""
    digest = hashlib.sha256()
    for name in names:
        source = (_PACKAGE / name).read_bytes().replace(b"\r\n", b"\n")
        digest.update(f"{name}\0{len(source)}\0".encode() + source)
    return digest.hexdigest()


def _variant_files(module: str) -> list[str]:
    """List the file of a variant and those of the variants that it is derived from."""
    file = f"models/variants/{module}.py"
    bases = re.findall(r"dropout_bench\.models\.variants\.(\w+)", (_PACKAGE / file).read_text())
    return [file, *(name for base in bases for name in _variant_files(base))]


@dataclass(frozen=True)
class Identity:
    """All that the bytes of a run depend on: equal identities, equal bytes.

    Attributes:
        run: what is trained.
        data: digest of the dataset's files.
        device: what it is computed on, as :func:`~dropout_bench.training.run.device_in_use` says.
        code: digest of the code that trains it.
        torch: version of torch.
        lightning: version of lightning.
    """

    run: Run
    data: str
    device: str
    code: str
    torch: str
    lightning: str

    @classmethod
    def here(cls, run: Run, data: str, device: str) -> "Identity":
        """Return the identity that the run has under this process's code and libraries."""
        return cls(run, data, device, code_digest(run.variant), **library_versions())

    def as_json(self) -> dict[str, Any]:
        """Return it as values that JSON can hold."""
        return {**vars(self), "run": self.run.model_dump(mode="json")}

    @property
    def key(self) -> str:
        """The run's key: 32 hexadecimal digits of a SHA-256."""
        canonical = json.dumps(self.as_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Entry:
    """A finished run in the store.

    Attributes:
        key: its key.
        identity: all that it depends on; None where the entry cannot be read.
        finished: when it was finished, in seconds since the epoch.
        size: bytes on disk.
    """

    key: str
    identity: Identity | None
    finished: float
    size: int

    @property
    def trouble(self) -> str:
        """Say why no experiment can need it; nothing where one could."""
        if self.identity is None:
            return ": it cannot be read"
        variant = self.identity.run.variant
        return "" if variant in VARIANTS else f": the variant {variant} is gone"


def needed_by(
    entries: Iterable[Entry], experiments: Mapping[str, Experiment], digests: Mapping[str, str]
) -> dict[str, list[str]]:
    """Name the places in experiments that would reuse runs: ``mnist-tutorial/standard/seed=0``.

    Args:
        entries: the runs.
        experiments: all experiments by name.
        digests: digest of each dataset that is here; of the others the run's own is trusted.

    Returns:
        The places of each entry by its key; none for what was trained for other parameters, data,
        code or libraries, or for a variant that is gone.
    """
    places: dict[Run, list[str]] = {}
    for name, experiment in experiments.items():
        for job in experiment.jobs():
            places.setdefault(job.run, []).append(f"{name}/{job.name}")

    def needing(kept: Identity | None) -> list[str]:
        if kept is None or kept.run not in places:
            return []
        data = digests.get(kept.run.dataset, kept.data)
        return places[kept.run] if Identity.here(kept.run, data, kept.device) == kept else []

    return {entry.key: needing(entry.identity) for entry in entries}


class RunStore:
    """Finished runs by key, in a folder.

    Args:
        folder: where the entries are; made when the first one is put.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, key: str, needed: tuple[str, ...] = ()) -> RunResult | None:
        """Return the run of a key, or None where it must be trained.

        An entry that lacks one of the files ``needed`` does not count; one whose bytes do not
        have the checksums it was written with is removed.
        """
        try:
            result = self._read(key)
        except _DAMAGED:
            try:  # another process may have put it in its place between two of our reads
                result = self._read(key)
            except _DAMAGED:
                self.drop(key)
                return None
        if result is None:
            return None
        return result if all(name in result.files for name in needed) else None

    def _read(self, key: str) -> RunResult | None:
        folder = self._place(key)
        if folder is None or not folder.exists():
            return None
        entry = json.loads((folder / _ENTRY).read_bytes())
        if not all(_FILE_NAME.fullmatch(name) for name in entry["files"]):
            raise ValueError("a name that leads elsewhere")
        files = {name: (folder / name).read_bytes() for name in entry["files"]}
        if _checksums(files) != entry["files"]:
            raise ValueError("checksum")
        return RunResult(
            files=files,
            events=(folder / EVENTS).read_bytes(),
            seconds=float(entry["seconds"]),
            device=str(entry["identity"]["device"]),
        )

    def _place(self, key: str) -> Path | None:
        """Return the folder of a key; None for what is no key: it must not lead elsewhere."""
        return self.folder / key if _KEY.fullmatch(key) else None

    def put(self, identity: Identity, result: RunResult) -> None:
        """Keep a finished run, whole or not at all.

        One that is here already, with as many files, stays: the bytes of a key are always the same.
        """
        if self.get(identity.key, tuple(result.files)) is not None:
            return
        entry = {
            "identity": identity.as_json(),
            "seconds": result.seconds,
            "files": _checksums(result.files),
        }
        with whole_folder(self.folder / identity.key) as folder:
            for name, content in result.files.items():
                (folder / name).write_bytes(content)
            (folder / EVENTS).write_bytes(result.events)
            (folder / _ENTRY).write_text(json.dumps(entry, indent=1))

    def put_beside(self, key: str, name: str, content: bytes) -> None:
        """Keep what was computed from a run beside it, if the run is here."""
        folder = self._place(key)
        if folder is not None and folder.is_dir():
            unfinished = folder / f".{name}.{os.getpid()}"
            unfinished.write_bytes(hashlib.sha256(content).digest() + content)
            unfinished.replace(folder / name)

    def get_beside(self, key: str, name: str) -> bytes | None:
        """Return what was computed from a run; None if it is not here, or damaged."""
        folder = self._place(key)
        if folder is None or not (folder / name).is_file():
            return None
        kept = (folder / name).read_bytes()
        checksum, content = kept[:32], kept[32:]
        return content if hashlib.sha256(content).digest() == checksum else None

    def entries(self) -> list[Entry]:
        """List what is kept, the oldest first; what cannot be read has no identity."""
        entries = []
        for folder in self.folder.glob("[!.]*/"):
            sizes = [file.stat().st_size for file in folder.iterdir()]
            try:
                told = json.loads((folder / _ENTRY).read_bytes())["identity"]
                identity = Identity(**told | {"run": Run.model_validate(told["run"])})
            except (OSError, ValueError, KeyError, TypeError):
                identity = None
            entries.append(Entry(folder.name, identity, folder.stat().st_mtime, sum(sizes)))
        return sorted(entries, key=lambda entry: entry.finished)

    def drop(self, key: str) -> None:
        """Remove what is kept under a name that :meth:`entries` lists."""
        shutil.rmtree(self.folder / key, ignore_errors=True)


def _checksums(files: dict[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(files[name]).hexdigest() for name in sorted(files)}
