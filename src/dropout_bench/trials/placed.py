"""A plain layer in the place of dropout: a network's variant made of it."""

import inspect
from collections.abc import Mapping
from typing import Any, Literal, get_args

import torch
from torch import nn

from dropout_bench.errors import BenchError
from dropout_bench.models.base import MLP

Place = Literal["after-activation", "before-activation", "before-linear", "input"]
"""Where a layer stands in a hidden layer; ``input`` is in front of the first one alone."""

PLACES: tuple[Place, ...] = get_args(Place)
RATES = ("p", "rate", "dropout", "p_drop", "drop_prob", "drop_rate", "dropout_rate", "prob")
"""Names by which constructors take a rate; else it is the first parameter without a default."""
WIDTHS = ("features", "num_features", "width")
"""Names by which they may ask for the number of units that they stand behind."""


def takes(layer: type[nn.Module]) -> Mapping[str, inspect.Parameter]:
    """Return the parameters of a constructor, but for ``self``."""
    return {
        name: each
        for name, each in inspect.signature(layer).parameters.items()
        if each.kind not in {each.VAR_POSITIONAL, each.VAR_KEYWORD}
    }


def _needed(parameters: Mapping[str, inspect.Parameter]) -> list[str]:
    known = {*WIDTHS, "masks"}
    without = [name for name, each in parameters.items() if each.default is each.empty]
    return [name for name in without if name not in known]


def rate_of(layer: type[nn.Module]) -> str | None:
    """Name the parameter of a constructor that is the rate; None where there is none."""
    parameters = takes(layer)
    named = next((name for name in RATES if name in parameters), None)
    return named or next(iter(_needed(parameters)), None)


def as_variant(layer: type[nn.Module], place: Place = "after-activation") -> type[MLP]:
    """Return the variant in which a layer stands where dropout does: linear, ReLU, layer(rate).

    Beside its rate the constructor may ask for ``features``, the number of units it stands behind,
    and for ``masks``, a stream of random numbers of its own (:class:`dropout_bench.streams.Masks`);
    without it the layer draws from torch's global generator, which every run seeds.

    Raises:
        BenchError: the constructor takes no rate, or asks for more.
    """
    rate_name, parameters = rate_of(layer), takes(layer)
    if rate_name is None:
        raise BenchError(
            f"{layer.__name__} takes no rate; name the parameter p or rate, or write a variant: "
            "a class derived from dropout_bench.models.base.MLP"
        )
    if more := [name for name in _needed(parameters) if name != rate_name]:
        raise BenchError(
            f"{layer.__name__} asks for {', '.join(more)} beside its rate ({rate_name}); give "
            f"{'it' if len(more) == 1 else 'them'} a default, or write a variant"
        )

    def made(linear: nn.Linear, rate: float, masks: Any) -> nn.Module:
        behind = linear.in_features if place in {"before-linear", "input"} else linear.out_features
        also = {"masks": masks, **dict.fromkeys(WIDTHS, behind)}
        values = {rate_name: rate, **{name: also[name] for name in also if name in parameters}}
        # What it draws for its own parameters shifts no weights of the linear maps after it.
        with torch.random.fork_rng(devices=()):
            return layer(**values)

    class Placed(MLP):
        identity_in_evaluation = getattr(layer, "identity_in_evaluation", True)
        plain_layer = layer

        def hidden_layer(self, linear: nn.Linear, rate: float, number: int) -> list[nn.Module]:
            if place == "input" and number > 1:
                return [linear, nn.ReLU()]
            new = made(linear, rate, self.masks(number))
            if place == "after-activation":
                return [linear, nn.ReLU(), new]
            return [linear, new, nn.ReLU()] if place == "before-activation" else [
                new, linear, nn.ReLU()
            ]  # fmt: skip

    Placed.__name__ = Placed.__qualname__ = layer.__name__
    Placed.__doc__ = f"{layer.__name__}, {place}."
    return Placed
