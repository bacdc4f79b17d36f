"""The rule that makes verdicts of p values: several looks, all claims together.

A claim has up to three ways to a verdict at each look:

- *supported*: the mean difference is on the claim's side of its bound;
- *contradicted*: it is on the other side;
- *no relevant difference*: it is nearer to 0 than the smallest effect of interest, to both sides
  (two one-sided tests, Schuirmann 1987).

Else it is *open*. Each way has a one-sided p, and the claim's p at a look is twice the smallest of
them, which holds the chance of a false one at the level wherever the truth lies. Of two sides one
is false, or at the bound both; where *no relevant difference* is false too, to claim it is to claim
that the mean is below what it is, as it is to claim the other side, so that one tail has both. (Of
several checks: see :func:`dropout_bench.analysis.measured.chances`.)

Looks at 12, 24 and 48 draws spend 0.2, 0.3 and 0.5 of the level: the claim's p is the smallest over
the looks of p over that weight (Bonferroni), so that more draws may be asked for after any look.
All claims are corrected together by Benjamini and Yekutieli (2001), which holds the expected share
of false verdicts among the verdicts at the level however the claims depend on each other; here they
share seeds, baselines and draws.

What was decided stays decided: more looks make no p larger, and the more claims are rejected the
weaker is what is asked of each. A verdict belongs to the first look that reaches it, and is shown
with the interval of that look's draws. As what is asked gets weaker, an earlier look may reach one,
and a difference that is shown to be too small to be relevant may be shown to be there as well; that
it is *supported*, or *contradicted*, then goes first. Each is true with what is shown beside it.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from scipy import stats

from dropout_bench.analysis.statistics import false_discovery_adjusted, harmonic

LOOKS = {12: 0.2, 24: 0.3, 48: 0.5}
"""Draws at which a claim is looked at, and the share of the level that each look spends."""


class Verdict(StrEnum):
    """What the measurements say of a claim."""

    SUPPORTED = "supported"
    CONTRADICTED = "contradicted"
    SAME = "no relevant difference"
    OPEN = "open"


class Chances(NamedTuple):
    """The one-sided p of each way to a verdict, in the order in which they go first."""

    supported: float
    contradicted: float
    same: float

    @property
    def p(self) -> float:
        """Twice the smallest."""
        return min(1.0, 2 * min(self))


class Look(NamedTuple):
    """A claim at a look: the share of the level that it may spend, and its chances."""

    weight: float
    chances: Chances

    @property
    def p(self) -> float:
        """The p of the look over its weight."""
        return min(1.0, self.chances.p / self.weight)


class Ruling(NamedTuple):
    """What the rule says of a claim.

    Attributes:
        look: place of the look that the verdict rests on; the last one where it is open.
        p: the smallest of the looks, each over its weight.
        corrected: the same, corrected over all claims.
    """

    verdict: Verdict
    look: int
    p: float
    corrected: float


def looks_at(draws: int) -> dict[int, float]:
    """Return at how many of so many draws there are looks, with their weights.

    Fewer draws than the first look has are a look of its weight, for trials: what is decided there
    is not held to be decided at the first look.

    >>> looks_at(24)
    {12: 0.2, 24: 0.3}
    >>> looks_at(30)
    {12: 0.2, 24: 0.3}
    >>> looks_at(5)
    {5: 0.2}
    """
    first = min(LOOKS)
    return {n: w for n, w in LOOKS.items() if n <= draws} or {draws: LOOKS[first]}


def rule(claims: Mapping[str, Sequence[Look]], level: float) -> dict[str, Ruling]:
    """Judge all claims together; a claim without looks is open."""
    p_values = {
        name: min((look.p for look in looks), default=1.0) for name, looks in claims.items()
    }
    if not p_values:
        return {}
    adjusted = false_discovery_adjusted(list(p_values.values()))
    corrected = dict(zip(p_values, adjusted, strict=True))
    decided = sum(each < level for each in adjusted)
    enough = asked(level, decided, len(claims))
    rulings = {}
    for name, looks in claims.items():
        verdict, at = Verdict.OPEN, len(looks) - 1
        if corrected[name] < level:
            # Its own p is enough by definition, whatever rounding makes of the comparison.
            verdict, at = _first(looks, max(enough, p_values[name]))
        rulings[name] = Ruling(verdict, at, p_values[name], corrected[name])
    return rulings


def asked(level: float, rejected: int, claims: int) -> float:
    """Return the p that is asked of each claim where so many are rejected: R α / (m Σ 1/i)."""
    return rejected * level / (claims * harmonic(claims))


def _first(looks: Sequence[Look], enough: float) -> tuple[Verdict, int]:
    """Return the verdict of the first look that reaches one, and its place."""
    ways = (Verdict.SUPPORTED, Verdict.CONTRADICTED, Verdict.SAME)
    for place, look in enumerate(looks):
        for verdict, chance in zip(ways, look.chances, strict=True):
            if 2 * chance / look.weight <= enough:
                return verdict, place
    raise AssertionError("the smallest p is one of these")


def draws_asked(level: float, rejected: int, claims: int, power: float = 0.8) -> float:
    """Return (z + z′)² of the last look: draws, by how many standard deviations squared are told.

    n = (z + z′)² s² / δ² draws tell a difference of δ from 0 at a standard deviation of s with that
    power, or nearly, as Student's quantiles are a little larger: z is the normal quantile of the
    one-sided level that the next claim has to reach at the last look, z′ that of the power.
    """
    one_sided = asked(level, rejected + 1, claims) * max(LOOKS.values()) / 2
    return float((stats.norm.isf(one_sided) + stats.norm.ppf(power)) ** 2)
