"""Values in the form that the report shows: text, and nothing but text."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from dropout_bench.analysis.axes import AXES
from dropout_bench.analysis.claims import Check
from dropout_bench.analysis.drawn import GAP, Compared, Course, Dependence, Ended
from dropout_bench.analysis.effects import Effect
from dropout_bench.analysis.generality import Generality
from dropout_bench.analysis.measured import Measured
from dropout_bench.analysis.population import Factor
from dropout_bench.analysis.rule import LOOKS
from dropout_bench.analysis.statistics import Interval
from dropout_bench.catalogue.datasets import DATASETS
from dropout_bench.params.arms import Arm
from dropout_bench.params.draws import Range
from dropout_bench.params.experiment import Experiment
from dropout_bench.params.options import Options, chosen
from dropout_bench.params.values import Normalise, rates_text, widths_text
from dropout_bench.quantities.quantity import LAYER, Quantity
from dropout_bench.quantities.registry import quantity
from dropout_bench.tables.write import options_text


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
    last = f"-{len(experiment.resolved_classes)}"
    networks = ", ".join(
        f"{source.pixels}-{widths_text(widths)}{last}"
        for widths in draw.hidden or experiment.hidden
    )
    if draw.hidden:
        networks = f"drawn from {networks}"
    optimiser = optimisers[experiment.optimiser].title
    step = _drawn(draw.learning_rate) or experiment.learning_rate
    batch = _drawn(draw.batch_size) or f"of {experiment.batch_size}"
    length = f"{experiment.epochs} epochs"
    if experiment.steps:
        length = (
            f"at most {experiment.steps:,} steps"
            if experiment.converges
            else (f"{experiment.steps:,} steps")
        )
    if experiment.converges:
        epochs = chosen(experiment).get("patience")
        both = f" and {epochs} epochs" if epochs else ""
        length += (
            ", ended when the validation loss has not fallen for "
            f"{experiment.patience_steps} steps{both}"
        )
    lines = [
        ("data", data),
        ("training images", images),
        ("pixels", pixels),
        ("network", networks),
        ("training", f"{optimiser}, step size {step}, batches {batch}, {length}"),
    ]
    if experiment.combinations:
        told = (f"{name}: {options(each)}" for name, each in experiment.combinations.items())
        lines.append(("options", "; ".join(told)))
    elif common := {
        name: value
        for name, value in chosen(experiment).items()
        if name != "patience" or not experiment.converges
    }:
        lines.append(("options", options_text(common)))
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
    those = list(dict.fromkeys(of[cell.checkpoint] for cell in experiment.cells()))
    lines.append(("evaluated", those[0] if len(those) == 1 else "as each arm says"))
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
        + listed([rates_text(v) if isinstance(v, tuple) else f"{v}" for v in values], "or")
        for name, values in ((k, [getattr(c, k) for c in arm.candidates()]) for k in arm.choose)
        for values in [list(dict.fromkeys(values))]
    ]
    return f"{told}; chosen on validation: {', '.join(picked)}" if picked else told


def options(those: Options) -> str:
    """Write the options that are on: ``max_norm 1.0, learning_rate_decay linear``."""
    return options_text(chosen(those)) or "none"


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


def unit_of(check: Check) -> tuple[float, int, str]:
    """Return the factor to a check's unit, its decimals, and the unit, in words.

    Logarithms keep theirs: :func:`effect` writes their means as ratios.
    """
    unit, scale, digits = "", 1.0, 3
    if check.often:
        return 100.0, 0, " % of draws"
    if isinstance(check.of, tuple) and not check.over:
        unit, digits = " (Kendall's τ)", 2
    elif quantity(check.metric).unit == "fraction":
        unit, scale, digits = " points", 100.0, 2
    elif quantity(check.metric).unit == "nats":
        unit = " nats"
    unit += f" per {AXES[check.over].per}" if check.over else ""
    if check.along:
        along = quantity(check.along)
        one = "point" if along.unit == "fraction" else along.unit or "unit"
        scale /= along.scale
        unit += f" per {one} of the {along.title} without dropout"
    return scale, digits, unit


def effect(measured: Measured) -> str:
    """Write what was measured for a check: a difference with its interval, in its unit."""
    check = measured.check
    if check.often:
        share, least, most = (f"{100 * value:.0f}" for value in measured.interval)
        return f"at {share} % of draws ({least} to {most} %)"
    if check.direction == "steadier":
        ratio, least, most = (f"{math.exp(value):.2f}" for value in measured.interval)
        return f"{ratio} times the spread ({least} to {most})"
    scale, digits, unit = unit_of(check)
    if (of := quantity(check.metric).unit).startswith("log "):
        ratio, least, most = (f"{math.exp(value):.2f}" for value in measured.interval)
        return f"{ratio} times the {of.removeprefix('log ')} ({least} to {most}){unit}"
    mean, low, high = (scale * value for value in measured.interval)
    return f"{mean:+.{digits}f} ({low:+.{digits}f} to {high:+.{digits}f}){unit}"


def relevant(measured: Measured) -> str:
    """Say what a check takes for a difference: its margin, or the smallest one of interest."""
    check = measured.check
    if math.isnan(measured.smallest):
        return "no smallest difference of interest is stated"
    if check.direction == "steadier":
        return f"smallest ratio of interest {math.exp(measured.smallest):.2f}"
    scale, digits, unit = unit_of(check)
    size = f"{scale * measured.smallest:.{digits}f}{unit}"
    if quantity(check.metric).unit.startswith("log "):
        size = f"{math.exp(measured.smallest):.2f} times{unit}"
    if check.often:
        return f"smallest distance from a half of interest {size}"
    if check.direction == "equal":
        return f"equal is within {size}"
    if check.margin:
        return f"by more than {size}" if check.margin > 0 else f"not short by more than {size}"
    return f"smallest difference of interest {size}"


def one_more(check: Check, values: Interval) -> str:
    """Write where one more setting would lie: ``-0.52 to +1.31 points``."""
    scale, digits, unit = unit_of(check)
    if (of := quantity(check.metric).unit).startswith("log "):
        least, most = (f"{math.exp(value):.2f}" for value in values[1:])
        return f"{least} to {most} times the {of.removeprefix('log ')}{unit}"
    return f"{scale * values.low:+.{digits}f} to {scale * values.high:+.{digits}f}{unit}"


def arm(label: str) -> str:
    """Write an arm as sentences do: the standard network is no dropout."""
    first, comma, rest = label.partition(",")
    return f"{'no dropout' if first in {'standard', 'none'} else first}{comma}{rest}"


_PLACES = {
    LAYER: "hidden layer {:g}",
    "always 1": "",
    "share of the units that are silenced": "{:.0%} of them",
    "0.5 for the mean unit, 1 for the worst": "quantile {:g} of the units",
    "standard deviation of the noise": "of standard deviation {:g}",
    "pixels of the shift": "by {:g} pixels",
    "side of the square in pixels": "a square of {:g} pixels a side",
    "fraction of the contrast that is lost": "{:.0%} of it lost",
    "size of the noise over that of the weights": "{:.0%} of their size",
    "number of sampled masks; 0 is evaluation": "{:g} masks",
    "how near: by how much it may be above the lowest, as a fraction of it": "within {:.0%}",
}
"""How a place is written, by what it means."""


def _at(entry: Quantity, at: float) -> str:
    told = _PLACES.get(entry.at, "at {:g}").format(at).replace("%", " %")
    return f" ({told})" if told else ""


def told(check: Check) -> str:
    """Write a check as a phrase: ``test accuracy: dropout 0.5 higher than no dropout``."""
    entry = quantity(check.metric)
    place = _at(entry, check.at) if check.at is not None else ""
    place += f", epoch {check.epoch}" if check.epoch else ""
    what = f"{'gain in ' if check.gain else ''}{entry.title}{place}"
    often = ", at most draws" if check.often else ""
    if check.along:
        along = quantity(check.along).title
        return (
            f"{what}: {arm(str(check.of))}, {check.direction} with {along} of the network without"
        )
    if isinstance(check.of, tuple):
        ends = f"from {arm(check.of[0])} to {arm(check.of[-1])}"
        return f"{what}: {check.direction} {ends}{often}"
    other = _at(entry, check.than_at).strip(" ()") if check.than_at is not None else "0"
    than = "to" if check.direction == "equal" else "than"
    of = other if check.than is None else check.than
    of = arm(of) if isinstance(of, str) else f"{of:g}"
    return f"{what}: {arm(check.of)} {check.direction} {than} {of}{often}"


def p(value: float) -> str:
    """Write a p value; a small one by its order, never as 0."""
    if value >= 0.001:
        return f"{value:.3f}"
    return "< 1e-9" if value < 1e-9 else f"{value:.0e}"


def looks() -> str:
    """List the draws at which claims are looked at."""
    return listed([f"{draws}" for draws in LOOKS])


def yaml_of(check: Check) -> str:
    """Write a check as a line of ``claims.yaml``."""
    content = check.model_dump(by_alias=True, exclude_defaults=True, mode="json")
    return f"- {{ {', '.join(f'{key}: {json.dumps(value)}' for key, value in content.items())} }}"


_FACTORS = {
    "dataset": "dataset",
    "train_size": "images",
    "normalise": "pixel scale",
    "hidden": "network",
    "width": "network",
    "depth": "network",
    "batch_size": "batch size",
    "learning_rate": "step size",
}
_CHOICES = {
    "dropout": "rate", "input_dropout": "input rate", "times_learning_rate": "times the step size",
}  # fmt: skip


def factor_title(name: str) -> str:
    """Name what was drawn, as panels and sentences do."""
    return _FACTORS.get(name, name)


def level(value: object) -> str:
    """Write a value of what was drawn: a dataset by its title, a scale by its pixels."""
    scales = {"unit": "[0, 1]", "symmetric": "[−1, 1]", "standardised": "mean 0, sd 1"}
    return (
        DATASETS[str(value)].title if str(value) in DATASETS else scales.get(f"{value}", f"{value}")
    )


def interval(values: Interval, digits: int = 2, unit: str = "") -> str:
    """Write ``+0.52 (+0.10 to +0.94)``; the mean alone where there are no bounds."""
    mean, low, high = (f"{end:+.{digits}f}" for end in values)
    return f"{mean}{unit}" if math.isnan(values.low) else f"{mean} ({low} to {high}){unit}"


def share(values: Interval) -> str:
    """Write a share with its interval: ``79 % (58 to 93)``."""
    mean, low, high = (f"{100 * each:.0f}" for each in values)
    return f"{mean} % ({low} to {high})"


def listed(parts: Sequence[str], last: str = "and") -> str:
    """Write words in a row: ``0.2, 0.35 and 0.5``."""
    return f" {last} ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _with_effect(factor: Factor, scale: float, digits: int, unit: str) -> str:
    """Write a factor with what the gain changes by, in a reader's unit."""

    def scaled(values: Interval) -> Interval:
        return Interval(*(scale * value for value in values))

    name = "width" if factor.name == "width" else factor_title(factor.name)
    told = f"the {name}"
    if factor.slope:
        per = "doubling" if factor.doublings else "point" if factor.name == GAP else "unit"
        per = "layer" if factor.name == "depth" else per
        effect = f"{interval(scaled(factor.slope), digits)}{unit} per {per}"
    else:
        means = (
            f"{level(at)} {scaled(those).mean:+.{digits}f}" for at, those in factor.levels.items()
        )
        effect = f"{', '.join(means)}{unit}"
    return f"{told} ({effect}; {100 * factor.share:.0f} % of its variance)"


