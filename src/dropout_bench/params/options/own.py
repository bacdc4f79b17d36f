"""Options of a variant's own."""

from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

from dropout_bench.params.options.base import Option


def _pairs(value: Any) -> Any:
    return tuple(sorted(value.items())) if isinstance(value, dict) else value


class Own(Option):
    """What a variant declares beside its rates: ``Own`` of its class, which checks the values.

    That class needs torch, so it is asked when a training begins, not when parameters are read.
    """

    own: Annotated[
        tuple[tuple[str, bool | int | float | str], ...],
        BeforeValidator(_pairs),
        PlainSerializer(dict),
    ] = ()
    """options of the variant's own, by name"""
