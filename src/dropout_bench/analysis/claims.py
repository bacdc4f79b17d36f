"""``claims.yaml`` as typed, validated values: what the sources published."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from dropout_bench.errors import BenchError, did_you_mean
from dropout_bench.params import Experiment, Strict, read_yaml, validated

Metric = Literal[
    "train/loss",
    "train/accuracy",
    "val/loss",
    "val/accuracy",
    "test/loss",
    "test/accuracy",
    "seconds",
]


class Figure(Strict):
    """A published figure: a value, at an epoch or of the evaluated weights, or one per epoch."""

    cell: str
    metric: Metric
    value: float | None = None
    epoch: Annotated[int, Field(gt=0)] | None = None
    by_epoch: tuple[float, ...] = ()
    of: str = ""

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.value is None) == (not self.by_epoch):
            raise ValueError("give either value, with or without epoch, or by_epoch")
        return self

    def values(self) -> list[tuple[int | None, float]]:
        """List (epoch, value); the epoch is None for a figure of the evaluated weights."""
        if self.value is not None:
            return [(self.epoch, self.value)]
        return list(enumerate(self.by_epoch, start=1))


class Published(Strict):
    """What one source published about one experiment."""

    title: str
    source: str
    says: str
    figures: tuple[Figure, ...]


class Claims(Strict):
    """The whole of ``claims.yaml``."""

    published: dict[str, Published] = Field(default_factory=dict)


def load_claims(path: Path, experiments: Mapping[str, Experiment]) -> Claims:
    """Read ``claims.yaml`` and check that all it names exists.

    Raises:
        BenchError: a key is misspelled, or an experiment, cell or epoch does not exist.
    """
    claims = validated(Claims, read_yaml(path), path)
    for name, published in claims.published.items():
        place = f"{path}: published.{name}"
        if name not in experiments:
            raise BenchError(f"{place}: no such experiment; {did_you_mean(name, experiments)}")
        experiment = experiments[name]
        cells = [cell.label for cell in experiment.cells()]
        for number, figure in enumerate(published.figures):
            here = f"{place}.figures[{number}]"
            if figure.cell not in cells:
                raise BenchError(
                    f'{here}.cell: no cell "{figure.cell}"; {did_you_mean(figure.cell, cells)}'
                )
            for epoch, _ in figure.values():
                if epoch is not None and epoch > experiment.epochs:
                    raise BenchError(
                        f"{here}: epoch {epoch}, and {name} trains for {experiment.epochs}"
                    )
    return claims