_POINTS = (1.0, 2, " points")


def goes_with(found: Dependence, short: bool = False) -> str:
    """Say what a gain goes with, or that it goes with nothing; short for a title."""
    if not found.factors:
        return ""
    if short:
        names = [factor_title(factor.name) for factor in found.found]
        return f"It goes with the {listed(names)}." if names else "It goes with none of these."
    begin = f"The gain of {found.pair.cell.label} over {found.pair.than.label} goes with "
    return begin + _what_with(found.factors, found.found, _POINTS)


def general(found: Generality, check: Check) -> str:
    """Say what the values of a check go with; nothing where nothing could be asked about."""
    if not found.factors:
        return ""
    return f"It goes with {_what_with(found.factors, found.found, unit_of(check))}"


def _what_with(
    factors: Sequence[Factor], found: Sequence[Factor], unit: tuple[float, int, str]
) -> str:
    """Say what something goes with, after these words; the smallest p of all factors first."""
    names = [factor_title(factor.name) for factor in found]
    asked = list(dict.fromkeys(factor_title(each.name) for each in factors))
    if not names:
        first = factors[0]
        return (
            f"nothing of what was asked about ({', '.join(asked)}): the smallest adjusted "
            f"p is {first.adjusted:.2f}, of the {factor_title(first.name)}."
        )
    rest = [name for name in asked if name not in names]
    told = f"{listed([_with_effect(factor, *unit) for factor in found])}."
    if rest:
        told += f" Not shown to matter: {listed(rest)}."
    return told


