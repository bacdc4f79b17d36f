"""Tables of results in the form that the report shows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from dropout_bench.analysis.claims import Check, Published
from dropout_bench.analysis.ledger import LedgerEntry, Measured
from dropout_bench.analysis.statistics import Interval, mean_interval, prediction_interval
from dropout_bench.params.options import Options
from dropout_bench.params.run import Cell
from dropout_bench.quantities.registry import quantity
from dropout_bench.tables.read import Results


def percent(value: float) -> str:
    """Write a fraction as a percentage with two decimals."""
    return f"{100 * value:.2f} %"


def number(metric: str, value: float) -> str:
    """Write a value as its metric is usually read."""
    if math.isnan(value):
        return "–"
    return percent(value) if metric.endswith("accuracy") else f"{value:.4f}"


def mean_and_sd(metric: str, values: Sequence[float]) -> str:
    """Write ``mean ± standard deviation`` of values over seeds."""
    sample = pd.Series(values)
    if len(sample) < 2 or sample.isna().any():
        return number(metric, float(sample.mean()))
    if metric.endswith("accuracy"):
        return f"{100 * sample.mean():.2f} ± {100 * sample.std():.2f} %"
    digits = 2 if metric == "seconds" else 4
    return f"{sample.mean():.{digits}f} ± {sample.std():.{digits}f}"


@dataclass(frozen=True)
class Comparison:
    """A published figure beside ours."""

    cell: Cell
    metric: str
    epoch: int | None
    of: str
    published: float
    values: Sequence[float]

    @property
    def interval(self) -> Interval:
        """The 95 % prediction interval of a single run of ours."""
        return prediction_interval(self.values)

    @property
    def inside(self) -> bool:
        """Whether the published figure could be one more run of ours."""
        return self.published in self.interval

    @property
    def what(self) -> str:
        """Name the figure: cell, metric, epoch."""
        return ", ".join(
            [
                self.metric,
                *([f"epoch {self.epoch}"] if self.epoch else []),
                *([self.of] if self.of else []),
            ]
        )


def comparisons(results: Results, published: Published) -> list[Comparison]:
    """Set every published figure, but for times, beside ours."""
    cells = {cell.label: cell for cell in results.experiment.cells()}
    return [
        Comparison(
            cells[figure.cell],
            figure.metric,
            epoch,
            figure.of,
            value,
            results.figures(cells[figure.cell], figure.metric, epoch=epoch).tolist(),
        )
        for figure in published.figures
        if figure.metric != "seconds"
        for epoch, value in figure.values()
    ]


@dataclass(frozen=True)
class Effect:
    """What dropout changes in a metric: paired differences by seed, against no dropout."""

    cell: Cell
    metric: str
    difference: Interval

    @property
    def clear(self) -> bool:
        """Whether the interval leaves zero out."""
        return 0.0 not in self.difference and not math.isnan(self.difference.low)


@dataclass(frozen=True)
class Timing:
    """How long the training of a cell took beside no dropout, and what was published."""

    cell: Cell
    per_epoch: Sequence[float]
    ratio: Interval | None
    published: float | None
    published_ratio: float | None


def timings(results: Results, published: Published | None) -> list[Timing]:
    """Read the times of an experiment's runs; ratios to no dropout are paired by seed."""
    if results.timings.empty:
        return []
    times = {
        figure.cell: figure.value
        for figure in (published.figures if published else ())
        if figure.metric == "seconds"
    }
    rows = []
    for cell in results.experiment.cells():
        per_epoch = _seconds_per_epoch(results.of(cell, "timings"))
        base = results.experiment.without_dropout(cell)
        theirs = times.get(cell.label)
        ratio = their_ratio = None
        if base is not None:
            without = _seconds_per_epoch(results.of(base, "timings"))
            ratio = mean_interval([a / b for a, b in zip(per_epoch, without, strict=True)])
            if theirs and times.get(base.label):
                their_ratio = theirs / (times[base.label] or math.nan)
        rows.append(Timing(cell, per_epoch, ratio, theirs, their_ratio))
    return rows


def _seconds_per_epoch(rows: pd.DataFrame) -> list[float]:
    values: list[float] = (rows["seconds"] / rows["epochs"]).tolist()
    return values


def effects(results: Results, metric: str) -> list[Effect]:
    """Compare each cell with the same one without dropout, by seed, where there is one."""
    found = []
    for cell in results.experiment.cells():
        if (base := results.experiment.without_dropout(cell)) is not None:
            difference = results.figures(cell, metric) - results.figures(base, metric)
            found.append(Effect(cell, metric, mean_interval(difference)))
    return found


def by_class(results: Results, cell: Cell) -> list[float]:
    """Return the share of each class's test images that is classified correctly, over all seeds."""
    rows = cell.rows_of(results.confusion)
    right = rows[rows["true"] == rows["predicted"]].set_index("true")["images"]
    shares: list[float] = (right / rows.groupby("true")["images"].sum()).tolist()
    return shares


def options(chosen: Options) -> str:
    """Write the options that are on: ``max_norm 1.0, learning_rate_decay linear``."""
    on = {
        name: value
        for name in Options.model_fields
        if (value := getattr(chosen, name)) != Options.model_fields[name].default
    }
    return ", ".join(f"{name} {value}" for name, value in on.items()) or "none"


def seeds(entries: Sequence[LedgerEntry]) -> str:
    """Write with how many seeds claims were tested: ``10``, or ``5 to 10``."""
    counts = sorted({entry.seeds for entry in entries})
    return " to ".join(map(str, dict.fromkeys((counts[0], counts[-1]))))


def effect(measured: Measured) -> str:
    """Write what was measured for a check: a difference with its interval, in its unit."""
    check = measured.check
    if check.direction in {"rising", "falling"}:
        unit, scale, digits = " (Kendall's τ)", 1.0, 2
    elif quantity(check.metric).unit == "fraction":
        unit, scale, digits = " points", 100.0, 2
    else:
        unit, scale, digits = "", 1.0, 3
    mean, low, high = (scale * value for value in measured.interval)
    return f"{mean:+.{digits}f} ({low:+.{digits}f} to {high:+.{digits}f}){unit}"


def told(check: Check) -> str:
    """Write a check as a phrase: ``test/accuracy: dropout 0.5 higher than standard``."""
    place = f" at {check.at:g}" if check.at is not None else ""
    place += f", epoch {check.epoch}" if check.epoch else ""
    what = f"{'gain in ' if check.gain else ''}{check.metric}{place}"
    if isinstance(check.of, tuple):
        return f"{what}: {check.direction} from {check.of[0]} to {check.of[-1]}"
    other = (
        check.than
        if check.than is not None
        else f"at {check.than_at:g}"
        if check.than_at is not None
        else 0
    )
    than = "to" if check.direction == "equal" else "than"
    return f"{what}: {check.of} {check.direction} {than} {other}"


class Cost(NamedTuple):
    """Seconds of training that an experiment takes: all of its runs, and those that are new."""

    all: float
    new: float


def costs(results: Results, seen: list[str]) -> Cost:
    """Add up the times of an experiment's runs.

    Args:
        results: the experiment.
        seen: keys of the runs of earlier experiments; this one's are added.
    """
    identity = [*results.experiment.cells()[0].row(), "seed"]
    seconds = results.runs.merge(results.timings, on=identity)[["key", "seconds"]]
    new = seconds[~seconds["key"].isin(seen)]
    seen += seconds["key"].tolist()
    return Cost(float(seconds["seconds"].sum()), float(new["seconds"].sum()))
