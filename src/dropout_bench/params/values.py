"""Kinds of values in ``params.yaml``, and how they are written."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, model_validator

from dropout_bench.errors import did_you_mean, shortened


def read_rates(value: Any) -> Any:
    """Read ``0.5`` (every layer), ``"0.5/0.3"`` or ``[0.5, 0.3]`` (layer by layer)."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split("/"))
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def rates_text(rates: tuple[float, ...]) -> str:
    """Write rates as tables show them: ``0.5``, or ``0.5/0.3`` where the layers differ."""
    return "/".join(str(rate) for rate in (rates[:1] if len(set(rates)) == 1 else rates))


def unique(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return values among which none is twice."""
    twice = sorted({str(value) for value in values if values.count(value) > 1})
    if twice:
        raise ValueError(f"listed twice: {', '.join(twice)}")
    return values


def widths_text(widths: tuple[int, ...]) -> str:
    """Write the widths of hidden layers as tables show them: ``256-128``."""
    return "-".join(map(str, widths))


Rate = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]
Rates = Annotated[tuple[Rate, ...], BeforeValidator(read_rates), PlainSerializer(rates_text)]
Widths = Annotated[tuple[int, ...], PlainSerializer(widths_text)]
PositiveInt = Annotated[int, Field(gt=0, strict=True)]
Seed = Annotated[int, Field(ge=0, lt=2**32, strict=True)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
OptionsName = Annotated[str, Field(pattern=r"^[a-z][a-z-]*$")]


class Strict(BaseModel):
    """Frozen, and an unknown key is an error: a misspelled setting must not pass for a default."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, content: Any) -> Any:
        if isinstance(content, dict):
            known = [field.alias or name for name, field in cls.model_fields.items()]
            for key in content:
                if key not in known:
                    hint = did_you_mean(str(key), known)
                    raise ValueError(f'unknown key "{shortened(key)}"; {hint}')
        return content


class Normalise(Strict):
    """Pixels enter the network as (v − mean) / sd, where v in [0, 1] is the pixel's value."""

    mean: Annotated[float, Field(allow_inf_nan=False)] = 0.0
    """what is taken from every pixel"""
    sd: Positive = 1.0
    """what it is then divided by"""