def arms_title(rows: Sequence[Compared]) -> str:
    """Say which arms are better, and which are worse, by the intervals of their accuracy."""
    better = [row.cell.label for row in rows if row.in_accuracy.gain.low > 0]
    worse = [row.cell.label for row in rows if row.in_accuracy.gain.high < 0]
    if len(rows) == 1:
        gain = rows[0].in_accuracy.gain
        way = "gains" if better else "loses" if worse else "shows no clear gain:"
        told = interval(gain).removeprefix("-" if worse else "+")
        if worse:
            flipped = Interval(-gain.mean, -gain.high, -gain.low)
            told = interval(flipped).removeprefix("+")
        return f"{rows[0].cell.label} {way} {told} points over {rows[0].than.label}"
    than = {row.than.label for row in rows}
    of = f"than {than.pop()}" if len(than) == 1 else "than the same without"
    if not better and not worse:
        return f"None of {len(rows)} arms is clearly better or worse {of} (95 % intervals)"
    first = f"{len(better)} of {len(rows)} arms are clearly better {of}"
    if better:
        first += f", most of all {rows[0].cell.label} ({rows[0].accuracy.mean():+.2f} points)"
    second = f"{len(worse)} clearly worse: {listed(worse)}" if worse else "none clearly worse"
    return f"{first}; {second}"


