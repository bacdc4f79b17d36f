"""What is tried: a class from outside, found in a file, a module or an entry point."""

import hashlib
import inspect
import re
import sys
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, cast

from dropout_bench.catalogue.source import NAME, digest_of, file_of
from dropout_bench.errors import BenchError, did_you_mean, one_line
from dropout_bench.params.run import Run
from dropout_bench.params.variants import module_of
from dropout_bench.training.keys import Identity, library_versions, modules_of
from dropout_bench.trials.sources import Sources, of_file, of_module
from dropout_bench.trials.written import sources_of

if TYPE_CHECKING:
    from torch import nn

    from dropout_bench.models.base import MLP
    from dropout_bench.trials.placed import Place

GROUP = "dropout_bench.variants"
"""Entry points of other distributions that are variants, or layers."""
_NAME = re.compile(r"[a-z][a-z0-9-]*")


@dataclass(frozen=True)
class Newcomer:
    """A class from outside with the source it needs, and where it stands in a network.

    Attributes:
        name: what it is called in tables, and its page.
        sources: its module and what that imports of its own.
        cls: name of the class.
        place: where a plain layer stands; None of a variant.
    """

    name: str
    sources: Sources
    cls: str
    place: "Place | None"

    @cached_property
    def digest(self) -> str:
        """Digest of its code, and of where it stands."""
        parts = (self.sources.digest, self.cls, str(self.place))
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]

    @property
    def variant(self) -> str:
        """The name by which runs name it; :meth:`install` makes it known."""
        return f"outside-{re.sub(r'[^a-z0-9]+', '-', self.cls.lower())}-{self.digest}"

    def identity(self, run: Run, data: str, device: str) -> Identity:
        """Return the identity of a run of it: that of any run, with its code and its libraries."""
        imported = (name.partition(".") for name in self.sources.imported())
        ours = sorted(within for top, _, within in imported if top == NAME and file_of(within))
        around = "trials.placed" if self.place else "models.base"
        first, _, *options = modules_of(run)
        code = f"{digest_of(first, around, *filter(None, ours), *options)} {self.digest}"
        libraries = library_versions() | self.sources.libraries()
        return Identity(run, data, device, code, tuple(sorted(libraries.items())))

    @property
    def counterpart(self) -> str | None:
        """The variant that it is at rate 0; None for one that takes no dropout."""
        return self.load().counterpart

    def load(self) -> "type[MLP]":
        """Return it as a variant, a plain layer in its place.

        Raises:
            BenchError: it cannot be loaded.
        """
        from dropout_bench.trials.placed import as_variant

        found = getattr(self.sources.load(), self.cls)
        return as_variant(found, self.place) if self.place else found

    def install(self) -> None:
        """Make it a variant like those of ``models/variants``, in this process.

        Those are found as the one class in a module of their name, which is looked for among the
        loaded modules first.
        """
        name = f"{NAME}.{module_of(self.variant)}"
        if name not in sys.modules:
            variant = self.load()
            module = ModuleType(name, variant.__doc__)
            made = type(variant.__name__, (variant,), {"__module__": name})
            setattr(module, made.__name__, made)
            sys.modules[name] = module


def find(target: str, place: "Place | None" = None, name: str | None = None) -> Newcomer:
    """Find a class: in a file, ``file.py:Class``, ``package.module:Class``, or an entry point.

    Raises:
        BenchError: there is no such thing, none or several that could be meant, or it cannot be
            loaded.
    """
    where, colon, wanted = target.rpartition(":") if _has_class(target) else (target, "", "")
    if where.endswith(".py") or Path(where).is_file():
        if not Path(where).is_file():
            raise BenchError(f"{where}: there is no such file")
        sources = of_file(Path(where))
    elif colon or "." in where:
        sources = of_module(where)
    else:
        return _entry_point(where, place, name)
    return of_sources(sources, where, wanted, place, name)


def _has_class(target: str) -> bool:
    before, colon, after = target.rpartition(":")
    return bool(before and colon) and after.isidentifier()


