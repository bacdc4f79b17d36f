"""Values in the form that the report shows: text, and nothing but text."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from dropout_bench.analysis.claims import Check
from dropout_bench.analysis.effects import Effect
from dropout_bench.analysis.ledger import Measured
from dropout_bench.analysis.statistics import Interval
from dropout_bench.catalogue.datasets import DATASETS
from dropout_bench.params.arms import Arm
from dropout_bench.params.draws import Range
from dropout_bench.params.experiment import Experiment
from dropout_bench.params.options import Options, chosen
from dropout_bench.params.values import Normalise, rates_text, widths_text
from dropout_bench.quantities.registry import quantity


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


def thousands(numbers: Iterable[int]) -> list[str]:
    """Write whole numbers with commas."""
    return [f"{each:,}" for each in numbers]


def span(bounds: tuple[int, int]) -> str:
    """Write ``10``, or ``5 to 10``."""
    return " to ".join(map(str, dict.fromkeys(bounds)))


def span_of(numbers: Iterable[int]) -> str:
    """Write whole numbers: all of them where they are few, else the smallest to the largest."""
    values = sorted(set(numbers))
    shown = [f"{each:,}" for each in values]
    return ", ".join(shown) if len(shown) < 5 else f"{shown[0]} to {shown[-1]}"


def setup(experiment: Experiment, optimisers: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Say how an experiment is set up, a line each: what, and how."""
    draw, source = experiment.draw, experiment.source
    data = " or ".join(DATASETS[name].title for name in experiment.datasets)
    if experiment.classes != "all":
        kept = (f"{label} ({source.classes[label]})" for label in experiment.classes)
        data += f", classes {', '.join(kept)}"
    images = _drawn(draw.train_size) or "; ".join(thousands(experiment.resolved_train_sizes))
    if experiment.validation:
        images += f", of which {100 * experiment.validation:g} % are held out for validation"
    elif experiment.validation_images:
        images += f", and {experiment.validation_images:,} more for validation"
    else:
        images += ", none held out"
    pixels = _drawn(draw.normalise) or _pixels(experiment.normalise)
    ends = f"-{len(experiment.resolved_classes)}"
    networks = ", ".join(
        f"{source.pixels}-{widths_text(widths)}{ends}"
        for widths in draw.hidden or experiment.hidden
    )
    optimiser = optimisers[experiment.optimiser].title
    step = _drawn(draw.learning_rate) or experiment.learning_rate
    batch = _drawn(draw.batch_size) or experiment.batch_size
    length = f"{experiment.epochs} epochs"
    if experiment.steps:
        length = (
            f"at most {experiment.steps:,} steps"
            if experiment.converges
            else (f"{experiment.steps:,} steps")
        )
    if experiment.converges:
        length += (
            f", ended when the validation loss has not fallen for {experiment.patience_steps} steps"
        )
    lines = [
        ("data", data),
        ("training images", images),
        ("pixels", pixels),
        ("network", networks),
        ("training", f"{optimiser}, step size {step}, batches of {batch}, {length}"),
    ]
    if experiment.combinations:
        told = (f"{name}: {options(each)}" for name, each in experiment.combinations.items())
        lines.append(("options", "; ".join(told)))
    elif (told_options := options(experiment)) != "none":
        lines.append(("options", told_options))
    lines += [(f"arm *{name}*", _arm(arm)) for name, arm in experiment.arms.items()]
    if not experiment.arms:
        lines.append(("arms", "; ".join(cell.label for cell in experiment.cells())))
    shared = "the same split, initial weights and batch order at the same seed"
    times = "draws of the setting" if draw.names else "seeds"
    number = f"{len(experiment.cells())} arms × {len(experiment.seeds)} {times}"
    lines.append(("runs", f"{number}, paired: {shared}"))
    of = {
        "last": "the weights after the last epoch",
        "best": "the weights with the lowest validation loss",
    }
    lines.append(("evaluated", of[experiment.checkpoint]))
    return lines


def _pixels(normalise: Normalise | str) -> str:
    if isinstance(normalise, str):
        return normalise
    return f"in [0, 1], then (v − {normalise.mean}) / {normalise.sd}"


