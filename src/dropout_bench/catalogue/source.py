"""What our own source says, read and not run: which modules a module needs, and a digest of them.

A digest is of meaning: comments, docstrings, blank lines and line ends are left out.
"""

import ast
import functools
import hashlib
import importlib.util
import io
import tokenize
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
NAME = PACKAGE.name

NOT_DIGESTED = {
    "",  # the package itself: what it calls is digested
    "_version",  # names the release
    "errors",  # computes nothing: it words what is raised
    "catalogue.datasets",  # of the entries, those that are used are part of a key by their values
    "catalogue.optimisers",
}
"""Modules whose text is in no digest, and why."""


_FOR_TYPES = {"TYPE_CHECKING", "typing.TYPE_CHECKING"}


def file_of(module: str) -> Path | None:
    """Return the file of a module of the package, named from within: ``models.base``."""
    place = PACKAGE.joinpath(*module.split(".")) if module else PACKAGE
    for file in (place / "__init__.py", place.with_name(f"{place.name}.py")):
        if file.is_file():
            return file
    return None


def modules_in(folder: str) -> list[str]:
    """Name the modules of a folder of the package, those of the folders in it included."""
    place = PACKAGE / folder.replace(".", "/")
    files = (file.relative_to(PACKAGE).with_suffix("") for file in place.rglob("*.py"))
    names = (".".join(file.parts).removesuffix("__init__").removesuffix(".") for file in files)
    return sorted(names)


def text_of(module: str) -> str:
    """Return a module's source.

    Raises:
        FileNotFoundError: there is no such module.
    """
    file = file_of(module)
    if file is None:
        raise FileNotFoundError(f"{NAME} has no module {module}")
    return file.read_text(encoding="utf-8").replace("\r\n", "\n")


@functools.cache
def imports_of(module: str) -> frozenset[str]:
    """Name the modules of the package that a module imports, anywhere in it but for its types."""
    found = set()
    for node in _executed(ast.parse(text_of(module))):
        if isinstance(node, ast.Import):
            named = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            origin = _origin(module, node)
            named = [origin, *(f"{origin}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in named:
            first, _, rest = name.partition(".")
            if first == NAME and file_of(rest):
                found.add(rest)
    return frozenset(found)


def _origin(module: str, node: ast.ImportFrom) -> str:
    """Name the module that something is imported from, ``from .dropout import …`` included."""
    file = file_of(module)
    within = module if file and file.name == "__init__.py" else module.rpartition(".")[0]
    package = f"{NAME}.{within}".rstrip(".")
    return importlib.util.resolve_name("." * node.level + (node.module or ""), package)


def _executed(node: ast.AST) -> Iterator[ast.AST]:
    """Go over a tree, but for what stands there for type checkers alone."""
    yield node
    children = ast.iter_child_nodes(node)
    if isinstance(node, ast.If) and ast.unparse(node.test) in _FOR_TYPES:
        children = iter(node.orelse)
    for child in children:
        yield from _executed(child)


def closure(*modules: str) -> list[str]:
    """Name all modules of the package that are imported with some, the folders above included."""
    found: set[str] = set()
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        if module not in found and file_of(module):
            found.add(module)
            waiting += imports_of(module)
            if module:
                waiting.append(module.rpartition(".")[0])
    return sorted(found)


@functools.cache
def digest_of(*modules: str) -> str:
    """Digest the source of some modules and of all that they import.

    Raises:
        FileNotFoundError: there is no such module.
    """
    digest = hashlib.sha256()
    for module in modules:
        text_of(module)
    for module in closure(*modules):
        if module not in NOT_DIGESTED:
            text = meaning(module).encode()
            digest.update(f"{module}\0{len(text)}\0".encode() + text)
    return digest.hexdigest()[:32]


@functools.cache
def meaning(module: str) -> str:
    """Return a module's source without what does not change what it does."""
    text = text_of(module)
    source = text.split("\n")
    lines: list[str | None] = [*source]
    for node in ast.walk(ast.parse(text)):
        # A docstring, of a field too: a text that stands by itself, on lines of its own.
        match node:
            case ast.Expr(value=ast.Constant(value=str())) if _alone(node, source):
                for number in range(node.lineno - 1, node.end_lineno or node.lineno):
                    lines[number] = None
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        row, column = token.start
        if token.type == tokenize.COMMENT and (line := lines[row - 1]) is not None:
            lines[row - 1] = line[:column]
    return "\n".join(kept for line in lines if line is not None and (kept := line.rstrip()))


def _alone(node: ast.Expr, lines: list[str]) -> bool:
    """Whether nothing else stands on the lines of a statement, but for a comment."""
    first, last = lines[node.lineno - 1], lines[(node.end_lineno or node.lineno) - 1]
    before = first.encode()[: node.col_offset]
    after = last.encode()[node.end_col_offset :].strip()
    return not before.strip() and (not after or after.startswith(b"#"))
