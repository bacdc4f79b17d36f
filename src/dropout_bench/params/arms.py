"""An arm: a network with its options, or several, of which validation chooses."""

import itertools
from collections.abc import Iterator
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from dropout_bench.errors import did_you_mean
from dropout_bench.params import run
from dropout_bench.params.options import Options, chosen
from dropout_bench.params.values import Positive, Rate, Rates, rates_text, unique
from dropout_bench.params.variants import VARIANTS, counterpart

Checkpoint = Literal["last", "best"]
NO_DROPOUT = {"dropout": (0.0,), "input_dropout": 0.0}


def listed(value: Any) -> Any:
    """Read a value as a list of one."""
    return value if isinstance(value, list | tuple) else (value,)


def known_variant(name: str) -> str:
    """Return the name of a variant that there is."""
    if name not in VARIANTS:
        raise ValueError(f'no variant "{name}"; {did_you_mean(name, VARIANTS)}')
    return name


class Arm(Options):
    """A network with its options, beside the setting that all arms share.

    With ``choose`` it is several, the candidates: at each draw the one with the lowest validation
    loss is evaluated, of equals the first.
    """

    variant: Annotated[str, AfterValidator(known_variant)] = "standard"
    """module of ``src/dropout_bench/models/variants``"""
    dropout: Rates = (0.0,)
    """rate of the hidden layers, or ``0.5/0.3``, a rate for each"""
    input_dropout: Rate = 0.0
    """rate of the pixels"""
    times_learning_rate: Positive = 1.0
    """factor of the setting's step size"""
    checkpoint: Checkpoint | None = None
    """weights that are evaluated: last or best; the experiment's unless it is given"""
    choose: dict[
        str, Annotated[tuple[Any, ...], BeforeValidator(listed), AfterValidator(unique)]
    ] = Field(default_factory=dict)
    """lists of values of the above, and of options; each of their combinations is a candidate"""

    @field_validator("choose")
    @classmethod
    def _of_an_arm(cls, choose: dict[str, tuple[Any, ...]]) -> dict[str, tuple[Any, ...]]:
        known = cls.model_fields.keys() - {"choose", "checkpoint", "variant"}
        for name, values in choose.items():
            if name not in known:
                raise ValueError(f'"{name}" cannot be chosen; {did_you_mean(name, known)}')
            if len(values) < 2:
                raise ValueError(f"{name}: there is nothing to choose among {len(values)}")
        return choose

    @model_validator(mode="after")
    def _takes_dropout(self) -> Self:
        candidates = self.candidates()
        if counterpart(self.variant) is None and any(each.has_dropout for each in candidates):
            raise ValueError(
                f'variants: "{self.variant}" takes no dropout, and there are rates above 0.0; '
                "name another variant, or make 0.0 the only rate"
            )
        return self

    @property
    def has_dropout(self) -> bool:
        """Whether it drops anything, as far as that is fixed."""
        return any((*self.dropout, self.input_dropout))

    def candidates(self) -> tuple["Arm", ...]:
        """Return what validation chooses among: itself alone where nothing is chosen."""
        if not self.choose:
            return (self,)
        fixed = self.model_dump(exclude={"choose"}, exclude_unset=True)
        return tuple(
            Arm.model_validate(fixed | dict(zip(self.choose, values, strict=True)))
            for values in itertools.product(*self.choose.values())
        )

    def without_dropout(self) -> "Arm":
        """Return the arm that differs in having no dropout, and chooses no rate."""
        rest = {name: each for name, each in self.choose.items() if name not in NO_DROPOUT}
        variant = counterpart(self.variant) or self.variant
        values = {**NO_DROPOUT, "variant": variant, "choose": rest}
        if variant != self.variant:  # it has no options of this variant's own
            values["own"] = ()
        return self.model_copy(update=values)

    def compared(self) -> dict[str, Any]:
        """Return what tells it from other arms; a choice of step sizes does not."""
        chosen_among = {k: v for k, v in self.choose.items() if k != "times_learning_rate"}
        given = (self.variant, self.dropout, self.input_dropout, self.checkpoint)
        return {**chosen(self), "given": given, "choose": chosen_among}

    def text(self, among: "Arm") -> str:
        """Write what was chosen of an arm: ``dropout=0.2``, or ``dropout=0.5,l2=0.0001``."""
        return ",".join(f"{name}={_text(getattr(self, name))}" for name in among.choose)


def _text(value: Any) -> str:
    return rates_text(value) if isinstance(value, tuple) else f"{value}"


class Cell(run.Cell):
    """An arm at a point of its experiment's axes. It is told by its label alone.

    Where hidden layers are drawn, ``hidden`` is empty; where the number of images is, it is 0.

    Attributes:
        arm: its arm.
        checkpoint: the weights that are evaluated.
    """

    arm: Arm
    checkpoint: Checkpoint

    def __hash__(self) -> int:
        """Labels tell cells apart."""
        return hash(self.label)

    @property
    def point(self) -> tuple[object, ...]:
        """All that cells share that differ in their arm alone."""
        return self.hidden, self.train_size, self.options, self.checkpoint

    def row(self) -> dict[str, str | float]:
        """Return the column that tells the cell in every table."""
        return {"arm": self.label}


class Job(NamedTuple):
    """A run as an experiment asks for it.

    Attributes:
        cell: its cell.
        run: the run.
        name: its path within the experiment: ``dropout/dropout=0.5/seed=3``.
        candidate: what of it may be chosen: ``dropout=0.2``; "" where nothing is.
    """

    cell: Cell
    run: run.Run
    name: str
    candidate: str


def arms_of_grid(
    variants: tuple[str, ...],
    combinations: dict[str, Options],
    input_dropout: tuple[float, ...],
    dropout: tuple[tuple[float, ...], ...],
) -> Iterator[tuple[str, Arm]]:
    """List the arms of a grid, with the name of each one's combination of options.

    At rate 0.0 a variant is the network without dropout, which stands in for all of its kind.
    """
    for (name, options), variant, pixels, rates in itertools.product(
        combinations.items(), variants, input_dropout, dropout
    ):
        values = chosen(options)
        if not any((*rates, pixels)) and (plain := counterpart(variant)) not in {None, variant}:
            variant = plain or variant
            values.pop("own", None)  # options of the variant's own
        yield name, Arm(variant=variant, dropout=rates, input_dropout=pixels, **values)
