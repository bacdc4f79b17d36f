"""The optimisers of ``torch.optim`` that a run may be trained with: an entry each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Optimiser:
    """An optimiser. All of it but the title is part of the key of the runs that use it.

    Attributes:
        title: its name in prose.
        torch: its class in ``torch.optim``.
        settings: its arguments, besides the step size.
        penalty: for each way of drawing weights to 0 that it has, ``l2`` (through the gradient) or
            ``weight_decay`` (apart from it), the arguments that choose that way.
    """

    title: str
    torch: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    penalty: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        """Return what a run's bytes depend on."""
        return {name: value for name, value in vars(self).items() if name != "title"}


OPTIMISERS = {
    "adam": Optimiser(
        title="Adam",  # Kingma and Ba 2015, with the usual moments
        torch="Adam",
        settings={"fused": True},
        penalty={"l2": {}, "weight_decay": {"decoupled_weight_decay": True}},
    ),
    "adamw": Optimiser(
        title="AdamW",  # Loshchilov and Hutter 2019
        torch="AdamW",
        settings={"fused": True, "weight_decay": 0.0},  # torch's own default is 0.01
        penalty={"weight_decay": {}},
    ),
    "sgd": Optimiser(
        title="SGD with momentum 0.9",  # Sutskever et al. 2013
        torch="SGD",
        settings={"momentum": 0.9, "fused": True},
        penalty={"l2": {}},
    ),
}
