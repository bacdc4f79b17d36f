"""The run store travels: finished runs as one file, which another store takes in, once checked.

The file is an uncompressed tar (weights do not get smaller), which every tool for tars can list.
First stands ``manifest.json``: of every file of every run its size and SHA-256. Then these files
follow, in that order, as ``KEY/FILE``. It is read from front to back, a part at a time; of each
header nothing counts but that it is the one that the manifest foretells. So a path that leads
elsewhere, a link, or a file twice has no way in; and what comes in is bytes, of which none is run.

An archive says what was trained, and its checksums say that it arrived whole. Whether it was
trained so is another question: ``dropout-bench verify --sample`` trains again.
"""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, BinaryIO, Final, Literal, NamedTuple

from pydantic import BaseModel, Field, StringConstraints, TypeAdapter, ValidationError

from dropout_bench.errors import BenchError, one_line, shortened
from dropout_bench.files import unfinished_folder, whole_folder
from dropout_bench.params.values import Strict
from dropout_bench.training.keys import key_of
from dropout_bench.training.store import ENTRY, RunStore, is_sound_beside

FORMAT: Final = 1
MANIFEST = "manifest.json"
_BLOCK = tarfile.BLOCKSIZE
_PART = 2**20  # bytes that are in memory at once
_LONGEST_MANIFEST, _LONGEST_ENTRY = 2**26, 2**20  # bytes of what is read as a whole
_DAMAGED = (ValueError, KeyError, TypeError, AttributeError, RecursionError)
"""What reading an entry that is none may raise."""

_Key = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
_Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9.-]{0,60}$")]


class Content(Strict):
    """What a file holds."""

    size: Annotated[int, Field(ge=0, strict=True)]
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


Contents = dict[_Name, Content]
"""The files of a run, by name."""
_CONTENTS = TypeAdapter(Contents)


class Manifest(Strict):
    """What an archive holds: the files of each run, by its key."""

    what: Literal["runs of dropout-bench"] = "runs of dropout-bench"
    format: Literal[1] = FORMAT
    runs: dict[_Key, Contents]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(each.size for contents in self.runs.values() for each in contents.values())


class _Begins(BaseModel):
    """What the manifest of any format says."""

    what: Literal["runs of dropout-bench"]
    format: int


class Imported(NamedTuple):
    """Keys of the runs that an archive brought, and of those that were here already."""

    new: tuple[str, ...]
    kept: tuple[str, ...]


class _Damage(Exception):
    """What an archive is not, in words."""


# Writing


def export_runs(store: RunStore, keys: Iterable[str], path: Path) -> Manifest:
    """Write runs of a store to a new file, whole or not at all.

    Every byte is compared with the checksums that the store has of it.

    Raises:
        BenchError: there is such a file already, or a run is damaged.
    """
    if path.exists():
        raise BenchError(f"{path}: is there already; name another file, or remove it")
    manifest = Manifest(runs={key: _declared(store.folder / key) for key in sorted(keys)})
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with unfinished.open("xb") as file:
            for part in _archived(store.folder, manifest):
                file.write(part)
        unfinished.replace(path)
    except OSError as error:
        raise BenchError(f"{path}: {error.strerror or error}; nothing was exported") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return manifest


def _declared(folder: Path) -> Contents:
    """Return what a run's entry says of its files; what was computed from it is read."""
    try:
        about = (folder / ENTRY).read_bytes()
        sums = {ENTRY: hashlib.sha256(about).hexdigest(), **json.loads(about)["files"]}
        for file in sorted(folder.glob("[!.]*")):
            if file.name not in sums and is_sound_beside(file):  # a damaged one is made again
                sums[file.name] = _sum(file)
        found = {
            name: {"size": (folder / name).stat().st_size, "sha256": sha256}
            for name, sha256 in sums.items()
        }
        return _CONTENTS.validate_python(found)
    except (*_DAMAGED, OSError) as error:
        raise _damaged_run(folder, one_line(error)) from error


def _damaged_run(folder: Path, told: str) -> BenchError:
    return BenchError(
        f"{folder}: damaged, or just being written ({told}); remove it, train again what needs it "
        "(dropout-bench train EXPERIMENT), and export then"
    )


