"""What the arms of an experiment do over its draws, against the network without dropout."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from dropout_bench.analysis.population import (
    Factor,
    Population,
    depends,
    gains_of,
    goes_with,
    population,
)
from dropout_bench.analysis.statistics import Interval, mean_interval
from dropout_bench.params.arms import Arm, Cell
from dropout_bench.params.experiment import Experiment
from dropout_bench.params.options import OPTIONS, chosen
from dropout_bench.params.options.base import Option
from dropout_bench.quantities.derived.convergence import steps_per_epoch
from dropout_bench.quantities.quantity import Values
from dropout_bench.tables.read import Results

GAP = "gap without dropout"
"""Training accuracy less validation accuracy of the network without dropout, in points.

The gap to the test accuracy would go with the gain by itself: both have the same test accuracy in
them, and so its noise.
"""


def gap_of(results: Results, cell: Cell | None) -> dict[str, Values]:
    """Return the gap of a network without dropout at each draw, by its name; {} without one."""
    if cell is None or not results.experiment.has_validation:
        return {}
    return {GAP: 100 * results.figures(cell, "overfitting/accuracy")}


_IMAGES = frozenset(
    name for option in OPTIONS if option.on_subset is not Option.on_subset
    for name in option.model_fields
)  # fmt: skip
"""Options that say which images are trained on, or as what: no part of a method."""
_OF_DROPOUT = ("dropout", "input_dropout")


def drops(arm: Arm) -> bool:
    """Whether an arm has dropout: at least one of its candidates."""
    return any(each.has_dropout for each in arm.candidates())


def own_options(experiment: Experiment, arm: Arm) -> list[str]:
    """Name the options that an arm has or chooses, but for dropout, step size and the common."""
    common = {*chosen(experiment), *_OF_DROPOUT, "times_learning_rate"}
    return sorted({*chosen(arm), *arm.choose} - common)


def reference(experiment: Experiment, cell: Cell) -> Cell | None:
    """Return what an arm is compared with: the plain network, of the same images and checkpoint.

    That is the standard variant without dropout, with the fewest options; where there is none, the
    same arm without dropout. None for the plain network itself.
    """
    where = _place(cell)
    plain = [
        other
        for other in experiment.cells()
        if _place(other) == where and other.variant == "standard" and not drops(other.arm)
    ]
    if not plain:
        return experiment.without_dropout(cell)
    plainest = min(plain, key=lambda other: len(own_options(experiment, other.arm)))
    return None if plainest is cell else plainest


def _place(cell: Cell) -> tuple[object, ...]:
    images = {name: value for name, value in chosen(cell.arm).items() if name in _IMAGES}
    return *cell.point, str(images)


@dataclass(frozen=True)
class Compared:
    """An arm against its reference over the draws: gains above 0 are better.

    Attributes:
        accuracy: gain in test accuracy at each draw, in points.
        loss: by how much the test loss is lower, at each draw.
    """

    cell: Cell
    than: Cell
    accuracy: Values
    loss: Values

    @property
    def in_accuracy(self) -> Population:
        """The gains in accuracy over the draws."""
        return population(self.accuracy)

    @property
    def in_loss(self) -> Population:
        """The gains in loss over the draws."""
        return population(self.loss)


def compared(results: Results) -> list[Compared]:
    """Compare every arm with its reference, draw by draw."""
    pairs = [(cell, reference(results.experiment, cell)) for cell in results.experiment.cells()]
    return [
        Compared(
            cell, than, 100 * gains_of(results, cell, than),
            gains_of(results, cell, than, "test/loss"),
        )
        for cell, than in pairs
        if than is not None
    ]  # fmt: skip


def main_arm(experiment: Experiment) -> Cell | None:
    """Return the arm that stands for dropout; None where there is none, or one at each of points.

    Of the arms with dropout and no other option these are asked for in turn: dropout at one half,
    an arm of the name dropout, the first one.
    """
    cells = experiment.cells()
    if len({(cell.hidden, cell.train_size, cell.options) for cell in cells}) > 1:
        return None
    plain = [
        cell
        for cell in cells
        if drops(cell.arm)
        and not own_options(experiment, cell.arm)
        and (than := reference(experiment, cell)) is not None
        and not drops(than.arm)
    ]
    of_name = {cell.label: cell for cell in reversed(plain)}
    of_variant = [cell for cell in plain if cell.variant == "dropout"]
    first = next(iter([*of_variant, *plain]), None)
    return of_name.get("dropout 0.5", of_name.get("dropout", first))


@dataclass(frozen=True)
class Dependence:
    """What an arm's gain in test accuracy goes with, in points.

    Attributes:
        settings: what was drawn, and the gap without dropout, a row a draw.
        factors: what was asked about, the smallest p first.
    """

    pair: Compared
    settings: pd.DataFrame
    factors: tuple[Factor, ...]

    @property
    def found(self) -> list[Factor]:
        """What it goes with, after correction."""
        return goes_with(self.factors)


def dependence(results: Results) -> Dependence | None:
    """Ask what the main arm's gain goes with; None where no setting is drawn, or at few draws."""
    settings, cell = results.settings, main_arm(results.experiment)
    if settings.empty or not len(settings.columns) or cell is None or len(settings) < 3:
        return None
    pair = next(each for each in compared(results) if each.cell is cell)
    gap = gap_of(results, pair.than)
    factors = depends(pair.accuracy, settings, gap)
    return Dependence(pair, settings.assign(**gap), tuple(factors))


