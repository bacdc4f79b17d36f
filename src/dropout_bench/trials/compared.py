"""A newcomer against each known kind, draw by draw: how large, how sure, how often, and on what."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dropout_bench.analysis.claims import Check
from dropout_bench.analysis.drawn import gap_of
from dropout_bench.analysis.generality import Generality
from dropout_bench.analysis.measured import Measured, chances, of_difference
from dropout_bench.analysis.population import depends
from dropout_bench.analysis.rule import Look, Verdict, looks_at, rule
from dropout_bench.analysis.statistics import prediction_interval, share_interval
from dropout_bench.params.arms import Cell
from dropout_bench.quantities.quantity import Values
from dropout_bench.tables.read import Results
from dropout_bench.trials.known import Known
from dropout_bench.trials.on_draws import Outcome

METRICS = {"test/loss": "lower", "test/accuracy": "higher"}
"""What is compared, and what is better."""
WORDS = {
    Verdict.SUPPORTED: "better",
    Verdict.CONTRADICTED: "worse",
    Verdict.SAME: "no relevant difference",
    Verdict.OPEN: "open",
}
"""Verdicts on the claim that the newcomer is better."""


@dataclass(frozen=True)
class Compared:
    """A newcomer against one known kind, in one metric.

    Attributes:
        than: the known kind.
        metric: ``test/loss`` or ``test/accuracy``.
        measured: the newcomer less the known kind at each draw.
        draws: those of the differences, by number.
        verdict: on the claim that the newcomer is better.
        corrected: p, corrected over all looks and all comparisons of the trial.
        generality: P(A > B), one more setting, and what the difference goes with.
    """

    than: str
    metric: str
    measured: Measured
    draws: tuple[int, ...]
    verdict: Verdict
    corrected: float
    generality: Generality


def compared(name: str, outcome: Outcome, known: Known) -> list[Compared]:
    """Compare a newcomer with every known kind; nothing where it has fewer than two draws."""
    results = outcome.known
    own = outcome.own.set_index("seed").sort_index()
    draws = tuple(int(seed) for seed in own.index)
    if len(draws) < 2:
        return []
    settings = results.settings.loc[list(draws)]
    found: dict[str, tuple[Cell, str, Measured]] = {}
    for cell in results.experiment.cells():
        theirs = results.of(cell, "runs").set_index("seed").loc[list(draws)]
        for metric, better in METRICS.items():
            check = Check.model_validate(
                {"metric": metric, "of": name, "is": better, "than": cell.label}
            )
            values = (own[metric] - theirs[metric]).to_numpy(dtype=float)
            smallest = known.smallest.get(metric, math.nan)
            found[f"{cell.label} {metric}"] = cell, metric, of_difference(check, values, smallest)
    rulings = rule({key: _looks(one) for key, (_, _, one) in found.items()}, known.level)
    gap = _gap(results, draws)
    return [
        Compared(
            cell.label, metric, one, draws, rulings[key].verdict, rulings[key].corrected,
            _generality(one, settings, gap),
        )
        for key, (cell, metric, one) in found.items()
    ]  # fmt: skip


def _looks(one: Measured) -> list[Look]:
    """Look at the first 12, 24 and 48 of the differences, as claims are looked at."""
    return [
        Look(weight, chances([of_difference(one.check, one.values[:count], one.smallest)]))
        for count, weight in looks_at(len(one.values)).items()
    ]


def _gap(results: Results, draws: tuple[int, ...]) -> Mapping[str, Values]:
    """Return the gap of the plain network, which a gain may go with, at some draws."""
    plain = next((c for c in results.experiment.cells() if c.variant == "standard"), None)
    at = np.isin(results.experiment.seeds, draws)
    return {name: values[at] for name, values in gap_of(results, plain).items()}


def _generality(one: Measured, settings: pd.DataFrame, extra: Mapping[str, Values]) -> Generality:
    scores = (np.sign(one.sides.min(axis=0)) + 1) / 2
    asked = len(settings) > 2 and len(settings.columns) > 0
    factors = depends(one.values, settings, extra) if asked else []
    return Generality(share_interval(scores), prediction_interval(one.values), tuple(factors))