def _entry_point(called: str, place: "Place | None", name: str | None) -> Newcomer:
    known = {point.name: point for point in entry_points(group=GROUP)}
    if called not in known:
        hint = did_you_mean(called, known) if known else "nothing that is installed has one"
        raise BenchError(
            f"{called}: no file, and no entry point of the group {GROUP}; {hint}. Name a file, "
            "such as my_dropout.py, or package.module:Class"
        )
    point = known[called]
    return of_sources(of_module(point.module), called, point.attr, place, name or called)


def of_class(
    cls: "type[nn.Module]", place: "Place | None" = None, name: str | None = None
) -> Newcomer:
    """Return a class of this process, of a file or a notebook, as a newcomer.

    Raises:
        BenchError: its source cannot be had, or it cannot be built.
    """
    return of_sources(sources_of(cls), cls.__name__, cls.__name__, place, name)


def of_sources(
    sources: Sources, told: str, wanted: str, place: "Place | None", name: str | None
) -> Newcomer:
    """Find the class in a module: the one of a name, else the only variant, else the only layer.

    Raises:
        BenchError: see :func:`find`.
    """
    module = sources.load()
    variants, layers = _variants(module), _layers(module)
    if wanted:
        cls = getattr(module, wanted, None)
        if cls is None:
            hint = did_you_mean(wanted, [*variants, *layers] or ["none"])
            raise BenchError(f"{told}: no class {wanted}; {hint}")
    else:
        found = variants or layers
        if not found:
            raise BenchError(
                f"{told}: no class to try; it is a torch.nn.Module whose constructor takes a rate "
                "(p), or a variant, derived from dropout_bench.models.base.MLP"
            )
        if len(found) > 1:
            raise BenchError(
                f"{told}: {len(found)} classes could be meant ({', '.join(sorted(found))}); name "
                f"one: {told}:{min(found)}"
            )
        ((wanted, cls),) = found.items()
    return Newcomer(_named(name or wanted), sources, wanted, _placed(cls, told, place))


def _placed(cls: object, told: str, place: "Place | None") -> "Place | None":
    """Return where a layer stands; None of a variant, which says it itself."""
    from dropout_bench.models.base import MLP
    from dropout_bench.trials.placed import PLACES, as_variant

    if place is not None and place not in PLACES:
        raise BenchError(f'no place "{place}"; {did_you_mean(place, PLACES)}')
    if _is_a(cls, MLP):
        if place is not None:
            raise BenchError(f"{told}: a variant says itself what stands where; drop --place")
        return None
    if not _is_a_layer(cls):
        raise BenchError(f"{told}: neither a torch.nn.Module nor a variant, but {one_line_of(cls)}")
    place = place or "after-activation"
    as_variant(cast("type[nn.Module]", cls), place)  # or it says what is wrong
    return place


def one_line_of(thing: object) -> str:
    """Write something as a part of a message."""
    return one_line(ValueError(repr(thing)))


def _is_a(cls: object, kind: type) -> bool:
    return inspect.isclass(cls) and issubclass(cls, kind)


def _is_a_layer(cls: object) -> bool:
    from torch import nn

    return _is_a(cls, nn.Module)


def _own(module: ModuleType) -> "dict[str, type[nn.Module]]":
    return {
        name: member
        for name, member in inspect.getmembers(module, _is_a_layer)
        if member.__module__ == module.__name__ and not name.startswith("_")
    }


def _variants(module: ModuleType) -> "dict[str, type[nn.Module]]":
    from dropout_bench.models.base import MLP

    return {name: cls for name, cls in _own(module).items() if _is_a(cls, MLP)}


def _layers(module: ModuleType) -> "dict[str, type[nn.Module]]":
    from lightning import LightningModule

    from dropout_bench.trials.placed import rate_of

    return {
        name: cls
        for name, cls in _own(module).items()
        if not _is_a(cls, LightningModule) and rate_of(cls) is not None
    }


def _named(name: str) -> str:
    """Write a name as arms have them: ``MyDropout`` is my-dropout, ``RDrop`` r-drop."""
    begins = r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[_\s.]+"
    words = re.sub(begins, "-", name).lower().strip("-")
    if not _NAME.fullmatch(words):
        raise BenchError(f'"{name}" is no name: letters, digits and hyphens, a letter first')
    return words
