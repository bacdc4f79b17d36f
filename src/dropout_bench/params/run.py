"""A run, and its place in an experiment."""

from typing import TYPE_CHECKING, NamedTuple

from dropout_bench.params.options import Options
from dropout_bench.params.values import (
    Normalise,
    Rates,
    Strict,
    Widths,
    rates_text,
    widths_text,
)

if TYPE_CHECKING:
    import pandas as pd

# Cell and Job are those of arms.py by now. This file is in the key of every run, so these go with
# the next change of it that asks for other bits.


class Cell(Strict):
    """What an experiment varies, but for the seed.

    Attributes:
        variant: the MLP variant.
        dropout: rate of each hidden layer.
        input_dropout: rate of the pixels.
        hidden: units of each hidden layer.
        train_size: number of training images.
        options: name of a combination of options, "" where the experiment has none.
        label: names the cell as tables and figures do, by what varies in its experiment:
            ``dropout 0.5``, or ``standard, 500 images``.
    """

    label: str
    variant: str
    dropout: Rates
    input_dropout: float
    hidden: Widths
    train_size: int
    options: str

    def row(self) -> dict[str, str | float]:
        """Return the columns that tell the cell in every table."""
        return {
            "variant": self.variant,
            "input_dropout": self.input_dropout,
            "dropout": rates_text(self.dropout),
            "hidden": widths_text(self.hidden),
            "train_size": self.train_size,
            "options": self.options,
        }

    def rows_of(self, table: "pd.DataFrame") -> "pd.DataFrame":
        """Return the cell's rows of a table."""
        row = self.row()
        rows: pd.DataFrame = table[(table[list(row)] == list(row.values())).all(axis=1)]
        return rows


class Run(Options):
    """One training: everything that its result depends on, but for code, data bytes and machine.

    Two experiments that ask for the same run share it, so every value stands here resolved: all
    classes by number, the training-set size in images, a rate for every hidden layer.
    """

    dataset: str
    classes: tuple[int, ...]
    train_size: int
    validation: float
    normalise: Normalise
    variant: str
    hidden: tuple[int, ...]
    dropout: tuple[float, ...]
    input_dropout: float
    learning_rate: float
    batch_size: int
    epochs: int
    seed: int
    optimiser: str = "adam"


class Job(NamedTuple):
    """A run as an experiment asks for it.

    Attributes:
        cell: its cell.
        run: the run.
        name: its path within the experiment: ``dropout/dropout=0.5/seed=3``.
    """

    cell: Cell
    run: Run
    name: str
