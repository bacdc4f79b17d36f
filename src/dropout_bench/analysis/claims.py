"""``claims.yaml`` as typed, validated values: what the sources published."""

import math
from collections.abc import Callable, Container, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import Field, model_validator

from dropout_bench.analysis.axes import AXES
from dropout_bench.errors import BenchError, did_you_mean, shortened
from dropout_bench.params.experiment import Experiment
from dropout_bench.params.file import read_yaml, validated
from dropout_bench.params.values import Strict
from dropout_bench.quantities.quantity import QUANTITIES, Quantity
from dropout_bench.quantities.registry import quantity

Thing = TypeVar("Thing")

LEAST_SEEDS = 2
"""Seeds that a verdict needs: one value has no spread."""

Metric = Literal[
    "train/loss",
    "train/accuracy",
    "val/loss",
    "val/accuracy",
    "test/loss",
    "test/accuracy",
    "seconds",
]


class Figure(Strict):
    """A published figure: a value, at an epoch or of the evaluated weights, or one per epoch."""

    cell: str
    """label of the cell of the experiment: ``standard``, ``dropout 0.5``"""
    metric: Metric
    """name of a quantity; ``train`` as seen in training; ``seconds`` for the whole training"""
    value: float | None = None
    """what was published: losses in nats, accuracies as fractions"""
    epoch: Annotated[int, Field(gt=0)] | None = None
    """after which epoch; without it, of the evaluated weights"""
    by_epoch: tuple[float, ...] = ()
    """instead of ``value``: the values after epochs 1, 2, …"""
    of: str = ""
    """which run of the source, if it shows several"""

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.value is None) == (not self.by_epoch):
            raise ValueError("give either value, with or without epoch, or by_epoch")
        return self

    def values(self) -> list[tuple[int | None, float]]:
        """List (epoch, value); the epoch is None for a figure of the evaluated weights."""
        if self.value is not None:
            return [(self.epoch, self.value)]
        return list(enumerate(self.by_epoch, start=1))


class Published(Strict):
    """What one source published about one experiment."""

    title: str
    """heading of the section in the report"""
    source: str
    """where it was published"""
    says: str
    """what it says, in our own words"""
    figures: tuple[Figure, ...]
    """what it published"""


class Check(Strict):
    """One thing that a claim says can be measured: a comparison of cells of its experiment."""

    metric: str
    """name of a quantity; all of them are listed below"""
    of: str | Annotated[tuple[str, ...], Field(min_length=3)]
    """label of the cell that is compared; for a trend, all cells in order"""
    direction: Annotated[
        Literal["higher", "lower", "equal", "steadier", "rising", "falling"], Field(alias="is")
    ]
    """how it compares; equal: within the margin; steadier: varies less from draw to draw; rising
    and falling are trends"""
    than: str | float | None = None
    """what it is compared with: another cell, or a number; else itself at ``than_at``, or 0"""
    margin: Annotated[float, Field(allow_inf_nan=False)] = 0.0
    """by how much at least (below 0: how far it may fall short), or how far apart equals may be"""
    at: float | None = None
    """place of a measure, or level to reach"""
    than_at: float | None = None
    """place of the other side's measure, if it is another one"""
    epoch: Annotated[int, Field(gt=0)] | None = None
    """epoch of a curve"""
    gain: bool = False
    """compare what dropout adds: each cell less the same one without dropout"""
    over: Literal["size", "depth", "width", "rate", "place"] | None = None
    """take a trend's slope: per doubling of the images (size) or of the first hidden layer (width),
    per hidden layer (depth), per unit of the rate, or per place in the list"""
    often: bool = False
    """it holds at more than half of the draws, rather than on average"""
    along: str | None = None
    """rising or falling with this quantity of the arm without dropout, from draw to draw"""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        trend = self.direction in {"rising", "falling"}
        if self.along is not None:
            if not trend or isinstance(self.of, tuple):
                raise ValueError("along: say of one cell whether it is rising or falling")
            if self.over or self.often or self.margin or self.than is not None:
                raise ValueError("over, often, margin, than: with along there is none of them")
            return self
        if trend != isinstance(self.of, tuple):
            raise ValueError("of: a trend (rising, falling) is along three cells or more, in order")
        if trend and (self.than is not None or self.than_at is not None):
            raise ValueError("than, than_at: a trend has none of them")
        if self.over and not trend:
            raise ValueError("over: only a trend (rising, falling) has a slope")
        if trend and not self.over and (self.margin or self.often):
            raise ValueError("margin, often: a trend has them only as a slope; say over what")
        if self.direction == "steadier":
            if isinstance(self.than, float) or (self.than is None and self.than_at is None):
                raise ValueError("than: say which cell it is steadier than")
            if self.margin or self.often:
                raise ValueError("margin, often: steadier has none of them")
        if isinstance(self.than, float) and self.than_at is not None:
            raise ValueError("than_at: the other side is a number, which has no place")
        if self.direction == "equal" and self.margin <= 0:
            raise ValueError("margin: say how far apart equals may be; above 0")
        return self

    @property
    def cells(self) -> list[str]:
        """The labels of all cells that it names."""
        named = list(self.of) if isinstance(self.of, tuple) else [self.of]
        return [*named, *([self.than] if isinstance(self.than, str) else [])]


