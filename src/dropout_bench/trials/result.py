"""What a trial found, as a value: it can be written as JSON, shown in a notebook, and drawn."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from dropout_bench.report import text
from dropout_bench.trials.compared import METRICS, WORDS, Compared
from dropout_bench.trials.on_draws import Outcome

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, ser_json_inf_nan="constants")


class Told(_Value):
    """A law: whether it holds, in words, and what it means where it does not."""

    law: str
    holds: str
    means: str


class Difference(_Value):
    """The newcomer less a known kind, in one metric: nats of loss, fractions of accuracy.

    Attributes:
        mean: of the differences at the draws, with its 95 % interval, low and high.
        verdict: better, worse, no relevant difference, or open.
        p: corrected over all comparisons of the trial.
        better: share of the draws at which it is better, with its interval.
        one_more: where the difference at one more setting would lie.
        depends: what it goes with, in words.
        effect: mean and interval in the metric's unit, in words.
        draws: numbers of the draws, and in the same order the differences.
    """

    than: str
    metric: str
    mean: float
    low: float
    high: float
    verdict: str
    p: float
    better: tuple[float, float, float]
    one_more: tuple[float, float]
    depends: str
    effect: str
    draws: tuple[int, ...]
    differences: tuple[float, ...]

    @classmethod
    def of(cls, one: Compared) -> "Difference":
        """Return a comparison as plain values."""
        return cls(
            than=one.than,
            metric=one.metric,
            mean=one.measured.interval.mean,
            low=one.measured.interval.low,
            high=one.measured.interval.high,
            verdict=WORDS[one.verdict],
            p=one.corrected,
            better=tuple(one.generality.holds),
            one_more=tuple(one.generality.one_more)[1:],
            depends=text.general(one.generality, one.measured.check),
            effect=text.effect(one.measured),
            draws=one.draws,
            differences=tuple(one.measured.values.tolist()),
        )

    @property
    def share(self) -> str:
        """Write at how many of the draws it is better: ``9 of 12``."""
        count = self.better[0] * len(self.draws)
        return f"{count:g} of {len(self.draws)}"


class Trial(_Value):
    """What a trial found of a newcomer.

    Attributes:
        name: what it is called.
        what: which class it is, and where it stands.
        candidates: what validation chose among, in words, with how often it chose each.
        draws: number of draws asked for.
        laws: what holds of it.
        differences: against every known kind, in each metric.
        figures: the newcomer's figures at each draw: arm, seed, and the columns of ``runs.csv``.
        diverged: its runs whose loss did not stay finite, in words.
        again: why known kinds were trained again; empty where their tables were used.
        checked: the runs of the tables that were trained again as a check, in words.
        trained: runs that were trained; those of an earlier call are reused.
        seconds: the time that it took.
        versions: what it was computed with.
    """

    name: str
    what: str
    candidates: str
    draws: int
    laws: tuple[Told, ...]
    differences: tuple[Difference, ...]
    figures: tuple[dict[str, Any], ...]
    diverged: tuple[str, ...]
    again: str
    checked: str
    trained: int
    seconds: float
    versions: Mapping[str, str]

    def against(self, than: str) -> dict[str, Difference]:
        """Return the differences to one kind, by metric."""
        return {each.metric: each for each in self.differences if each.than == than}

    @property
    def known(self) -> list[str]:
        """Names of the kinds it is compared with."""
        return list(dict.fromkeys(each.than for each in self.differences))

    @property
    def table(self) -> "pd.DataFrame":
        """The differences, a row each: newcomer less known kind, in nats and in fractions."""
        import pandas as pd

        left_out = {"draws", "differences", "effect", "better", "one_more"}
        rows = [
            {
                **each.model_dump(exclude=left_out),
                "better at": each.better[0],
                "one more, low": each.one_more[0],
                "one more, high": each.one_more[1],
            }
            for each in self.differences
        ]
        return pd.DataFrame(rows)

    def sentences(self) -> list[str]:
        """Say what was found: against none and dropout, and in how many of the others."""
        found = []
        if not self.differences:
            found.append(f"{self.name} is not compared: it has fewer than two draws that ended.")
        found += [self._against(than) for than in ("none", "dropout") if than in self.known]
        for metric in METRICS if self.differences else ():
            by_verdict = {
                word: [each.than for each in self.differences
                       if each.metric == metric and each.verdict == word]
                for word in WORDS.values()
            }  # fmt: skip
            told = [f"{word}: {text.listed(those)}" for word, those in by_verdict.items() if those]
            found.append(f"In {metric.replace('/', ' ')}, against each: {'; '.join(told)}.")
        return found

    def _against(self, than: str) -> str:
        told = (
            f"{metric.replace('/', ' ')} {one.effect}, better at {one.share} draws: "
            f"**{one.verdict}**"
            for metric, one in self.against(than).items()
        )
        return f"{self.name} against {_named(than)}: {'; '.join(told)}."

    def notes(self) -> list[str]:
        """Say how it was compared, and what stands in the way of a comparison."""
        found = [f"{self.candidates}."] if self.candidates else []
        if self.diverged:
            shown = "; ".join(self.diverged[:3])
            more = f"; and {len(self.diverged) - 3} more" if len(self.diverged) > 3 else ""
            found.append(
                f"{len(self.diverged)} of its trainings diverged ({shown}{more}). Validation "
                "chose among the others; a draw at which all diverged is left out of every "
                f"comparison: {self.draws - len(self.figures)} of {self.draws}."
            )
        if self.again:
            found.append(
                f"The known kinds were trained again, as their tables cannot be compared with "
                f"here: {self.again}."
            )
        elif self.checked:
            found.append(
                "The known kinds were not trained: their figures are those of the tables. As a "
                f"check {self.checked} were, and have the same weights, bit by bit."
            )
        broken = [each.law for each in self.laws if each.holds == "no"]
        if broken:
            found.append(f"Laws that it does not keep: {text.listed(broken)}.")
        return found

    def plot(self) -> "Figure":
        """Draw the differences at each draw: right of the line the newcomer is better."""
        from dropout_bench.trials.figure import drawn

        return drawn(self)

    def _repr_html_(self) -> str:
        """Show it in a notebook."""
        from dropout_bench.trials.told import fragment

        return fragment(self)

    def __repr__(self) -> str:
        return "\n".join([*self.sentences(), *self.notes()]).replace("**", "")

    __str__ = __repr__


def _named(than: str) -> str:
    return "no dropout" if than == "none" else than


def chosen_among(outcome: Outcome) -> str:
    """Say what validation chose among, and how often it chose each."""
    table = outcome.candidates
    if not len(table):
        return "There was nothing to choose: it has one rate"
    times = table.groupby("candidate", sort=False)["chosen"].sum()
    told = ", ".join(f"{name} at {count} draws" for name, count in times.items())
    others = outcome.known.candidates.groupby(["arm", "seed"]).size()
    asked = len(times)
    told = f"Of {asked} candidates validation chose {told}"
    if len(others) and int(others.max()) != asked:
        told += f"; the known kinds have {int(others.max())} each, and more choice is an advantage"
    return told
