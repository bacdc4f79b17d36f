"""The L2 penalty and decoupled weight decay: with SGD the same, with Adam not."""

from collections.abc import Mapping
from typing import Any

from dropout_bench.catalogue.optimisers import OPTIMISERS
from dropout_bench.params.options.base import Option
from dropout_bench.params.values import NotNegative


class Decay(Option):
    """How weights are drawn to 0 (Loshchilov and Hutter 2019, *Decoupled Weight Decay*).

    With ``l2`` the gradient of λ/2 · Σ w² of all parameters enters the optimiser's moments; with
    ``weight_decay`` each step also takes learning_rate · λ · w from every parameter w.
    """

    weight_decay: NotNegative = 0.0
    """decoupled weight decay, per step and unit of step size"""
    l2: NotNegative = 0.0
    """factor λ of an L2 penalty λ/2 · Σ w² in the loss"""

    def check(self, setting: Mapping[str, Any]) -> None:
        """One of the two, and one that the optimiser has."""
        if self.weight_decay and self.l2:
            raise ValueError("l2: weight_decay is set too; choose one of them")
        (way,) = self.optimiser_settings()
        optimiser = OPTIMISERS[setting["optimiser"]]
        if way not in optimiser.penalty:
            other = " or ".join(optimiser.penalty) or "another optimiser"
            raise ValueError(f"{way}: {optimiser.title} does not have it; use {other}")

    def optimiser_settings(self) -> dict[str, float]:
        """Return the way and its strength."""
        return {"l2": self.l2} if self.l2 else {"weight_decay": self.weight_decay}
