"""What any variant can be combined with: an option is a file here, its field and what it does."""

import importlib
import inspect
import pkgutil
from typing import TYPE_CHECKING, Any

from pydantic import create_model

from dropout_bench.params.options.base import Option


def _options_of(module: str) -> tuple[type[Option], ...]:
    found = vars(importlib.import_module(f"{__name__}.{module}")).values()
    return tuple(
        each
        for each in found
        if inspect.isclass(each)
        and issubclass(each, Option)
        and each.model_fields
        and each.__module__ == f"{__name__}.{module}"
    )


OPTIONS = tuple(
    option
    for module in sorted(found.name for found in pkgutil.iter_modules(__path__))
    for option in _options_of(module)
)
"""Every option there is."""

if TYPE_CHECKING:

    class Options(Option):
        """A value of every option."""

else:
    Options = create_model("Options", __base__=OPTIONS, __doc__="A value of every option.")


def chosen(options: Option) -> dict[str, Any]:
    """Return what is not at its neutral value, by name."""
    neutral = Options()
    return {
        name: value
        for name in Options.model_fields
        if (value := getattr(options, name)) != getattr(neutral, name)
    }


def active(options: Option) -> list[Option]:
    """Return the options that are on, each as a value of its own class."""
    on = chosen(options)
    return [
        option.model_validate({name: on[name] for name in option.model_fields if name in on})
        for option in OPTIONS
        if any(name in on for name in option.model_fields)
    ]