def _drawn(values: Any) -> str:
    """Write what is drawn; "" where nothing is."""
    if values is None:
        return ""
    if isinstance(values, Range):
        return f"drawn from {values.low:g} to {values.high:g}, every ratio as likely"
    names = (widths_text(each) if isinstance(each, tuple) else f"{each}" for each in values)
    return f"drawn from {', '.join(names)}"


def _arm(arm: Arm) -> str:
    """Write an arm: ``dropout, 0.5, max_norm 1.0; chosen on validation: dropout 0.2 0.5``."""
    parts = [arm.variant]
    if arm.has_dropout:
        parts.append(rates_text(arm.dropout))
    if arm.input_dropout:
        parts.append(f"input {arm.input_dropout}")
    parts += [f"{name} {value}" for name, value in chosen(arm).items()]
    if arm.checkpoint:
        parts.append(f"{arm.checkpoint} weights")
    told = ", ".join(parts)
    names = {"times_learning_rate": "times the step size", "dropout": "rate"}
    picked = [
        f"{names.get(name, name)} "
        + " or ".join(rates_text(v) if isinstance(v, tuple) else f"{v}" for v in values)
        for name, values in ((k, [getattr(c, k) for c in arm.candidates()]) for k in arm.choose)
        for values in [list(dict.fromkeys(values))]
    ]
    return f"{told}; chosen on validation: {', '.join(picked)}" if picked else told


def options(those: Options) -> str:
    """Write the options that are on: ``max_norm 1.0, learning_rate_decay linear``."""
    return ", ".join(f"{name} {value}" for name, value in chosen(those).items()) or "none"


def _difference(metric: str) -> tuple[int, int, str]:
    """Return the factor to the unit of a metric's differences, their decimals, and the unit."""
    return (100, 2, " points") if metric.endswith("accuracy") else (1, 4, "")


def change(metric: str, difference: Interval, seeds: int) -> str:
    """Write a difference of a metric, with its interval where there are seeds for one."""
    scale, digits, unit = _difference(metric)
    mean, low, high = (f"{scale * value:+.{digits}f}" for value in difference)
    interval = f" ({low} to {high})" if seeds > 1 else ""
    return f"{mean}{interval}{unit}"


def sentence(effect: Effect) -> str:
    """Say what dropout changes in a metric."""
    scale, digits, unit = _difference(effect.metric)
    mean, low, high = (f"{scale * value:.{digits}f}" for value in effect.difference)
    name, label = effect.metric.replace("test/", "test "), effect.cell.label
    way = "higher" if effect.difference.mean > 0 else "lower"
    by = (
        f"{way} by {mean.removeprefix('-')}{unit} "
        f"(95 % interval of the paired difference {low} to {high})."
    )
    if effect.clear:
        return f"With {label} the {name} is {by}"
    return f"Between {label} and no dropout the {name} shows no clear difference: it is {by}"


def effect(measured: Measured) -> str:
    """Write what was measured for a check: a difference with its interval, in its unit."""
    unit, scale, digits = "", 1.0, 3
    if measured.check.direction in {"rising", "falling"}:
        unit, digits = " (Kendall's τ)", 2
    elif quantity(measured.check.metric).unit == "fraction":
        unit, scale, digits = " points", 100.0, 2
    mean, low, high = (scale * value for value in measured.interval)
    return f"{mean:+.{digits}f} ({low:+.{digits}f} to {high:+.{digits}f}){unit}"


def told(check: Check) -> str:
    """Write a check as a phrase: ``test/accuracy: dropout 0.5 higher than standard``."""
    place = f" at {check.at:g}" if check.at is not None else ""
    place += f", epoch {check.epoch}" if check.epoch else ""
    what = f"{'gain in ' if check.gain else ''}{check.metric}{place}"
    if isinstance(check.of, tuple):
        return f"{what}: {check.direction} from {check.of[0]} to {check.of[-1]}"
    other = f"at {check.than_at:g}" if check.than_at is not None else 0
    than = "to" if check.direction == "equal" else "than"
    of = other if check.than is None else check.than
    return f"{what}: {check.of} {check.direction} {than} {of}"
