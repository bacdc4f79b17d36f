"""The source of a class that stands in a notebook, in a script, or in a function."""

import ast
import builtins
import linecache
import sys
import textwrap
from collections.abc import Iterator, Mapping
from inspect import getsourcefile
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from dropout_bench.errors import BenchError
from dropout_bench.trials.sources import Sources, Text, of_file

MAIN = "notebook"
_PLAIN = (bool, int, float, complex, str, bytes, type(None))


def sources_of(cls: type) -> Sources:
    """Return the source of a class and of all that it needs of its own.

    Of a class in a module that can be imported that is the module's file. Of one in a notebook, a
    script or a function it is the class itself, with what it names: imports, functions, classes and
    constants; nothing else of the notebook or script is run again.

    Raises:
        BenchError: its source cannot be had, or it needs what is not in it.
    """
    module = sys.modules.get(cls.__module__)
    file = getattr(module, "__file__", None)
    if cls.__module__ != "__main__" and file and "." not in cls.__qualname__:
        return of_file(Path(file))
    parts: dict[str, str] = {}
    _write(cls, parts, cls.__name__)
    return Sources(MAIN, {MAIN: Text("\n\n".join(parts.values()) + "\n", False)})


def _write(thing: Any, parts: dict[str, str], wanted_by: str) -> None:
    """Write a class or function after all that it names."""
    name = thing.__name__
    node, text = _definition(thing)
    parts.pop(name, None)
    known = _names_around(thing)
    parts[name] = ""  # it may name itself
    for used in dict.fromkeys(_free(node)):
        if used in parts or used == name or hasattr(builtins, used):
            continue
        if used not in known:
            raise BenchError(
                f"{name} needs {used}, which is not at the top of the notebook or file; move both "
                "into a file, and try that"
            )
        _write_name(used, known[used], parts, wanted_by)
    del parts[name]
    parts[name] = text


def _write_name(name: str, value: Any, parts: dict[str, str], wanted_by: str) -> None:
    if isinstance(value, ModuleType):
        if value.__name__ == "__main__":
            raise BenchError(f"{wanted_by} needs the module __main__; move it into a file")
        parts[name] = f"import {value.__name__} as {name}"
    elif isinstance(value, _PLAIN) or (
        isinstance(value, tuple | list) and all(isinstance(each, _PLAIN) for each in value)
    ):
        parts[name] = f"{name} = {value!r}"
    elif isinstance(value, type | FunctionType) and _is_local(value):
        _write(value, parts, wanted_by)
        if name != value.__name__:
            parts[name] = f"{name} = {value.__name__}"
    elif hasattr(value, "__module__") and hasattr(value, "__name__") and not _is_local(value):
        parts[name] = f"from {value.__module__} import {value.__name__} as {name}"
    else:
        raise BenchError(
            f"{wanted_by} needs {name}, {type(value).__name__} that has no source; write it inside "
            "the class, or move both into a file and try that"
        )


def _is_local(value: Any) -> bool:
    return value.__module__ == "__main__" or "<locals>" in value.__qualname__


def _definition(thing: Any) -> tuple[ast.AST, str]:
    """Find where a class or function is defined; return it, and its text."""
    code = thing.__code__ if isinstance(thing, FunctionType) else _code_of(thing)
    file = code.co_filename if code is not None else getsourcefile_of(thing)
    lines = linecache.getlines(file) if file else []
    try:
        tree = ast.parse("".join(lines))
    except SyntaxError:
        tree = ast.Module([], [])
    kinds = (ast.FunctionDef, ast.ClassDef)
    found = [n for n in ast.walk(tree) if isinstance(n, kinds) and n.name == thing.__name__]
    if code is not None and len(found) > 1:
        line = code.co_firstlineno
        found = [n for n in found if _first(n) <= line <= (n.end_lineno or 0)]
    if not found:
        raise BenchError(
            f"the source of {thing.__name__} cannot be had (it was not typed into a file or a "
            "notebook's cell); write it into a file, and try that"
        )
    node = found[-1]
    text = "".join(lines[_first(node) - 1 : node.end_lineno])
    return node, textwrap.dedent(text).rstrip()


def _first(node: ast.FunctionDef | ast.ClassDef) -> int:
    return min([node.lineno, *(each.lineno for each in node.decorator_list)])


def getsourcefile_of(thing: Any) -> str | None:
    """Name the file of a class without methods."""
    try:
        return getsourcefile(thing)
    except (TypeError, OSError):
        return None


def _functions(cls: type) -> Iterator[FunctionType]:
    for each in vars(cls).values():
        inner = each.fget if isinstance(each, property) else getattr(each, "__func__", each)
        if isinstance(inner, FunctionType):
            yield inner


def _code_of(cls: type) -> Any:
    """Return the code of a method of a class that was written in it; None where there is none."""
    those = (each for each in _functions(cls) if each.__qualname__.startswith(cls.__qualname__))
    return next((each.__code__ for each in those), None)


def _names_around(thing: Any) -> Mapping[str, Any]:
    function = thing if isinstance(thing, FunctionType) else next(_functions(thing), None)
    known = dict(vars(sys.modules[thing.__module__])) if thing.__module__ in sys.modules else {}
    if function is not None:
        cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        closed = {name: cell.cell_contents for name, cell in cells if name != "__class__"}
        return {**known, **function.__globals__, **closed}
    return known


def _free(node: ast.AST) -> Iterator[str]:
    """Name what a definition reads and does not bind anywhere within itself."""
    bound: set[str] = set()
    read: list[str] = []
    for each in ast.walk(node):
        if isinstance(each, ast.Name):
            if isinstance(each.ctx, ast.Load):
                read.append(each.id)
            else:
                bound.add(each.id)
        elif isinstance(each, ast.arg):
            bound.add(each.arg)
        elif isinstance(each, ast.FunctionDef | ast.ClassDef) and each is not node:
            bound.add(each.name)
        elif isinstance(each, ast.alias):
            bound.add((each.asname or each.name).partition(".")[0])
        elif isinstance(each, ast.ExceptHandler) and each.name:
            bound.add(each.name)
    yield from (name for name in read if name not in bound | {"__class__"})