class Claim(Strict):
    """What a source says, in our own words, and what would show it."""

    source: str
    """who says it; a key of ``sources``"""
    says: str
    """what it says"""
    experiment: str
    """the experiment that tests it"""
    checks: Annotated[tuple[Check, ...], Field(min_length=1)]
    """all of these must hold"""
    because: str = ""
    """why this metric, this margin, this experiment: written before the numbers"""
    contradicts: tuple[str, ...] = ()
    """names of claims that cannot be true if this one is"""


class Untested(Strict):
    """What a source says that has no check."""

    source: str
    """who says it; a key of ``sources``"""
    says: str
    """what it says, in our own words"""
    why: str
    """why it is not tested"""


ClaimName = Annotated[str, Field(pattern=r"^[a-z][a-z-]*$")]


class Claims(Strict):
    """The whole of ``claims.yaml``."""

    level: Annotated[float, Field(gt=0, le=0.05)] = 0.05
    """level of the verdicts, corrected over the whole ledger; no larger than that of the intervals,
    so that no verdict stands beside one that contradicts it"""
    smallest: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = Field(
        default_factory=dict
    )
    """by quantity, the smallest difference of interest: a mean that is shown to be nearer to 0 than
    that is no relevant difference"""
    sources: dict[str, str] = Field(default_factory=dict)
    """who claims, as the report names them"""
    references: dict[str, str] = Field(default_factory=dict)
    """where to find them: for each source a line of Markdown at the end of the report"""
    published: dict[str, Published] = Field(default_factory=dict)
    """published figures, by the experiment they are set beside"""
    claims: dict[ClaimName, Claim] = Field(default_factory=dict)
    """the ledger, by name"""
    must_hold: dict[ClaimName, Claim] = Field(default_factory=dict)
    """identities and inequalities that are true by mathematics: they test the code, not dropout, so
    that they are judged by their intervals alone and no part of the ledger"""
    untested: dict[ClaimName, Untested] = Field(default_factory=dict)
    """what the sources say besides, and why it is not tested"""
    timed: dict[ClaimName, Claim] = Field(default_factory=dict)
    """claims about times, whose verdicts stand apart, in ``timings.md``"""

    def about(self, experiments: Container[str]) -> Self:
        """Return those about some experiments."""
        kept: dict[str, Any] = {
            "published": {k: v for k, v in self.published.items() if k in experiments},
            "claims": {k: v for k, v in self.claims.items() if v.experiment in experiments},
            "must_hold": {k: v for k, v in self.must_hold.items() if v.experiment in experiments},
            "timed": {k: v for k, v in self.timed.items() if v.experiment in experiments},
        }
        return self.model_copy(update=kept)


def load_claims(
    path: Path,
    experiments: Mapping[str, Experiment],
    leave_out: Callable[[str], None] | None = None,
) -> Claims:
    """Read ``claims.yaml`` and check that all it names exists.

    With ``leave_out``, which is told of it, a claim that names something else is left out: for
    trials, whose parameters are not those that the claims were written for.

    Raises:
        BenchError: a key is misspelled, or, without ``leave_out``, an experiment, cell, epoch,
            source or quantity does not exist, or an experiment does not measure what is asked.
    """
    claims = validated(Claims, read_yaml(path), path)
    for name in claims.smallest:
        _named(f"{path}: smallest", "quantity", name, QUANTITIES)
    for name in claims.references:
        _named(f"{path}: references", "source", name, claims.sources)
    for name, untested in claims.untested.items():
        _named(f"{path}: untested.{name}.source", "source", untested.source, claims.sources)
    kept: dict[str, dict[str, Any]] = {
        section: {} for section in ("published", "claims", "must_hold", "timed")
    }
    for section, those in kept.items():
        for name, each in getattr(claims, section).items():
            try:
                _check(f"{path}: {section}.{name}", name, each, claims, experiments)
                those[name] = each
            except BenchError as error:
                if leave_out is None:
                    raise
                leave_out(str(error))
    return claims.model_copy(update=kept)


