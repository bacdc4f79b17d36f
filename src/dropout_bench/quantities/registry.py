"""All quantities there are: what the files of ``measured/`` and ``derived/`` enter.

Loading it needs neither torch nor any list: a file that is added is found.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import TYPE_CHECKING

from dropout_bench.errors import BenchError, did_you_mean
from dropout_bench.quantities.quantity import (
    MEASURES,
    QUANTITIES,
    READ,
    Asked,
    Quantity,
    Row,
    Table,
    Values,
)

if TYPE_CHECKING:
    import pandas as pd

    from dropout_bench.data.modules import Subset
    from dropout_bench.models.base import MLP

for _room in ("measured", "derived"):
    _package = import_module(f"dropout_bench.quantities.{_room}")
    for _file in pkgutil.iter_modules(_package.__path__):
        import_module(f"{_package.__name__}.{_file.name}")


def quantity(name: str) -> Quantity:
    """Return the entry of a quantity.

    >>> quantity("gap/loss").unit
    'nats'

    Raises:
        BenchError: there is none of that name.
    """
    if name not in QUANTITIES:
        raise BenchError(f'no quantity "{name}"; {did_you_mean(name, QUANTITIES)}')
    return QUANTITIES[name]


def values(
    name: str,
    rows: Callable[[Table], pd.DataFrame],
    at: float | None = None,
    epoch: int | None = None,
) -> Values:
    """Return a quantity of a cell, a value at each seed; ``rows`` gives the cell's rows of a table.

    Raises:
        BenchError: there is no such quantity, or the tables do not have it at every seed.
    """
    quantity(name)
    found = READ[name](Asked(name, at, epoch, rows))
    if len(found) != len(rows("runs")):
        place = f" at {at:g}" if at is not None else ""
        place += f", epoch {epoch}" if epoch is not None else ""
        raise BenchError(f"there is no {name}{place} of every run")
    return found


def measure(names: Iterable[str], network: MLP, data: Subset, seed: int) -> list[Row]:
    """Measure a trained network, in evaluation mode; its data's training and test images are open.

    Names that are of pictures give no rows.

    Raises:
        BenchError: a function gives what has no entry.
    """
    import torch

    with torch.inference_mode():
        chosen = [MEASURES[name] for name in names if name in MEASURES]
        rows = [row for function in chosen for row in function(network, data, seed)]
    for name in dict.fromkeys(name for name, _, _ in rows):
        quantity(name)
    return rows