def _archived(store: Path, manifest: Manifest) -> Iterator[bytes]:
    """Give the bytes of an archive, a part at a time."""
    said = manifest.model_dump_json().encode()
    if len(said) > _LONGEST_MANIFEST:
        raise BenchError("too many runs for one archive; name some of the experiments")
    yield from (_header(MANIFEST, len(said)), said, _padding(len(said)))
    for key, contents in manifest.runs.items():
        for name, content in contents.items():
            yield _header(f"{key}/{name}", content.size)
            yield from _checked(store / key / name, content)
            yield _padding(content.size)
    yield bytes(2 * _BLOCK)  # a tar's end


def _header(name: str, size: int) -> bytes:
    member = tarfile.TarInfo(name)
    member.size = size
    return member.tobuf(tarfile.USTAR_FORMAT, "ascii", "strict")


def _padding(size: int) -> bytes:
    return bytes(-size % _BLOCK)


def _checked(file: Path, content: Content) -> Iterator[bytes]:
    """Give a file's bytes, which are what the store says of it."""
    digest, size = hashlib.sha256(), 0
    with file.open("rb") as opened:
        while part := opened.read(_PART):
            digest.update(part)
            size += len(part)
            yield part
    if (size, digest.hexdigest()) != (content.size, content.sha256):
        raise _damaged_run(file.parent, f"{file.name} has another checksum")


# Reading


def import_runs(store: RunStore, path: Path) -> Imported:
    """Take the runs of an archive into a store, after all of them are checked.

    A run that is here stays, and gets the files that it lacks; what is damaged here is replaced.

    Raises:
        BenchError: the archive is damaged, of another format, or none; a run of it is not what its
            key says; one that is here has other bytes; there is no room. The store is as it was.
    """
    try:
        store.folder.mkdir(parents=True, exist_ok=True)
        with path.open("rb") as file, unfinished_folder(store.folder, "import") as staged:
            archive = _Archive(file, path)
            runs = archive.manifest().runs
            _check_room(store, runs)
            for key, contents in runs.items():
                _unpack(archive, staged / key, contents)
            archive.end()
            here = {key: _sound(store.folder / key) for key in runs}
            _check_same(path, runs, here)
            lacking = [key for key, contents in runs.items() if contents.keys() - here[key].keys()]
            for key in lacking:
                _adopt(store.folder / key, staged / key, here[key])
    except _Damage as error:
        raise BenchError(
            f"{path}: damaged, cut short or forged ({error}); nothing was imported. Fetch it "
            "again, or have it exported again"
        ) from error
    except OSError as error:
        place = path if error.filename == str(path) else store.folder
        told = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or str(error)
        raise BenchError(f"{place}: {told}; nothing half-written was left") from error
    return Imported(tuple(lacking), tuple(key for key in runs if key not in {*lacking}))