def courses_title(those: Sequence[Course]) -> str:
    """Say from which step on each mean gain stays above 0."""
    told = [f"{level(course.name)}: {_ahead(course)}" for course in those]
    return f"Where the mean gain stays above 0 to the end\n{'; '.join(told)}"


def _ahead(course: Course) -> str:
    if math.isinf(course.ahead_from):
        return "nowhere"
    if course.ahead_from == course.steps[0]:
        return "everywhere"
    return f"from about {float(f'{course.ahead_from:.2g}'):,.0f} steps"


def candidate(told: str) -> str:
    """Write a candidate without the names of what is chosen: ``0.1, 0.5``."""
    return ", ".join(part.partition("=")[2] for part in told.split(","))


def chosen_names(arm: Arm) -> str:
    """Name what an arm chooses."""
    return ", ".join(_CHOICES.get(name, name.replace("_", " ")) for name in arm.choose)


def round_ticks(low: float, high: float, most: int = 4) -> list[float]:
    """Return round numbers between two, for a logarithmic axis."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for digits in ((1, 2, 5), (1, 3), (1,)):
        every = [digit * 10.0**power for power in range(first, last + 1) for digit in digits]
        ticks = [tick for tick in every if low * 0.93 <= tick <= high * 1.07]
        if len(ticks) <= most:
            break
    return ticks


def rates_title(rows: Sequence[Compared]) -> str:
    """Say at which rates dropout is clearly better, and where the mean gain is largest."""
    better = [row.cell.label for row in rows if row.in_accuracy.gain.low > 0]
    worse = [row.cell.label for row in rows if row.in_accuracy.gain.high < 0]
    best = max(rows, key=lambda row: row.in_accuracy.gain.mean)
    gain = interval(best.in_accuracy.gain)
    told = f"Largest mean gain: {best.cell.label}, {gain} points"
    counted = f"clearly better than none at {len(better)} of {len(rows)} rates"
    return f"{told}; {counted}, clearly worse at {len(worse)}"


def draws(experiment: Experiment) -> str:
    """Say how many draws there are, and of what."""
    return f"{len(experiment.seeds)} {'settings' if experiment.draw.names else 'seeds'}"


def ends(values: Interval) -> str:
    """Write the ends of an interval: ``-0.52 to +1.31``."""
    return "–" if math.isnan(values.low) else f"{values.low:+.2f} to {values.high:+.2f}"


def convergence(rows: Sequence[Ended]) -> str:
    """Say whether any training was cut short by its limit."""
    short = sum(len(row.short) for row in rows)
    of = sum(row.draws for row in rows)
    return f"{short or 'none'} of {of} trainings cut short by their limit"
