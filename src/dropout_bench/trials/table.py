"""A table from outside: numbers to classify by, and classes; read, checked and kept narrow.

Whatever is wrong with it is told before anything trains, with the place and what to do about it.
Nothing in a file is ever run: arrays of Python objects, which NumPy would unpickle, are refused.
"""

import hashlib
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dropout_bench.errors import BenchError, did_you_mean, one_line, shortened

MOST = 2**27
"""Numbers of a table at most: 512 MiB as float32. While it is read there is twice as much."""

LEAST = 10
"""Rows of a class at least: then training, validation and test, 60/20/20, have one each."""

CHUNK = 2**20
"""Numbers of a CSV file that are read, and made float32, at a time."""

_SEPARATORS = ",;\t|"
_SHOWN = 3  # columns that a message names


@dataclass(frozen=True)
class Table:
    """Rows of numbers with their classes.

    Attributes:
        name: names it in messages, and the folder of its page.
        x: the numbers, float32, all finite, no column constant; shape (rows, columns).
        y: place of each row's class in ``classes``; shape (rows,).
        classes: names of the classes.
        columns: names of the columns.
        notes: what was left out of what was given, in sentences.
    """

    name: str
    x: NDArray[np.float32]
    y: NDArray[np.int64]
    classes: tuple[str, ...]
    columns: tuple[str, ...]
    notes: tuple[str, ...] = ()
    digest: str = field(init=False)
    """of the numbers and the classes' places, 32 hexadecimal digits; names are no part of it"""

    def __post_init__(self) -> None:
        digest = hashlib.sha256(f"{self.x.shape}{len(self.classes)}".encode())
        for array in (self.x, self.y):
            digest.update(np.ascontiguousarray(array).view(np.uint8).data)
        object.__setattr__(self, "digest", digest.hexdigest()[:32])

    def __len__(self) -> int:
        return len(self.y)

    @property
    def counts(self) -> dict[str, int]:
        """Number of rows by class."""
        counts = np.bincount(self.y, minlength=len(self.classes)).tolist()
        return dict(zip(self.classes, counts, strict=True))


def read(path: Path, target: str | None = None) -> Table:
    """Read a table from ``.npz`` with arrays ``X`` and ``y``, or from CSV with a column of classes.

    Args:
        path: the file.
        target: of CSV, the column of classes.

    Raises:
        BenchError: it cannot be read, or nothing can be trained on it.
    """
    if not path.is_file():
        raise BenchError(f"{path}: not there; give a .npz file with X and y, or a CSV file")
    try:
        if path.suffix == ".npz":
            if target is not None:
                raise BenchError(f"{path}: --target is for CSV; here y has the classes: drop it")
            return _of_npz(path)
        if path.suffix in {".csv", ".tsv", ".txt"}:
            return _of_csv(path, target)
    except (OSError, UnicodeError) as error:
        raise BenchError(f"{path}: cannot be read ({one_line(error)})") from error
    raise BenchError(f'{path}: of kind "{path.suffix}"; give .npz with X and y, or .csv')


def of_arrays(x: Any, y: Any, name: str = "table") -> Table:
    """Make a table of arrays, lists, or a DataFrame and a Series.

    Args:
        x: numbers, (rows, columns).
        y: classes, (rows,): whole numbers or texts.
        name: names it in messages, and its page.

    Raises:
        BenchError: nothing can be trained on it.
    """
    if isinstance(x, pd.DataFrame):
        return _checked(name, _numbers(name, x), x.columns, _array(y))
    array = _array(x)
    _check_shape(f"{name}: X", array.shape, array.dtype)
    with np.errstate(over="ignore"):  # told below
        return _checked(name, array.astype(np.float32), range(array.shape[1]), _array(y))


def _array(values: Any) -> NDArray[Any]:
    try:
        return np.asarray(values)
    except (TypeError, ValueError) as error:  # rows of different lengths
        raise BenchError(f"no array can be made of it ({one_line(error)})") from error


# From files.


def _of_npz(path: Path) -> Table:
    """Read ``X`` and ``y``; their headers first, so that nothing large or unsafe is ever loaded."""
    try:
        with zipfile.ZipFile(path) as archive:
            headers = {name: _header(archive, name) for name in ("X", "y")}
        _check_shape(f"{path}: X", *headers["X"])
        if headers["y"][1].hasobject:
            raise BenchError(f"{path}: y: {_OBJECTS}")
        with np.load(path, allow_pickle=False) as arrays:
            with np.errstate(over="ignore"):  # told below
                x = arrays["X"].astype(np.float32, copy=False)
            return _checked(path.stem, x, range(x.shape[1]), arrays["y"], str(path))
    except KeyError as error:
        told = f'no array "{error.args[0]}"'
        raise BenchError(f"{path}: {told}; write it with numpy.savez(path, X=X, y=y)") from error
    except (zipfile.BadZipFile, ValueError, EOFError) as error:
        told = one_line(error)
        raise BenchError(
            f"{path}: no .npz file ({told}); write it with numpy.savez(path, X=X, y=y)"
        ) from error