class _Archive:
    """An archive that is read from front to back; whatever is not as it must be is a _Damage."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self.file, self.path = file, path

    def manifest(self) -> Manifest:
        """Read what it holds.

        Raises:
            BenchError: it is no archive of runs, or one of another format.
        """
        try:
            member = tarfile.TarInfo.frombuf(self.file.read(_BLOCK), "ascii", "strict")
        except (tarfile.HeaderError, UnicodeDecodeError):
            member = tarfile.TarInfo()
        if member.name != MANIFEST or not member.isreg() or member.size > _LONGEST_MANIFEST:
            raise BenchError(
                f"{self.path}: no archive of runs; `dropout-bench runs --export FILE` writes one"
            )
        said = b"".join(self._parts(member.size))
        try:
            found = _Begins.model_validate_json(said).format
            if found != FORMAT:
                raise BenchError(
                    f"{self.path}: an archive of format {found}, and this release reads format "
                    f"{FORMAT}; import it with the release that wrote it, or export it with this"
                )
            return Manifest.model_validate_json(said)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(map(str, first["loc"]))
            raise _Damage(f"{MANIFEST}: {shortened(place)}: {shortened(first['msg'])}") from error

    def content(self, name: str, content: Content) -> Iterator[bytes]:
        """Give the bytes of the file that comes next, which must be this one.

        Whoever takes them all has them checked.
        """
        try:
            member = tarfile.TarInfo.frombuf(self._read(_BLOCK), "ascii", "strict")
        except (tarfile.HeaderError, UnicodeDecodeError) as error:
            raise _Damage(f"{name} does not come where it should") from error
        if (member.name, member.size, member.isreg()) != (name, content.size, True):
            raise _Damage(f"{shortened(member.name)} in the place of {name}")
        digest = hashlib.sha256()
        for part in self._parts(content.size):
            digest.update(part)
            yield part
        if digest.hexdigest() != content.sha256:
            raise _Damage(f"{name} has another checksum")

    def end(self) -> None:
        """Check that nothing follows."""
        rest = self.file.read(tarfile.RECORDSIZE + 1)
        if not 2 * _BLOCK <= len(rest) <= tarfile.RECORDSIZE or any(rest):
            raise _Damage("its end is not that of an archive")

    def _parts(self, size: int) -> Iterator[bytes]:
        for begin in range(0, size, _PART):
            yield self._read(min(_PART, size - begin))
        self._read(-size % _BLOCK)

    def _read(self, size: int) -> bytes:
        part = self.file.read(size)
        if len(part) < size:
            raise _Damage("it ends too early")
        return part


def _check_room(store: RunStore, runs: Mapping[str, Contents]) -> None:
    needed = sum(each.size for contents in runs.values() for each in contents.values())
    free = shutil.disk_usage(store.folder).free
    if needed > free:
        raise BenchError(
            f"{store.folder}: the disk is full: {needed / 1e6:,.0f} MB are needed to check and "
            f"keep the runs, {free / 1e6:,.0f} MB are free; nothing was imported"
        )


def _unpack(archive: _Archive, folder: Path, contents: Contents) -> None:
    """Write the files of a run to a folder, and check that it is the run that it is called."""
    key = folder.name
    folder.mkdir()
    for name, content in contents.items():
        with (folder / name).open("xb") as file:
            for part in archive.content(f"{key}/{name}", content):
                file.write(part)
    if ENTRY not in contents or contents[ENTRY].size > _LONGEST_ENTRY:
        raise _Damage(f"{key}: its {ENTRY} is not there, or too long")
    try:
        entry = json.loads((folder / ENTRY).read_bytes())
        computed, own = key_of(entry["identity"]), dict(entry["files"])
        float(entry["seconds"])
    except _DAMAGED as error:
        raise _Damage(f"{key}/{ENTRY}: {one_line(error)}") from error
    if computed != key:
        raise _Damage(f"{key} is the run {computed}")
    if own != {name: contents[name].sha256 for name in own if name in contents}:
        raise _Damage(f"{key}: its files are not those that it was trained to")
    for name in contents.keys() - own.keys() - {ENTRY}:
        if not is_sound_beside(folder / name):
            raise _Damage(f"{key}/{name} has another checksum")


def _sound(folder: Path) -> Contents:
    """Return what the files of a run in the store hold; nothing of one that is damaged or gone."""
    with contextlib.suppress(BenchError):
        contents = _declared(folder)
        if all(_sum(folder / name) == content.sha256 for name, content in contents.items()):
            return contents
    return {}


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_same(path: Path, runs: Mapping[str, Contents], here: Mapping[str, Contents]) -> None:
    """Refuse what is here with other bytes; entries differ in the time that training took."""
    different = [
        f"{key}/{name}"
        for key, contents in runs.items()
        for name in sorted(contents.keys() & here[key].keys() - {ENTRY})
        if contents[name].sha256 != here[key][name].sha256
    ]
    if different:
        raise BenchError(
            f"{path}: {len(different)} files of runs that are here already have other bytes than "
            f"these ({different[0]}); equal keys mean equal bytes, so one of both was not trained "
            "as it says. Nothing was imported, and what is here was kept: dropout-bench verify "
            "--sample 24 trains again"
        )


def _adopt(place: Path, staged: Path, here: Contents) -> None:
    """Put a run in its place; one that is here, and lacks some of its files, keeps its own."""
    if not place.exists():
        try:
            staged.rename(place)
        except OSError as error:
            if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
                raise  # else another process has just finished it: the same bytes
        return
    sound = (staged, place if here else staged)
    new, own = (json.loads((folder / ENTRY).read_bytes()) for folder in sound)
    with whole_folder(place) as folder:
        for file in (*staged.iterdir(), *(place / name for name in here)):
            shutil.copyfile(file, folder / file.name)
        joined = own | {"files": dict(sorted((new["files"] | own["files"]).items()))}
        (folder / ENTRY).write_text(json.dumps(joined, indent=1))
