"""Made-up data whose truth is known: how often intervals cover it, how often the rule errs."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from dropout_bench.analysis.rule import LOOKS, Chances, Look, Verdict, rule
from dropout_bench.analysis.statistics import LEVEL

Array = NDArray[np.float64]
Shape = Callable[[np.random.Generator, tuple[int, ...]], Array]


def _heavy(random: np.random.Generator, size: tuple[int, ...]) -> Array:
    return random.standard_t(3, size) / math.sqrt(3)


def _mixed(random: np.random.Generator, size: tuple[int, ...]) -> Array:
    wide = np.where(random.random(size) < 0.1, 5.0, 1.0)
    mixed: Array = random.normal(size=size) * wide / math.sqrt(0.9 + 0.1 * 25)
    return mixed


SKEWED = "skewed (exponential)"
MIXED = "mixed (one in ten five times as wide)"
SHAPES: dict[str, Shape] = {
    "normal": lambda random, size: random.normal(size=size),
    SKEWED: lambda random, size: random.exponential(size=size) - 1,
    "heavy tails (Student's t, 3)": _heavy,
    MIXED: _mixed,
}
"""Distributions of differences, with mean 0 and standard deviation 1."""


def coverage(shape: str, draws: int, samples: int) -> float:
    """Return the share of samples whose 95 % interval (Student's) has the mean in it."""
    values = SHAPES[shape](np.random.default_rng(1908), (samples, draws))
    half = stats.t.ppf((1 + LEVEL) / 2, draws - 1) * values.std(axis=1, ddof=1) / math.sqrt(draws)
    return float(np.mean(np.abs(values.mean(axis=1)) <= half))


@dataclass(frozen=True)
class Simulated:
    """What came of many simulated ledgers.

    Attributes:
        effect: size of the true effects, in standard deviations over draws.
        false: mean share of wrong verdicts among the verdicts: what the rule is to hold down.
        found: mean share of the claims with that effect that got their verdict: the power.
        same: mean share of the claims without any effect for which that was found; NaN if there is
            no such claim.
        draws: mean number of draws at which claims with that effect were decided, or given up.
    """

    effect: float
    false: float
    found: float
    same: float
    draws: float


SHARED = 0.5
"""Part of a simulated difference's variance that all claims of one experiment have in common."""

EXPERIMENT = 6
"""Simulated claims to an experiment."""

RELEVANT = 0.5
"""The smallest effect of interest of simulated claims, in standard deviations."""


def simulate(
    effect: float,
    claims: int,
    ledgers: int,
    shape: str = "normal",
    level: float = 0.05,
    shared: float = SHARED,
) -> Simulated:
    """Judge many ledgers that are as real ones are, but that the truth is known.

    Claims say "higher". In each experiment of six, which share a part of their noise: one with the
    effect and one with its opposite, which is the same differences turned round (opposed claims
    share all); one with two checks of which both have the effect and one where the second has none;
    one without any effect; and one at the edge of what is relevant, of which it would be false to
    say that there is no relevant difference. Each is looked at after 12, 24 and 48 draws, until it
    is decided.
    """
    random = np.random.default_rng(2014)
    # Effects of both checks of each claim; a claim of one check has it twice.
    kinds = [(effect, effect), (-effect, -effect), (effect, effect), (effect, 0.0), (0.0, 0.0),
             (-RELEVANT, -RELEVANT)]  # fmt: skip
    kind = np.arange(claims) % EXPERIMENT
    truths = np.array(kinds)[kind]
    double, real, nothing = np.isin(kind, (2, 3)), kind < 3, kind == 4
    groups = -(-claims // EXPERIMENT)
    counts = np.array(list(LOOKS))
    false, found, same, draws = [], [], [], []
    for _ in range(ledgers):
        values = _noise(random, SHAPES[shape], groups, shared)[:claims] + truths[:, :, None]
        rulings = rule(_looks(values, double), level).values()
        verdicts = [ruling.verdict for ruling in rulings]
        decided = [n for n in range(claims) if verdicts[n] is not Verdict.OPEN]
        wrong = sum(not _true(verdicts[n], truths[n]) for n in decided)
        false.append(wrong / max(1, len(decided)))
        ways = [verdict in {Verdict.SUPPORTED, Verdict.CONTRADICTED} for verdict in verdicts]
        found.append(np.mean(np.array(ways)[real]))
        if nothing.any():
            none = [verdict is Verdict.SAME for verdict in verdicts]
            same.append(np.mean(np.array(none)[nothing]))
        draws.append(np.mean(counts[[ruling.look for ruling in rulings]][real]))
    means = (float(np.mean(each)) if each else math.nan for each in (false, found, same, draws))
    return Simulated(effect, *means)


def _noise(random: np.random.Generator, shape: Shape, groups: int, shared: float) -> Array:
    """Return noise of all claims, (claims, 2 checks, draws), that of an experiment in common."""
    most = max(LOOKS)
    common = shape(random, (groups, 1, 1, most))
    own = shape(random, (groups, EXPERIMENT, 2, most))
    noise = math.sqrt(shared) * common + math.sqrt(1 - shared) * own
    noise[:, 1] = -noise[:, 0]  # opposed claims are about the same differences
    return noise.reshape(groups * EXPERIMENT, 2, most)


def _looks(values: Array, double: NDArray[np.bool_]) -> dict[str, list[Look]]:
    """Return the looks at each claim; values are (claims, 2 checks, draws), not all with both."""
    values = np.where(double[:, None, None], values, values[:, :1])
    checks = np.where(double, 2, 1)
    found: dict[str, list[Look]] = {f"{number}": [] for number in range(len(values))}
    for draws, weight in LOOKS.items():
        part = values[:, :, :draws]
        mean, error = part.mean(axis=2), part.std(axis=2, ddof=1) / math.sqrt(draws)
        above = np.stack([mean, -mean, RELEVANT - mean, RELEVANT + mean])
        p = special.stdtr(draws - 1, -above / error)
        ways = np.stack([
            p[0].max(axis=1),
            np.minimum(1, checks * p[1].min(axis=1)),
            np.minimum(1, checks * np.maximum(p[2], p[3]).min(axis=1)),
        ])  # fmt: skip
        for looks, chances in zip(found.values(), ways.T.tolist(), strict=True):
            looks.append(Look(weight, Chances(*chances)))
    return found


def _true(verdict: Verdict, effects: Array) -> bool:
    """Whether a verdict of "all of these are above 0" is true."""
    match verdict:
        case Verdict.SUPPORTED:
            return bool((effects > 0).all())
        case Verdict.CONTRADICTED:
            return bool((effects < 0).any())
    return bool((np.abs(effects) < RELEVANT).any())


EFFECTS = (0.25, 0.5, 0.75, 1.0, 1.5)
"""True effects that the report's table of power has, in standard deviations."""

POWER_LEDGERS = 40
"""Simulated ledgers for each line of it."""


def powers(claims: int, level: float) -> list[tuple[Simulated, Simulated]]:
    """Simulate ledgers of so many claims: by the effects, of normal differences and of mixed.

    Of an empty ledger there is nothing to simulate.
    """

    def of(effect: float, shape: str) -> Simulated:
        return simulate(effect, claims, POWER_LEDGERS, shape, level)

    return [(of(effect, "normal"), of(effect, MIXED)) for effect in EFFECTS if claims]
