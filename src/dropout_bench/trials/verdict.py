"""What trainings on a table say: choice, differences draw by draw, verdicts, a sentence."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from dropout_bench.analysis.claims import Check
from dropout_bench.analysis.measured import Measured, chances, of_difference
from dropout_bench.analysis.rule import Look, Ruling, Verdict, looks_at, rule
from dropout_bench.analysis.statistics import Interval
from dropout_bench.trials.table import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEVEL = 0.05
SMALLEST = {"test/loss": 0.02, "test/accuracy": 0.005}
"""The smallest differences of interest: nats, and a fraction; those of ``claims.yaml``."""

_BETTER = {"test/loss": "lower", "test/accuracy": "higher"}
_CHANGES = {
    "test/loss": {Verdict.SUPPORTED: "lowers", Verdict.CONTRADICTED: "raises"},
    "test/accuracy": {Verdict.SUPPORTED: "raises", Verdict.CONTRADICTED: "lowers"},
}
_UNITS = {"test/loss": (1.0, 3, "nats"), "test/accuracy": (100.0, 2, "points")}


@dataclass(frozen=True)
class Effect:
    """What an arm changes in a quantity, against another one, draw by draw.

    Attributes:
        measured: the differences at the draws that the verdict rests on, with their interval.
        verdict: by the rule of :mod:`dropout_bench.analysis.rule`; supported is *better*.
        corrected: p, over the weights of the looks, corrected over all effects.
        reason: why there can be no verdict; "" if there can.
    """

    arm: str
    than: str
    metric: str
    measured: Measured
    verdict: Verdict
    corrected: float
    reason: str = ""

    @property
    def interval(self) -> Interval:
        """The mean difference with its 95 % interval (Student's), over new splits of these rows."""
        return self.measured.interval

    @property
    def for_new_rows(self) -> Interval:
        """The same over new rows of the same kind: wider, as splits of one table share rows.

        The variance s² / n becomes s² (1/n + test/others), with the ratio of both parts' rows.

        Source: Nadeau and Bengio 2003, *Inference for the generalization error*, Machine Learning
        52.
        """
        mean, low, high = self.interval
        wider = math.sqrt(1 + len(self.measured.values) * 0.2 / 0.8)
        return Interval(mean, mean - wider * (mean - low), mean + wider * (high - mean))

    @property
    def better(self) -> int:
        """At how many draws it is better."""
        return int((self.measured.sides.min(axis=0) > 0).sum())

    @property
    def told(self) -> str:
        """The effect as a clause: *lowers the test loss by 0.040 nats (0.020 to 0.060), …*."""
        name = self.metric.replace("/", " ")
        scale, digits, unit = _UNITS[self.metric]
        mean, low, high = (scale * value for value in self.interval)
        draws = len(self.measured.values)
        signed = f"{mean:+.{digits}f} {unit} ({low:+.{digits}f} to {high:+.{digits}f})"
        count = f"{_BETTER[self.metric]} in {self.better} of {draws} draws"
        if self.verdict is Verdict.OPEN:
            return f"leaves open whether it changes the {name}: {signed}, {count}" + (
                f" ({self.reason})" if self.reason else ""
            )
        if self.verdict is Verdict.SAME:
            return f"makes no relevant difference to the {name}: {signed}"
        least, most = sorted((abs(low), abs(high)))
        count = f"in {self.better if self.verdict is Verdict.SUPPORTED else self._worse} of {draws}"
        told = f"{_CHANGES[self.metric][self.verdict]} the {name} by {abs(mean):.{digits}f} {unit} "
        told += f"({least:.{digits}f} to {most:.{digits}f}), {count} draws"
        return told + (", which is less than what is of interest" if self.measured.small else "")

    @property
    def _worse(self) -> int:
        return int((self.measured.sides.max(axis=0) < 0).sum())


@dataclass(frozen=True)
class TableResult:
    """A finished trial on a table.

    Attributes:
        data: the table.
        settings: how it was trained: widths, rates, step size, draws, device, versions.
        runs: every training: draw, arm, candidate, rate, step size, figures.
        by_run: curves by epoch of every training, by arm, draw and candidate.
        notes: what a reader has to know of the data, in sentences.
    """

    data: Table
    settings: Mapping[str, Any]
    runs: pd.DataFrame
    by_run: Mapping[tuple[str, int, int], pd.DataFrame] = field(repr=False)
    notes: tuple[str, ...] = ()

    @cached_property
    def table(self) -> pd.DataFrame:
        """The trainings that validation chose: a row for each draw and arm.

        Chosen is the candidate of the lowest validation loss, of equal ones the first.
        """
        best = self.runs.groupby(["draw", "arm"], sort=False)["val/loss"].idxmin()
        return self.runs.loc[best].reset_index(drop=True)

    @property
    def arms(self) -> list[str]:
        """Names of the arms: none, dropout and, if there is one, the variant from outside."""
        return list(dict.fromkeys(self.runs["arm"]))

    def of(self, arm: str) -> pd.DataFrame:
        """Return the chosen trainings of an arm, by draw."""
        return self.table[self.table["arm"] == arm].set_index("draw").sort_index()

    def curves(self, arm: str) -> list[pd.DataFrame]:
        """Return the curves of the chosen trainings of an arm, a table by epoch for each draw."""
        chosen = self.of(arm)["candidate"]
        return [self.by_run[arm, int(str(draw)), int(at)] for draw, at in chosen.items()]

    @cached_property
    def effects(self) -> list[Effect]:
        """What each arm changes in test loss and accuracy, judged together by the rule."""
        first, *others = self.arms
        pairs = [(arm, first) for arm in others]
        pairs += [(arm, others[0]) for arm in others[1:]]
        asked = [(arm, than, metric) for arm, than in pairs for metric in SMALLEST]
        looked = {str(each): self._looks(*each) for each in asked}
        looks = {
            name: [
                Look(weight, chances([measured]))
                for measured, weight in those
                if not self._cut_short(*each[:2], len(measured.values))
            ]
            for each, (name, those) in zip(asked, looked.items(), strict=True)
        }
        rulings = rule(looks, LEVEL)
        return [
            self._effect(*each, rulings[name], looked[name])
            for each, name in zip(asked, looked, strict=True)
        ]

    def _looks(self, arm: str, than: str, metric: str) -> list[tuple[Measured, float]]:
        values = (self.of(arm)[metric] - self.of(than)[metric]).to_numpy()
        check = Check.model_validate(
            {"metric": metric, "of": arm, "than": than, "is": _BETTER[metric]}
        )
        return [
            (of_difference(check, values[:draws], SMALLEST[metric]), weight)
            for draws, weight in looks_at(len(values)).items()
        ]

    def _cut_short(self, arm: str, than: str, draws: int) -> str:
        """Say which of two arms were cut short by the limit at the first draws; "" if none."""
        counts = {name: int(self.of(name)["unfinished"][:draws].sum()) for name in (arm, than)}
        told = [f"{name} at {count} of {draws} draws" for name, count in counts.items() if count]
        return f"cut short by the limit of steps: {', '.join(told)}; raise steps" if told else ""

    def _effect(
        self,
        arm: str,
        than: str,
        metric: str,
        ruling: Ruling,
        looked: list[tuple[Measured, float]],
    ) -> Effect:
        sound = [m for m, _ in looked if not self._cut_short(arm, than, len(m.values))]
        measured = sound[ruling.look] if ruling.verdict is not Verdict.OPEN else looked[-1][0]
        reason = self._cut_short(arm, than, len(looked[-1][0].values))
        reason = reason if ruling.verdict is Verdict.OPEN else ""
        return Effect(arm, than, metric, measured, ruling.verdict, ruling.corrected, reason)

    def rate(self, arm: str) -> str:
        """Say which rate validation chose for an arm: *dropout 0.35*, or how often."""
        rates = self.of(arm)["dropout"]
        counts = rates.value_counts()
        most, times = counts.index[0], int(counts.iloc[0])
        if times == len(rates):
            return f"{arm} {most:g}"
        return f"{arm} ({most:g} chosen in {times} of {len(rates)} draws)"

    @property
    def sentence(self) -> str:
        """The answer."""
        pairs: dict[tuple[str, str], list[str]] = {}
        for effect in self.effects:
            pairs.setdefault((effect.arm, effect.than), []).append(effect.told)
        first = self.arms[0]
        told = []
        for (arm, than), clauses in pairs.items():
            against = "" if than == first else f", compared with {than},"
            told.append(f"On your data {self.rate(arm)}{against} {'; it '.join(clauses)}.")
        return " ".join(told)

    def summary(self) -> pd.DataFrame:
        """Return the means over draws of each arm's chosen trainings."""
        figures = [f"{part}/{name}" for name in ("loss", "accuracy") for part in _PARTS]
        means = self.table.groupby("arm", sort=False)[figures].mean()
        means["gap"] = means["train/accuracy"] - means["test/accuracy"]
        return means

    def as_json(self) -> dict[str, Any]:
        """Return all of it but the curves, as values that JSON can hold."""
        return {
            "sentence": self.sentence,
            "data": {
                "name": self.data.name,
                "rows": len(self.data),
                "columns": len(self.data.columns),
                "classes": self.data.counts,
                "digest": self.data.digest,
                "notes": list(self.notes),
            },
            "settings": dict(self.settings),
            "effects": [
                {
                    "arm": effect.arm,
                    "than": effect.than,
                    "metric": effect.metric,
                    "verdict": str(effect.verdict),
                    "told": effect.told,
                    "mean": effect.interval.mean,
                    "low": effect.interval.low,
                    "high": effect.interval.high,
                    "for_new_rows": list(effect.for_new_rows[1:]),
                    "better": effect.better,
                    "draws": len(effect.measured.values),
                    "p": effect.corrected,
                }
                for effect in self.effects
            ],
            "means": json.loads(self.summary().to_json(orient="index")),
            "chosen": json.loads(self.table.to_json(orient="records")),
        }

    def plot(self) -> "Figure":
        """Draw what each arm changes, draw by draw."""
        from dropout_bench.trials.pictures import in_style, of_effects

        return in_style(of_effects, self)

    def write(self, folder: Path) -> Path:
        """Write the page, ``README.md`` and ``index.html`` with figures and tables; return it."""
        from dropout_bench.trials.page import write

        return write(self, folder)

    def _repr_html_(self) -> str:
        from dropout_bench.trials.page import fragment

        return fragment(self)


_PARTS = ("train", "val", "test")