def _check(
    place: str,
    name: str,
    each: Published | Claim,
    claims: Claims,
    experiments: Mapping[str, Experiment],
) -> None:
    """Check that what a claim, or a publication, names exists."""
    if isinstance(each, Published):
        experiment = _named(place, "experiment", name, experiments)
        cells = {cell.label: cell for cell in experiment.cells()}
        for number, figure in enumerate(each.figures):
            here = f"{place}.figures[{number}]"
            _named(f"{here}.cell", "cell", figure.cell, cells)
            for epoch, _ in figure.values():
                _within(here, epoch, name, experiment)
                if figure.metric != "seconds":
                    _trained_for(here, quantity(figure.metric), epoch, name, experiment)
        return
    for other in each.contradicts:
        _named(f"{place}.contradicts", "claim", other, claims.claims)
    _named(f"{place}.source", "source", each.source, claims.sources)
    experiment = _named(f"{place}.experiment", "experiment", each.experiment, experiments)
    if len(experiment.seeds) < LEAST_SEEDS:
        raise BenchError(
            f"{place}.experiment: {each.experiment} has {len(experiment.seeds)} seed, and a "
            f"verdict needs at least {LEAST_SEEDS}; add to its seeds in params.yaml"
        )
    cells = {cell.label: cell for cell in experiment.cells()}
    for number, check in enumerate(each.checks):
        here = f"{place}.checks[{number}]"
        for label in check.cells:
            cell = _named(here, "cell", label, cells)
            if (check.gain or check.along) and experiment.without_dropout(cell) is None:
                key = "gain" if check.gain else "along"
                raise BenchError(f'{here}.{key}: "{label}" has no cell without dropout')
        if check.over:
            try:
                AXES[check.over].places([cells[label] for label in check.of])
            except ValueError as error:
                raise BenchError(f"{here}.over: {error}") from error
        _within(here, check.epoch, each.experiment, experiment)
        entry = _asked_rightly(here, check, [cells[label].hidden for label in check.cells])
        if entry.timed and each is not claims.timed.get(name):
            raise BenchError(
                f"{here}.metric: {entry.name} differs from one training to the next; "
                "move the claim to timed"
            )
        _trained_for(here, entry, check.epoch, each.experiment, experiment)
        if check.along:
            of = _named(f"{here}.along", "quantity", check.along, QUANTITIES)
            _trained_for(here, of, None, each.experiment, experiment)


def _asked_rightly(here: str, check: Check, networks: Sequence[tuple[int, ...]]) -> Quantity:
    """Check that the quantity exists, and has the place and epoch that are asked for."""
    entry = _named(f"{here}.metric", "quantity", check.metric, QUANTITIES)
    if check.at is None and entry.at:
        raise BenchError(f"{here}.at: {entry.name} needs one: {entry.at}")
    for key, at in (("at", check.at), ("than_at", check.than_at)):
        if at is None:
            continue
        if not entry.at:
            raise BenchError(f"{here}.{key}: {entry.name} has no place; drop {key}")
        for places in map(entry.places_in, networks):
            if places and not any(math.isclose(at, place) for place in places):
                listed = ", ".join(f"{place:g}" for place in places)
                raise BenchError(f"{here}.{key}: no {entry.name} at {at:g}; possible: {listed}")
    if check.epoch is not None and not entry.epoch:
        raise BenchError(
            f"{here}.epoch: {entry.name} is of the whole training or of the evaluated weights, "
            "not of an epoch; drop epoch"
        )
    return entry


def _trained_for(
    here: str, entry: Quantity, epoch: int | None, name: str, experiment: Experiment
) -> None:
    """Check that the experiment measures a quantity, and say what to write in params.yaml."""
    write = f"write in params.yaml, under {name}:"
    curve = entry.least_epochs or epoch is not None
    if entry.measure and entry.measure not in experiment.measures:
        listed = ", ".join([*experiment.measures, entry.measure])
        told = f"{name} does not measure {entry.name}; {write} measures: [{listed}]"
    elif entry.split == "val" and not experiment.has_validation:
        told = (
            f"{entry.name} needs a validation split, and {name} has none; {write} validation: 0.1"
        )
    elif curve and entry.split == "test" and not experiment.keep_every_epoch:
        told = f"{entry.name} by epoch needs the weights after each; {write} keep_every_epoch: true"
    elif (experiment.epochs or entry.least_epochs) < entry.least_epochs:
        told = (
            f"{entry.name} needs {entry.least_epochs} epochs, and {name} trains for "
            f"{experiment.epochs}; raise its epochs in params.yaml"
        )
    else:
        return
    raise BenchError(f"{here}.metric: {told}")


def _named(place: str, kind: str, name: str, known: Mapping[str, Thing]) -> Thing:
    if name not in known:
        hint = did_you_mean(name, known)
        raise BenchError(f'{place}: no {kind} "{shortened(name)}"; {hint}')
    return known[name]


def _within(here: str, epoch: int | None, name: str, experiment: Experiment) -> None:
    if epoch is not None and experiment.epochs is None:
        raise BenchError(f"{here}: epoch {epoch}, and {name} trains until it is done")
    if epoch is not None and epoch > (experiment.epochs or 0):
        raise BenchError(f"{here}: epoch {epoch}, and {name} trains for {experiment.epochs}")