@dataclass(frozen=True)
class Ended:
    """How the trainings of an arm ended.

    Attributes:
        steps: median of the optimiser steps to the best epoch.
        used: median share of the limit of epochs that was used.
        short: draws at which it was cut short by the limit.
        draws: their number.
    """

    cell: Cell
    steps: float
    used: float
    short: tuple[int, ...]
    draws: int


def ended(results: Results) -> list[Ended]:
    """Say how trainings ended that end by themselves; nothing where they do not."""
    if not results.experiment.converges:
        return []
    found = []
    for cell in results.experiment.cells():
        runs = results.of(cell, "runs")
        steps = float((runs["best_epoch"] * steps_per_epoch(runs)).median())
        used = float((runs["epochs"] / runs["limit"]).median())
        found.append(Ended(cell, steps, used, results.unfinished(cell), len(runs)))
    return found


PLACES = 40
"""Numbers of steps at which a course is read."""


@dataclass(frozen=True)
class Course:
    """The gain in validation accuracy over a training's steps, in points.

    Attributes:
        name: whose: a level of what was drawn, or an arm.
        steps: numbers of optimiser steps, rising.
        gains: mean over draws at each, with its interval.
    """

    name: str
    steps: Values
    gains: list[Interval]

    @property
    def ahead_from(self) -> float:
        """Steps from which the mean gain is above 0 to the end; infinite if it ends below."""
        below = [place for place, gain in enumerate(self.gains) if gain.mean <= 0]
        if not below:
            return float(self.steps[0])
        after = below[-1] + 1
        return float(self.steps[after]) if after < len(self.steps) else np.inf


def courses(results: Results) -> list[Course]:
    """Follow the gain over equally many optimiser steps, of trainings of a fixed number of them.

    Settings have epochs of different lengths, so curves are read at common steps, between epochs
    by a straight line over the logarithm of the steps. With one arm that has dropout there is a
    course for each pixel scale, with several one for each. Arms with the best weights are the same
    trainings as those with the last, and not followed.
    """
    pairs = [
        (cell, than)
        for cell in results.experiment.cells()
        if drops(cell.arm) and cell.checkpoint == "last"
        and (than := reference(results.experiment, cell)) is not None
    ]  # fmt: skip
    if not pairs:
        return []
    runs = results.runs
    first = float(steps_per_epoch(runs).max())
    last = float((runs["epochs"] * steps_per_epoch(runs)).min())
    steps = np.geomspace(first, last, PLACES)
    gains = {cell.label: 100 * (_at(results, cell, steps) - _at(results, than, steps))
             for cell, than in pairs}  # fmt: skip
    settings = results.settings
    if len(pairs) == 1 and "normalise" in settings:
        (rows,) = gains.values()
        groups = {
            level: rows[(settings["normalise"] == level).to_numpy()]
            for level in dict.fromkeys(settings["normalise"])
        }
    else:
        groups = gains
    return [
        Course(name, steps, [mean_interval(column) for column in rows.T])
        for name, rows in groups.items()
        if len(rows)
    ]


def _at(results: Results, cell: Cell, steps: Values) -> Values:
    """Return the validation accuracy of a cell's runs at numbers of steps; (draws, steps)."""
    runs = results.of(cell, "runs").set_index("seed")
    by_seed = results.of(cell, "curves").sort_values("epoch").groupby("seed")
    found = []
    for seed, each in steps_per_epoch(runs).items():
        rows = by_seed.get_group(seed)
        own = np.log((rows["epoch"] * each).to_numpy(dtype=float))
        found.append(np.interp(np.log(steps), own, rows["val/accuracy"].to_numpy(dtype=float)))
    return np.array(found)


@dataclass(frozen=True)
class Choice:
    """How often validation chose each candidate of an arm, the smallest value first."""

    cell: Cell
    draws: dict[str, int]


def choices(results: Results) -> list[Choice]:
    """Count what validation chose, for each arm that chooses."""
    found = []
    for cell in results.experiment.cells():
        if not cell.arm.choose:
            continue
        rows = results.of(cell, "candidates")
        times = rows[rows["chosen"] == 1].groupby("candidate").size()
        arms = sorted(
            cell.arm.candidates(), key=lambda arm: [getattr(arm, name) for name in cell.arm.choose]
        )
        names = [each.text(cell.arm) for each in arms]
        found.append(Choice(cell, {name: int(times.get(name, 0)) for name in names}))
    return found
