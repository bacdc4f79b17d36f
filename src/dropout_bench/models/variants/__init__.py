"""The MLP variants, one module each: variant ``dropout`` is the class in ``dropout.py``.

A new module here is a new variant, without another line of code; ``-`` in a name is ``_`` in the
file's.
"""

import importlib
import inspect

from dropout_bench.models.base import MLP


def variant_class(name: str) -> type[MLP]:
    """Return the class of a variant.

    Args:
        name: the variant's name in ``params.yaml``, one of
            :data:`dropout_bench.params.variants.VARIANTS`.
    """
    module = importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
    (variant,) = (
        member
        for _, member in inspect.getmembers(module, inspect.isclass)
        if issubclass(member, MLP) and member.__module__ == module.__name__
    )
    return variant
