"""The run store: every finished run, under its key, so that nothing is trained twice.

An entry is a folder with the run's files and ``entry.json``, which holds their checksums. It is
written beside its place and moved there whole; one that is damaged is dropped when it is read.
"""

import contextlib
import hashlib
import json
import math
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic_core import from_json

from dropout_bench.files import whole_folder
from dropout_bench.params.arms import Job
from dropout_bench.params.experiment import Experiment
from dropout_bench.params.run import Run
from dropout_bench.params.variants import VARIANTS
from dropout_bench.training.keys import Identity
from dropout_bench.training.result import BEST, LAST, RunResult

ENTRY = "entry.json"
"""What an entry's folder says of it: its identity, and the checksums of its files."""
ABOUT = "run.json"
"""What a run's folder in ``runs`` says of it: its key, and the checksums of its files."""
_KEY = re.compile(r"[0-9a-f]{32}")
_CHECKSUM = hashlib.sha256().digest_size  # bytes that stand before what was computed from a run
_FILE_NAME = re.compile(r"[a-z][a-z0-9.-]*")
AGAIN = " again"
"""What a trial adds to the code of a known kind, which it trains again to compare its weights."""
_OUTSIDE = re.compile(r"outside-(?P<name>.*)-(?P<code>[0-9a-f]{32})")  # as Newcomer.variant
_DAMAGED = (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError, AttributeError)
"""What reading an entry that is not whole may raise."""


def default_store(root: Path) -> Path:
    """Return the folder of the store: ``$DROPOUT_BENCH_STORE``, else ``run-store`` in the project.

    ``dvc exp`` runs experiments in copies of the project, in ``.dvc/tmp/exps`` inside it; they
    share the store of the project itself.
    """
    if named := os.environ.get("DROPOUT_BENCH_STORE"):
        return Path(named)
    home = next((p.parents[2] for p in root.resolve().parents if p.match(".dvc/tmp/exps")), root)
    return home / "run-store"


def weights_file(job: Job) -> str:
    """Name the file of the weights that are evaluated of a run."""
    return BEST if job.cell.checkpoint == "best" else LAST


@dataclass(frozen=True, slots=True)
class Entry:
    """A finished run in the store, of which few among thousands are looked at closely.

    Attributes:
        key: its key, the name of its folder.
        finished: when it was, in seconds since 1970.
        size: of all its files, in bytes.
        seconds: that its training took; NaN where that is not known.
        dataset: what it was trained on, and
        data: the digest of that,
        device: by what,
        variant: which network,
        code: and by which code; all of these are empty where they cannot be read.
        about: its entry, as it stands in the file.
    """

    key: str
    finished: float
    size: int
    seconds: float
    dataset: str
    data: str
    device: str
    variant: str
    code: str
    about: bytes

    @property
    def identity(self) -> Identity | None:
        """All that its bytes depend on; None where that cannot be read."""
        with contextlib.suppress(*_DAMAGED):
            told = json.loads(self.about)["identity"]
            libraries = tuple(told["libraries"].items())
            run = Run.model_validate(told["run"])
            return Identity(run, told["data"], told["device"], told["code"], libraries)
        return None

    @property
    def trial(self) -> str:
        """Name the layer from outside that it was trained for; nothing where it was for none."""
        if outside := _OUTSIDE.fullmatch(self.variant):
            return f"{outside['name']}, code {outside['code'][:12]}"
        return "a known kind, trained again" if self.code.endswith(AGAIN) else ""

    @property
    def trouble(self) -> str:
        """Say why no experiment can need it; nothing where one could."""
        if self.trial:
            return f": trial of {self.trial}"
        if self.identity is None:
            return ": it cannot be read"
        return "" if self.variant in VARIANTS else f": the variant {self.variant} is gone"


def needed_by(
    entries: Iterable[Entry], experiments: Mapping[str, Experiment], digests: Mapping[str, str]
) -> dict[str, list[str]]:
    """Name the places in experiments that would reuse runs: ``mnist-tutorial/standard/seed=0``.

    They are by its key; none for what was trained for other parameters, data, code or libraries,
    or for a variant that is gone. Of datasets without a digest in ``digests``, by name, the run's
    own is trusted.
    """
    entries = [*entries]
    trained: dict[str, set[tuple[str, str]]] = {}  # by dataset, on which data and which devices
    for entry in entries:
        data = digests.get(entry.dataset, entry.data)
        trained.setdefault(entry.dataset, set()).add((data, entry.device))
    places: dict[Run, list[str]] = {}
    for name, experiment in experiments.items():
        for job in experiment.jobs():
            places.setdefault(job.run, []).append(f"{name}/{job.name}")
    by_key = {
        Identity.here(run, *of).key: its
        for run, its in places.items()
        for of in trained.get(run.dataset, ())
    }
    return {entry.key: by_key.get(entry.key, []) if entry.code else [] for entry in entries}


