"""Outside code as text: which files of its own a module needs, and how they are loaded elsewhere.

Workers get the text, never a pickle of the objects. It is loaded there as a package under a name
of its own (:attr:`Sources.package`), within which its modules import each other by the names that
they have at home, so that no module of this process, nor another version of the same file, is met.
"""

import ast
import builtins
import hashlib
import importlib
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.abc import InspectLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from importlib.util import resolve_name
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, NamedTuple

from dropout_bench.catalogue.source import NAME
from dropout_bench.errors import BenchError, one_line

_INSTALLED = {Path(sysconfig.get_path(name)).resolve() for name in ("purelib", "platlib")}


class Text(NamedTuple):
    """A module's source; ``folder`` where it is the ``__init__.py`` of one."""

    source: str
    folder: bool


@dataclass(frozen=True)
class Sources:
    """The source of a module and of all that it imports of its own, by name.

    Attributes:
        main: name of the module that is asked for.
        texts: every module by its name at home.
    """

    main: str
    texts: Mapping[str, Text]

    @cached_property
    def digest(self) -> str:
        """Digest of what the modules say: comments, docstrings and layout are no part of it."""
        told = {name: _meaning(each.source) for name, each in self.texts.items()}
        return hashlib.sha256(repr(sorted(told.items())).encode()).hexdigest()[:32]

    @property
    def package(self) -> str:
        """Name of the package that they are loaded as, which no other sources have."""
        return f"{NAME}_outside_{self.digest}"

    def imported(self) -> set[str]:
        """Name all modules that they import, anywhere in them, but for their own."""
        found = {
            name
            for module, each in self.texts.items()
            for name in _imports(ast.parse(each.source), module, each.folder)
        }
        own = {name.partition(".")[0] for name in self.texts}
        return {name for name in found if name.partition(".")[0] not in own}

    def libraries(self) -> dict[str, str]:
        """Return versions of the installed distributions that they import, this package apart."""
        tops = {name.partition(".")[0] for name in self.imported()}
        found = {}
        for top in sorted(tops - sys.stdlib_module_names - {NAME}):
            for distribution in _distributions(top):
                found[distribution] = version(distribution).partition("+")[0]
        return found

    def load(self) -> ModuleType:
        """Load the main module, unless it is loaded already.

        Raises:
            BenchError: it, or what it imports, cannot be loaded.
        """
        if not any(isinstance(each, _Loader) and each.of == self for each in sys.meta_path):
            sys.meta_path.insert(0, _Loader(self))
        try:
            return importlib.import_module(f"{self.package}.{self.main}")
        except BenchError:
            raise
        except Exception as error:
            raise BenchError(
                f"{self.main}: cannot be loaded ({type(error).__name__}: {one_line(error)}); it "
                f"must load by itself, with what is installed and the files beside it"
            ) from error


def _meaning(source: str) -> str:
    """Write a module's syntax tree, without texts that stand by themselves."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            body[:] = [each for each in body if not _is_text(each)] or [ast.Pass()]
    return ast.dump(tree)


def _is_text(node: ast.AST) -> bool:
    match node:
        case ast.Expr(value=ast.Constant(value=str())):
            return True
    return False


def _distributions(top: str) -> Sequence[str]:
    try:
        version(top)
    except PackageNotFoundError:
        return sorted(set(packages_distributions().get(top, ())))
    return [top]


class _Loader(MetaPathFinder, InspectLoader):
    """Finds and loads the modules of some sources."""

    def __init__(self, of: Sources) -> None:
        self.of = of
        self.tops = {name.partition(".")[0] for name in of.texts}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a module of the package, or a folder without an ``__init__.py`` in it."""
        package, _, name = fullname.partition(".")
        if package != self.of.package:
            return None
        known = not name or name in self.of.texts or self._is_above(name)
        return ModuleSpec(fullname, self, is_package=self.is_package(fullname)) if known else None

    def _is_above(self, name: str) -> bool:
        return any(each.startswith(f"{name}.") for each in self.of.texts)

    def is_package(self, fullname: str) -> bool:
        """Whether modules may be in it."""
        name = fullname.partition(".")[2]
        return not name or self._is_above(name) or self.of.texts[name].folder

    def get_source(self, fullname: str) -> str:
        """Return a module's source, also for traces."""
        text = self.of.texts.get(fullname.partition(".")[2])
        return text.source if text else ""

    def get_code(self, fullname: str) -> CodeType:
        """Compile a module under its name at home, which traces then show."""
        return self.source_to_code(self.get_source(fullname), f"{fullname.partition('.')[2]}.py")

    def exec_module(self, module: ModuleType) -> None:
        """Run a module, whose imports of its own find the modules beside it."""
        vars(module)["__builtins__"] = vars(builtins) | {"__import__": self._import}
        super().exec_module(module)

    def _import(
        self,
        name: str,
        its_globals: Mapping[str, Any] | None = None,
        its_locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] = (),
        level: int = 0,
    ) -> ModuleType:
        top = name.partition(".")[0]
        if level or top not in self.tops:
            return builtins.__import__(name, its_globals, its_locals, fromlist, level)
        found = builtins.__import__(f"{self.of.package}.{name}", None, None, fromlist or ("_",), 0)
        return found if fromlist else sys.modules[f"{self.of.package}.{top}"]


