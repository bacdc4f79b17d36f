"""How long trainings took."""

import numpy as np

from dropout_bench.quantities.quantity import Asked, Quantity, Values, derived


@derived(
    Quantity(
        "log-seconds", "time per epoch", "log seconds", higher_is_better=False, timed=True
    )
)  # fmt: skip
def log_seconds(asked: Asked) -> Values:
    """Natural logarithm of the seconds per epoch; for claims under ``timed``."""
    rows = asked.rows("timings")
    if rows.empty:
        return np.array([])
    logarithms: Values = np.log((rows["seconds"] / rows["epochs"]).to_numpy(dtype=float))
    return logarithms
