"""What several figures of the evaluated weights say together."""

from dataclasses import replace

import numpy as np

from dropout_bench.quantities.derived.columns import CALIBRATION, CURVES
from dropout_bench.quantities.quantity import Asked, Quantity, Values, derived

GAPS = (
    Quantity("gap/loss", "test loss − training loss", "nats"),
    Quantity("gap/accuracy", "training accuracy − test accuracy", "fraction"),
)


@derived(*GAPS)
def gap(asked: Asked) -> Values:
    """Generalisation gap, both sides in evaluation mode: above 0 where training does better."""
    test, train = (asked.other(f"{split}/{asked.of}") for split in ("test", "train"))
    return test - train if asked.of == "loss" else train - test


@derived(
    *(
        replace(
            of, name=f"deviation/{of.name}", title=f"distance from the mean {of.title}",
            epoch=False, higher_is_better=False,
        )
        for of in (*CURVES, *CALIBRATION, *GAPS)
    )
)  # fmt: skip
def deviation(asked: Asked) -> Values:
    """Distance from the mean over seeds, of the evaluated weights."""
    values = asked.other(asked.of)
    distance: Values = np.abs(values - values.mean())
    return distance