def _header(archive: zipfile.ZipFile, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Return shape and type of an array; a KeyError names one that is not there."""
    if f"{name}.npy" not in archive.namelist():
        raise KeyError(name)
    with archive.open(f"{name}.npy") as file:
        version = np.lib.format.read_magic(file)
        readers = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }
        if version not in readers:
            raise ValueError(f"{name}: version {version} of the format")
        shape, _, dtype = readers[version](file)
    return shape, dtype


def _of_csv(path: Path, target: str | None) -> Table:
    """Read a CSV file in chunks, each made float32 at once, so that text takes no memory."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        first = file.readline()
    separator = max(_SEPARATORS, key=first.count)
    options: dict[str, Any] = {"sep": separator, "encoding": "utf-8-sig"}
    try:
        header = list(pd.read_csv(path, nrows=0, **options).columns)
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise BenchError(f"{path}: no CSV file ({one_line(error)})") from error
    if target is None:
        raise BenchError(f"{path}: which column has the classes? --target {_some(header)}")
    if target not in header:
        raise BenchError(f'{path}: no column "{target}"; {did_you_mean(target, header)}')
    unnamed = [name for name in header if re.fullmatch(r"Unnamed: \d+", name) and name != target]
    columns = [name for name in header if name != target and name not in unnamed]
    if not columns:
        raise BenchError(f"{path}: no column but {target}; numbers to classify by are missing")
    # A column without a name is what pandas writes of row numbers: rows sorted by class would
    # give their classes away.
    notes = [f"left out, since without a name: column {header.index(n) + 1}" for n in unnamed]
    blocks, labels, rows = [], [], 0
    size = max(1, CHUNK // len(header))
    try:
        with pd.read_csv(path, chunksize=size, dtype={target: str}, **options) as chunks:
            for chunk in chunks:
                blocks.append(_numbers(str(path), chunk[columns], rows))
                labels.append(chunk[target].to_numpy(dtype=object))
                rows += len(chunk)
                _check_size(str(path), rows, len(columns))
    except pd.errors.ParserError as error:
        raise BenchError(f"{path}: no CSV file ({one_line(error)})") from error
    x = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
    blocks.clear()
    y = np.concatenate(labels)
    gone = np.flatnonzero(pd.isna(y))
    if len(gone):
        raise BenchError(
            f'{path}: no class in {len(gone):,} rows, column "{target}", first in row '
            f"{gone[0] + 1} (empty, NA and None count as missing); remove these rows"
        )
    return _checked(path.stem, x, columns, y.astype(str), str(path), notes)


# Checks.

_OBJECTS = (
    "an array of Python objects, which are not read, as that could run code; save plain numbers "
    "(X.astype('float32')) and texts (y.astype(str))"
)


def _check_shape(place: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    if dtype.hasobject:
        raise BenchError(f"{place}: {_OBJECTS}")
    if dtype.kind not in "biuf":
        raise BenchError(f"{place}: an array of {dtype}; numbers are needed")
    if len(shape) != 2:
        remedy = "X.reshape(-1, 1)" if len(shape) == 1 else "X.reshape(len(X), -1)"
        raise BenchError(f"{place}: of shape {shape}; rows and columns are needed, as of {remedy}")
    if 0 in shape:
        raise BenchError(f"{place}: of shape {shape}; there is nothing in it")
    _check_size(place, *shape)


def _check_size(place: str, rows: int, columns: int) -> None:
    if rows * columns > MOST:
        raise BenchError(
            f"{place}: more than {MOST:,} numbers ({MOST * 4 // 2**20} MiB as float32), of "
            f"{columns:,} columns; give {MOST // columns:,} rows at most, or fewer columns"
        )


def _numbers(place: str, frame: pd.DataFrame, before: int = 0) -> NDArray[np.float32]:
    """Make float32 of a frame's columns, which has so many rows before it.

    Text and dates are told by their names.
    """
    _check_size(place, *frame.shape)
    if frame.shape[1] == 0 or not len(frame):
        raise BenchError(f"{place}: of shape {frame.shape}; there is nothing in it")
    for name, values in frame.items():
        if not (pd.api.types.is_numeric_dtype(values) and values.dtype.kind in "biuf"):
            told = _first_text(values, before)
            raise BenchError(
                f'{place}: column "{name}" has no numbers{told}; leave it out, or turn it into '
                "numbers, such as by pandas.get_dummies"
            )
    with np.errstate(over="ignore"):  # told where it is checked
        return np.ascontiguousarray(frame.to_numpy(dtype=np.float32, na_value=np.nan))


def _first_text(values: "pd.Series[Any]", before: int) -> str:
    numbers = pd.to_numeric(values, errors="coerce")
    texts = np.flatnonzero((numbers.isna() & values.notna()).to_numpy())
    if not len(texts):
        return ""
    return f' ("{shortened(values.iloc[texts[0]])}" in row {before + texts[0] + 1})'


def _checked(
    name: str,
    x: NDArray[np.float32],
    columns: Sequence[Any] | Any,
    y: NDArray[Any],
    place: str = "",
    notes: Sequence[str] = (),
) -> Table:
    place = place or name
    names = [column if isinstance(column, str) else f"column {column}" for column in columns]
    if y.ndim == 2 and 1 in y.shape:
        y = y.reshape(-1)
    if y.ndim != 1:
        raise BenchError(f"{place}: y of shape {y.shape}; one class a row is needed")
    if len(y) != len(x):
        raise BenchError(f"{place}: X has {len(x):,} rows and y {len(y):,}; give as many of both")
    _check_finite(place, x, names)
    labels, places = _classes(place, y)
    x, names, left_out = _varying(place, x, names)
    counts = np.bincount(places)
    few = [(labels[at], int(counts[at])) for at in np.flatnonzero(counts < LEAST)]
    if few:
        told = ", ".join(f"{label} has {count}" for label, count in few[:_SHOWN])
        more = f", and {len(few) - _SHOWN} more" if len(few) > _SHOWN else ""
        raise BenchError(
            f"{place}: too few rows of a class for training, validation and test: {told}{more}; "
            f"{LEAST} are needed of each: give more, or leave the class out"
        )
    return Table(name, x, places, labels, tuple(names), (*notes, *left_out))


def _blocks(x: NDArray[np.float32]) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Go over rows a part at a time: what is computed of a part takes little memory."""
    size = max(1, CHUNK // x.shape[1])
    for start in range(0, len(x), size):
        yield start, x[start : start + size]


def _check_finite(place: str, x: NDArray[np.float32], names: Sequence[str]) -> None:
    missing = np.zeros(x.shape[1], dtype=np.int64)
    first = -1
    for start, block in _blocks(x):
        wrong = ~np.isfinite(block)
        if first < 0 and wrong.any():
            first = start + int(wrong.any(axis=1).argmax())
        missing += wrong.sum(axis=0)
    if first >= 0:
        those = [names[int(at)] for at in np.flatnonzero(missing)]
        raise BenchError(
            f"{place}: {missing.sum():,} values are missing, or are no number that float32 holds, "
            f"in {_some(those)}, first in row {first + 1}; fill them in or leave these rows out"
        )


def _classes(place: str, y: NDArray[Any]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    if y.dtype.hasobject:
        kinds = {type(label) for label in y.tolist()}
        if not all(issubclass(kind, str | int | np.integer) for kind in kinds):
            told = ", ".join(sorted(kind.__name__ for kind in kinds))
            raise BenchError(
                f"{place}: y has {told}; classes are texts or whole numbers, and none is missing"
            )
        y = y.astype(str)
    if y.dtype.kind == "f":
        if not (np.isfinite(y).all() and (y == np.trunc(y)).all()):
            wrong = y[~(np.isfinite(y) & (y == np.trunc(y)))][0]
            raise BenchError(
                f"{place}: y has {wrong:g}; classes are whole numbers or texts: amounts are not "
                "classified, and none may be missing"
            )
        y = y.astype(np.int64)
    if y.dtype.kind not in "biuUS":
        raise BenchError(f"{place}: y of {y.dtype}; classes are whole numbers or texts")
    found, places = np.unique(y, return_inverse=True)
    if len(found) < 2:
        raise BenchError(f"{place}: one class, {shortened(found[0])}; two are needed at least")
    labels = tuple(label.decode() if isinstance(label, bytes) else str(label) for label in found)
    return labels, places.astype(np.int64)


def _varying(
    place: str, x: NDArray[np.float32], names: list[str]
) -> tuple[NDArray[np.float32], list[str], list[str]]:
    """Leave out the columns that never change: they say nothing, and have no unit of their own."""
    low, high = x.min(axis=0), x.max(axis=0)
    varies = low < high
    if varies.all():
        return x, names, []
    constant = [name for name, does in zip(names, varies, strict=True) if not does]
    if not varies.any():
        raise BenchError(f"{place}: every column is constant; there is nothing to classify by")
    kept = [name for name, does in zip(names, varies, strict=True) if does]
    note = f"left out, since constant: {_some(constant)}"
    return np.ascontiguousarray(x[:, varies]), kept, [note]


def _some(names: Sequence[str]) -> str:
    """Name a few."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
