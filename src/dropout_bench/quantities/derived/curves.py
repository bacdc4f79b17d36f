"""What a learning curve says as a whole."""

from dataclasses import replace

import numpy as np

from dropout_bench.quantities.derived.columns import CURVES
from dropout_bench.quantities.quantity import QUANTITIES, Asked, Quantity, Values, derived


def _curves(asked: Asked) -> list[Values]:
    return [
        rows.sort_values("epoch")[asked.of].to_numpy(dtype=float)
        for _, rows in asked.rows("curves").groupby("seed")
    ]


@derived(
    *(
        replace(
            of, name=f"swing/{of.name}", title=f"swing of the {of.title}", epoch=False,
            higher_is_better=False, least_epochs=5,
        )
        for of in CURVES
    )
)  # fmt: skip
def swing(asked: Asked) -> Values:
    """Standard deviation of the steps from one epoch to the next, over the second half.

    NaN where the second half has fewer than two steps.
    """
    steps = [np.diff(curve[len(curve) // 2 :]) for curve in _curves(asked)]
    return np.array([each.std(ddof=1) if len(each) > 1 else np.nan for each in steps])


@derived(
    *(
        Quantity(
            f"epochs-to/{of.name}", f"epochs until the {of.title} is reached", "epochs",
            f"{of.title} to reach", split=of.split, higher_is_better=False, least_epochs=1,
        )
        for of in CURVES
    )
)  # fmt: skip
def epochs_to(asked: Asked) -> Values:
    """Epochs until the curve is at a level or better, between epochs by a straight line.

    One more than there are if it never is.
    """
    sign = -1.0 if QUANTITIES[asked.of].higher_is_better else 1.0
    level = sign * (np.nan if asked.at is None else asked.at)
    return np.array([_crossing(sign * curve, level) for curve in _curves(asked)])


def _crossing(curve: Values, level: float) -> float:
    below = np.flatnonzero(curve <= level)
    if not len(below):
        return float(len(curve) + 1)
    first = int(below[0])
    if first == 0:
        return 1.0
    before, after = curve[first - 1], curve[first]
    return float(first + (before - level) / (before - after))
