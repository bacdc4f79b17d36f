"""How long a training takes to its best."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from dropout_bench.quantities.quantity import Asked, Quantity, Values, derived

if TYPE_CHECKING:
    import pandas as pd


@derived(
    Quantity(
        "convergence/steps", "steps until the validation loss is near its lowest", "log steps",
        "how near: by how much it may be above the lowest, as a fraction of it", split="val",
        higher_is_better=False, least_epochs=1,
    )
)  # fmt: skip
def steps(asked: Asked) -> Values:
    """Natural logarithm of the optimiser steps until the validation loss is near its lowest.

    At 0.05 near means within 5 % of the lowest loss of the same training; at 0 the lowest itself.
    Differences of two are logarithms of ratios. Whole epochs are counted.
    """
    per_epoch = steps_per_epoch(asked.rows("runs").set_index("seed"))
    near = 1.0 + (asked.at or 0.0)
    found = []
    by_seed: Any = asked.rows("curves").groupby("seed")
    for seed, rows in by_seed:
        losses = rows.set_index("epoch")["val/loss"].sort_index()
        first = losses.index[losses <= near * losses.min()][0]
        found.append(np.log(first * per_epoch[seed]))
    return np.array(found)


def steps_per_epoch(runs: "pd.DataFrame") -> "pd.Series[float]":
    """Return the optimiser steps of an epoch of each run, from its row in ``runs.csv``."""
    return (runs["train_size"] / runs["batch_size"]).map(math.ceil)
