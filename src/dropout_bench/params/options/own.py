"""Options of a variant's own."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, ValidationError

from dropout_bench.params.options.base import Option


def _pairs(value: Any) -> Any:
    return tuple(sorted(value.items())) if isinstance(value, dict) else value


class Own(Option):
    """What a variant declares beside its rates: ``Own`` of its class."""

    own: Annotated[
        tuple[tuple[str, bool | int | float | str], ...],
        BeforeValidator(_pairs),
        PlainSerializer(dict),
    ] = ()
    """options of the variant's own, by name"""

    def check(self, setting: Mapping[str, Any]) -> None:
        """Every variant of the experiment has them, and takes the values."""
        from dropout_bench.models.variants import variant_class

        for variant in setting["variants"]:
            try:
                variant_class(variant).Own.model_validate(dict(self.own))
            except ValidationError as error:
                fault = error.errors()[0]
                where = ".".join(map(str, ("own", *fault["loc"])))
                told = str(fault["msg"]).removeprefix("Value error, ")
                raise ValueError(f'{where}: variant "{variant}": {told}') from error