def of_file(path: Path) -> Sources:
    """Read a file with what it imports of the folder it lies in, or of the package it is part of.

    Raises:
        BenchError: a file cannot be read, or is no Python.
    """
    path = path.resolve()
    root, name = path.parent, path.stem.replace(".", "_")
    while (root / "__init__.py").is_file():
        root, name = root.parent, f"{root.name}.{name}"
    return _gathered(root, name, path)


def of_module(name: str) -> Sources:
    """Read a module by its name, from this folder or from where Python finds modules.

    Raises:
        BenchError: there is none, a file cannot be read, or is no Python.
    """
    for place in (Path.cwd(), *map(Path, sys.path)):
        if path := _file(place, name):
            return _gathered(place.resolve(), name, path)
    raise BenchError(
        f"no module {name}; it was looked for here ({Path.cwd()}), and where Python finds modules"
    )


def _file(root: Path, module: str) -> Path | None:
    place = root.joinpath(*module.split("."))
    files = (place / "__init__.py", place.parent / f"{place.name}.py")
    return next((file for file in files if file.is_file()), None)


def _gathered(root: Path, main: str, path: Path) -> Sources:
    # Of an installed module its own package is its own; what else is installed is a library.
    within = {main.partition(".")[0]} if root.resolve() in _INSTALLED else None
    texts: dict[str, Text] = {}
    waiting = {main: path}
    while waiting:
        name, file = waiting.popitem()
        texts[name] = text = Text(_read(file), file.name == "__init__.py")
        tree = parsed(text.source, file)
        above = (name.rsplit(".", count)[0] for count in range(1, name.count(".") + 1))
        for needed in (*above, *_imports(tree, name, text.folder)):
            top = needed.partition(".")[0]
            own = top not in sys.stdlib_module_names | {NAME} and (within is None or top in within)
            if own and needed not in texts and (found := _file(root, needed)):
                waiting[needed] = found
    return Sources(main, dict(sorted(texts.items())))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").replace("\r\n", "\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BenchError(f"{path}: cannot be read ({one_line(error)})") from error


def parsed(source: str, place: Path | str) -> ast.Module:
    """Parse Python.

    Raises:
        BenchError: it is none; the line is told.
    """
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        told = error.msg if isinstance(error, SyntaxError) else str(error)
        raise BenchError(f"{place}{line}: this is no Python: {told}") from error


def _imports(tree: ast.AST, module: str, folder: bool) -> Iterator[str]:
    """Name what a module imports, with all folders above: ``from .a import b`` is a and a.b."""
    package = module if folder else module.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            if node.level > package.count(".") + bool(package):
                continue  # it leads out of the package: told when it is loaded
            origin = resolve_name("." * node.level + (node.module or ""), package)
            names = [origin, *(f"{origin}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            parts = name.split(".")
            yield from (".".join(parts[:count]) for count in range(1, len(parts) + 1))
