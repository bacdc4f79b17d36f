"""Made-up data whose truth is known: how often intervals cover it, how often the rule errs."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

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


SHAPES: dict[str, Shape] = {
    "normal": lambda random, size: random.normal(size=size),
    "skewed (exponential)": lambda random, size: random.exponential(size=size) - 1,
    "heavy tails (Student's t, 3)": _heavy,
    "mixed (one in ten five times as wide)": _mixed,
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
        same: mean share of the claims without any effect for which that was found.
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
    effect: float, claims: int, ledgers: int, shape: str = "normal", level: float = 0.05
) -> Simulated:
    """Judge many ledgers that are as real ones are, but that the truth is known.

    Claims say "higher". In each experiment of six, which share half of their noise: one with the
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
    truths = np.array([kinds[number % EXPERIMENT] for number in range(claims)])
    double = np.array([number % EXPERIMENT in {2, 3} for number in range(claims)])
    groups = -(-claims // EXPERIMENT)
    false, found, same, draws = [], [], [], []
    for _ in range(ledgers):
        noise = _noise(random, SHAPES[shape], groups)[:claims]
        values = noise + truths[:, :, None]
        looks = _looks(values, double)
        rulings = rule({f"{n}": looks[n] for n in range(claims)}, level)
        verdicts = [rulings[f"{n}"].verdict for n in range(claims)]
        decided = [n for n in range(claims) if verdicts[n] is not Verdict.OPEN]
        wrong = sum(not _true(verdicts[n], truths[n]) for n in decided)
        false.append(wrong / max(1, len(decided)))
        real = [n for n in range(claims) if n % EXPERIMENT in {0, 1, 2}]
        ways = {Verdict.SUPPORTED, Verdict.CONTRADICTED}
        found.append(np.mean([verdicts[n] in ways for n in real]))
        nothing = [verdicts[n] is Verdict.SAME for n in range(claims) if n % EXPERIMENT == 4]
        same.append(np.mean(nothing) if nothing else 0.0)
        counts = list(LOOKS)
        draws.append(np.mean([counts[rulings[f"{n}"].look] for n in real]))
    return Simulated(effect, *(float(np.mean(each)) for each in (false, found, same, draws)))


def _noise(random: np.random.Generator, shape: Shape, groups: int) -> Array:
    """Return noise of all claims, (claims, 2 checks, draws), that of an experiment in common."""
    most = max(LOOKS)
    common = shape(random, (groups, 1, 1, most))
    own = shape(random, (groups, EXPERIMENT, 2, most))
    noise = math.sqrt(SHARED) * common + math.sqrt(1 - SHARED) * own
    noise[:, 1] = -noise[:, 0]  # opposed claims are about the same differences
    return noise.reshape(groups * EXPERIMENT, 2, most)


def _looks(values: Array, double: NDArray[np.bool_]) -> list[list[Look]]:
    """Return the looks at each claim; values are (claims, checks, draws)."""
    found: list[list[Look]] = [[] for _ in values]
    for draws, weight in LOOKS.items():
        part = values[:, :, :draws]
        error = part.std(axis=2, ddof=1) / math.sqrt(draws)
        mean = part.mean(axis=2)

        def p(above: Array, error: Array = error, draws: int = draws) -> Array:
            tail: Array = stats.t.sf(above / error, draws - 1)
            return tail

        ways = (p(mean), p(-mean), np.maximum(p(RELEVANT - mean), p(RELEVANT + mean)))
        for number, looks in enumerate(found):
            checks = 2 if double[number] else 1
            against, same = (min(1.0, checks * way[number, :checks].min()) for way in ways[1:])
            chances = Chances(float(ways[0][number, :checks].max()), float(against), float(same))
            looks.append(Look(weight, chances))
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
    """Simulate ledgers of so many claims: by the effects, of normal differences and of mixed."""
    shapes: Sequence[str] = ("normal", "mixed (one in ten five times as wide)")
    return [
        tuple(simulate(effect, claims, POWER_LEDGERS, shape, level) for shape in shapes)  # type: ignore[misc]
        for effect in EFFECTS
    ]
