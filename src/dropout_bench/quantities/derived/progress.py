"""How far a training comes."""

from dataclasses import replace

import numpy as np

from dropout_bench.quantities.derived.columns import CURVES
from dropout_bench.quantities.quantity import Asked, Values, derived


@derived(
    *(
        replace(
            of, name=f"progress/{of.name}", title=f"change of the {of.title}", epoch=False,
            least_epochs=2,
        )
        for of in CURVES
    )
)  # fmt: skip
def progress(asked: Asked) -> Values:
    """The last point of a curve less its first."""
    by_seed = asked.rows("curves").sort_values("epoch").groupby("seed")[asked.of]
    return np.asarray(by_seed.last() - by_seed.first(), dtype=float)
