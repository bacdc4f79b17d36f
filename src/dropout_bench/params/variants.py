"""The MLP variants there are: a file each in ``models/variants``.

What a variant says of itself is read from its source, so that parameters are checked without torch.
"""

import ast
import functools
import pkgutil

from dropout_bench.catalogue.source import PACKAGE, imports_of, text_of

_FOLDER = "models.variants"

VARIANTS = frozenset(
    module.name.replace("_", "-")
    for module in pkgutil.iter_modules([str(PACKAGE.joinpath(*_FOLDER.split(".")))])
)
"""Names of the variants: those of the files, with hyphens."""


def module_of(variant: str) -> str:
    """Name the module of a variant."""
    return f"{_FOLDER}.{variant.replace('-', '_')}"


@functools.cache
def counterpart(variant: str) -> str | None:
    """Return the variant that one is at rate 0; None for one that takes no dropout.

    It is the ``counterpart`` of its class, or of the variant that it is derived from.
    """
    return _declared(module_of(variant))


def _declared(module: str) -> str | None:
    for node in ast.walk(ast.parse(text_of(module))):
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Constant):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(t, ast.Name) and t.id == "counterpart" for t in targets):
                value = node.value.value
                return None if value is None else str(value)
    bases = sorted(name for name in imports_of(module) if name.startswith(f"{_FOLDER}."))
    return _declared(bases[0]) if bases else "standard"