class RunStore:
    """Finished runs by key, in a folder, which is made when the first one is put."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, key: str, needed: tuple[str, ...] = ()) -> RunResult | None:
        """Return the run of a key, or None where it must be trained.

        An entry that lacks one of the files ``needed`` does not count; one whose bytes do not
        have the checksums it was written with is removed.
        """
        if (folder := self._place(key)) is None:
            return None
        for _ in range(2):  # another process may put it in its place between two of our reads
            with contextlib.suppress(*_DAMAGED):
                if not folder.exists():
                    return None
                entry = json.loads((folder / ENTRY).read_bytes())
                files = _sound_files(folder, entry["files"])
                device, seconds = str(entry["identity"]["device"]), float(entry["seconds"])
                return RunResult(files, device, seconds) if files.keys() >= {*needed} else None
        self.drop(key)
        return None

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
            "files": checksums(result.files),
        }
        with whole_folder(self.folder / identity.key) as folder:
            for name, content in result.files.items():
                (folder / name).write_bytes(content)
            (folder / ENTRY).write_text(json.dumps(entry, indent=1))

    def adopt(self, identity: Identity, folder: Path) -> None:
        """Keep the run that lies in a folder of ``runs``, such as DVC restored it, if it is this.

        It has what one experiment evaluates, and joins what is kept of it already. How long its
        training took is not known.
        """
        with contextlib.suppress(*_DAMAGED):
            about = json.loads((folder / ABOUT).read_bytes())
            if about["key"] == identity.key:
                files = _sound_files(folder, about["files"])
                kept = self.get(identity.key) or RunResult({}, identity.device)
                self.put(identity, replace(kept, files={**kept.files, **files}))

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
        with (folder / name).open("rb") as file:
            checksum, content = file.read(_CHECKSUM), file.read()
        return content if hashlib.sha256(content).digest() == checksum else None

    def entries(self) -> list[Entry]:
        """List what is kept, the oldest first; what cannot be read has no identity."""
        folders = []
        with contextlib.suppress(FileNotFoundError), os.scandir(self.folder) as found:
            folders = [each for each in found if each.name[0] != "." and each.is_dir()]
        return sorted(filter(None, map(_entry, folders)), key=lambda entry: entry.finished)

    def drop(self, key: str) -> None:
        """Remove what is kept under a name that :meth:`entries` lists."""
        shutil.rmtree(self.folder / key, ignore_errors=True)


def _entry(folder: "os.DirEntry[str]") -> Entry | None:
    """Read an entry; None where another process is just removing it."""
    try:
        finished = folder.stat().st_mtime
        with os.scandir(folder) as files:
            size = sum(file.stat().st_size for file in files)
    except FileNotFoundError:
        return None
    about, texts, seconds = b"", ("",) * 5, math.nan
    with contextlib.suppress(OSError, *_DAMAGED):
        with open(f"{folder.path}/{ENTRY}", "rb") as file:  # noqa: PTH123
            about = file.read()
        told = from_json(about)  # a third of the time of json's
        seconds, its, run = float(told["seconds"]), told["identity"], told["identity"]["run"]
        found = (run["dataset"], its["data"], its["device"], run["variant"], its["code"])
        texts = found if all(isinstance(each, str) for each in found) else texts
    return Entry(folder.name, finished, size, seconds, *texts, about)


def checksums(files: Mapping[str, bytes]) -> dict[str, str]:
    """Return the SHA-256 of each file."""
    return {name: hashlib.sha256(files[name]).hexdigest() for name in sorted(files)}


def is_sound_beside(path: Path) -> bool:
    """Whether a file is what :meth:`RunStore.put_beside` writes; it is read a part at a time."""
    with path.open("rb") as file:
        checksum = file.read(_CHECKSUM)
        return hashlib.file_digest(file, "sha256").digest() == checksum


def _sound_files(folder: Path, expected: Mapping[str, str]) -> dict[str, bytes]:
    """Read files that have these checksums; else it is a ValueError."""
    if not all(_FILE_NAME.fullmatch(name) for name in expected):
        raise ValueError("a name that leads elsewhere")
    files = {name: (folder / name).read_bytes() for name in expected}
    if checksums(files) != expected:
        raise ValueError("checksum")
    return files
