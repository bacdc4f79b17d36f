"""An experiment: a question, as arms over draws, that expands into its runs."""

import functools
import itertools
import math
import pkgutil
from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from dropout_bench.catalogue.datasets import DATASETS, Dataset
from dropout_bench.catalogue.optimisers import OPTIMISERS
from dropout_bench.catalogue.source import PACKAGE, closure, meaning
from dropout_bench.errors import did_you_mean
from dropout_bench.params.arms import (
    Arm,
    Cell,
    Checkpoint,
    Job,
    arms_of_grid,
    known_variant,
    listed,
)
from dropout_bench.params.draws import Drawn
from dropout_bench.params.options import Options, active, chosen
from dropout_bench.params.run import Run
from dropout_bench.params.values import (
    Normalise,
    OptionsName,
    Positive,
    PositiveInt,
    Rate,
    Rates,
    Seed,
    rates_text,
    unique,
    widths_text,
)
from dropout_bench.params.variants import module_of

PICTURES = frozenset({"features", "examples"})
MEASURES = PICTURES.union(
    module.name.replace("_", "-")
    for module in pkgutil.iter_modules([str(PACKAGE / "quantities" / "measured")])
)
"""What can be measured of trained networks: a file each in ``quantities/measured``, and pictures.
"""
_KNOWN: Mapping[str, tuple[str, Collection[str]]] = {
    "dataset": ("dataset", DATASETS),
    "optimiser": ("optimiser", OPTIMISERS),
    "measures": ("measure", MEASURES),
}
"""Fields that name things there are, in words, and these."""
SETTING = ("dataset", "train_size", "normalise", "hidden", "batch_size", "learning_rate")
"""What a draw can draw."""
MOST_KEPT = 10_000
"""Networks of a run that are kept at most, where the one after each epoch is."""
SCALES = ("unit", "symmetric", "standardised")


def _list_of_widths(value: Any) -> Any:
    """Read ``[256, 128]``, one network, as a list of one; ``[[256, 128], [64]]`` as it is."""
    return [value] if isinstance(value, list) and value and isinstance(value[0], int) else value


def scale(name: str, dataset: Dataset) -> Normalise:
    """Return how pixels in [0, 1] enter a network on a scale of this name."""
    mean, sd = {"unit": (0.0, 1.0), "symmetric": (0.5, 0.5), "standardised": dataset.scale}[name]
    return Normalise(mean=mean, sd=sd)


class Setting(NamedTuple):
    """What all arms of a draw share.

    Attributes:
        drawn: what was drawn, by name.
        dataset: name of the dataset.
        train_size: training images, None where that is an axis.
        normalise: how pixels enter.
        hidden: units in each hidden layer, None where that is an axis.
    """

    drawn: Mapping[str, Any]
    dataset: str
    train_size: int | None
    normalise: Normalise
    hidden: tuple[int, ...] | None
    batch_size: int
    learning_rate: float


class Experiment(Options):
    """A section of ``experiments``: a question, as arms over draws.

    Arms are named in ``arms``, or are the grid with × variants × input_dropout × dropout. There is
    one of each for each number of training images and each network, where these are lists; and a
    run of each for each seed, or for each draw of the setting.
    """

    question: str = ""
    """what is asked: it opens the experiment's section of the report"""
    draw: Drawn = Drawn()
    """what each draw draws anew for all arms, in the place of the keys of the same name"""
    draws: Annotated[PositiveInt, Field(le=1000)] | None = None
    """how many draws, in the place of seeds, at most 1000; 12, 24 and 48 are balanced"""
    first_draw: Seed = 0
    """number of the first draw; pilots begin at 1000, which no report uses"""
    dataset: str | None = None
    """mnist, fashion-mnist, digits, or another of ``src/dropout_bench/catalogue/datasets.py``"""
    classes: Literal["all"] | Annotated[tuple[int, ...], Field(min_length=2)] = "all"
    """labels that are kept; their places in the list are the labels that the network sees"""
    train_size: Annotated[
        tuple[Literal["all"] | PositiveInt, ...],
        BeforeValidator(listed),
        Field(min_length=1),
        AfterValidator(unique),
    ] = ("all",)
    """training images, stratified by class, those for validation included; a list is an axis"""
    validation: Rate = 0.0
    """fraction of them that is held out for validation, stratified by class"""
    validation_images: PositiveInt | None = None
    """so many images more are held out for validation, in the place of a fraction"""
    normalise: Normalise | Literal["unit", "symmetric", "standardised"] = Normalise()
    """how pixels enter: mean and sd, or a scale: unit, [0, 1]; symmetric, [-1, 1]; standardised,
    by the dataset's own mean and sd"""
    hidden: Annotated[
        tuple[Annotated[tuple[PositiveInt, ...], Field(min_length=1)], ...],
        BeforeValidator(_list_of_widths),
        AfterValidator(unique),
    ] = ()
    """units in each hidden layer; a list of such lists is an axis"""
    arms: dict[OptionsName, Arm] = Field(default_factory=dict)
    """what is compared, by name; in the place of the four keys of a grid"""
    variants: tuple[Annotated[str, AfterValidator(known_variant)], ...] = ()
    """of a grid: modules of ``src/dropout_bench/models/variants``"""
    dropout: Annotated[tuple[Rates, ...], Field(min_length=1), AfterValidator(unique)] = ((0.0,),)
    """of a grid: rates of the hidden layers; 0.0 is no dropout, ``0.5/0.3`` a rate for each"""
    input_dropout: Annotated[tuple[Rate, ...], Field(min_length=1), AfterValidator(unique)] = (0.0,)
    """of a grid: rates of the pixels"""
    combinations: dict[OptionsName, Options] = Field(alias="with", default_factory=dict)
    """of a grid: named combinations of the options below; each is an axis's value"""
    learning_rate: Positive | None = None
    """the optimiser's step size"""
    optimiser: str = "adam"
    """adam, adamw or sgd: the entries of ``src/dropout_bench/catalogue/optimisers.py``"""
    batch_size: PositiveInt | None = None
    """images per optimiser step"""
    epochs: PositiveInt | None = None
    """passes over the training images"""
    steps: PositiveInt | None = None
    """optimiser steps, in the place of epochs, rounded up to whole epochs: the most there may be"""
    patience_steps: PositiveInt | None = None
    """the same as patience, in steps, rounded up to whole epochs; the longer one of both counts"""
    listed_seeds: Annotated[tuple[Seed, ...], AfterValidator(unique)] = Field(
        alias="seeds", default=()
    )
    """one run of each arm for each seed; runs of a seed share split, weights and order"""
    measures: Annotated[tuple[str, ...], AfterValidator(unique)] = ()
    """modules of ``src/dropout_bench/quantities/measured``, and the pictures features, examples"""
    checkpoint: Checkpoint = "last"
    """weights that are evaluated: the last, or those of the lowest validation loss"""
    keep_every_epoch: bool = False
    """keep the weights after each epoch, and draw the test curve from them"""

    @field_validator(*_KNOWN)
    @classmethod
    def _known(cls, value: Any, info: ValidationInfo) -> Any:
        kind, known = _KNOWN[str(info.field_name)]
        for name in [value] if isinstance(value, str) else value or ():
            if name not in known:
                raise ValueError(f'no {kind} "{name}"; {did_you_mean(name, known)}')
        return value

    @field_validator("draw")
    @classmethod
    def _known_draws(cls, draw: Drawn) -> Drawn:
        for field, kind, known in (
            ("dataset", "dataset", DATASETS), ("normalise", "scale", SCALES),
        ):  # fmt: skip
            for name in getattr(draw, field) or ():
                if name not in known:
                    raise ValueError(f'{field}: no {kind} "{name}"; {did_you_mean(name, known)}')
        return draw

    @field_validator("classes")
    @classmethod
    def _known_classes(cls, classes: Any, info: ValidationInfo) -> Any:
        if classes != "all" and info.data.get("dataset"):
            unique(classes)
            dataset = DATASETS[info.data["dataset"]]
            for label in classes:
                if label not in dataset.labels:
                    possible = ", ".join(f"{i} {dataset.classes[i]}" for i in dataset.labels)
                    raise ValueError(f"no class {label}; possible: {possible}")
        return classes

    @field_validator("dropout")
    @classmethod
    def _rate_per_layer(cls, dropout: tuple[Rates, ...], info: ValidationInfo) -> tuple[Rates, ...]:
        for rates, widths in itertools.product(dropout, info.data.get("hidden", ())):
            _one_rate_or_each(rates, widths)
        return dropout

    @model_validator(mode="after")
    def _told_once(self) -> Self:
        """Everything that a run needs is given, and in one way."""
        given = self.model_fields_set
        for name in SETTING:
            if name in self.draw.names and name in given:
                raise ValueError(f"{name}: it is drawn too, by draw.{name}; drop one of them")
        needed = ("dataset", "hidden", "batch_size", "learning_rate")
        for name in needed:
            if name not in self.draw.names and not getattr(self, name):
                raise ValueError(f"{name}: missing; give it, or draw it: draw.{name}")
        for one, other, alias in (
            ("seeds", "draws", "listed_seeds"),
            ("epochs", "steps", "epochs"),
        ):
            first, second = bool(getattr(self, alias)), bool(getattr(self, other))
            if first == second:
                told = "both are given; drop one" if first else "missing; give one of them"
                raise ValueError(f"{one}, {other}: {told}")
        grid = sorted(given & {"variants", "dropout", "input_dropout", "combinations"})
        if self.arms and grid:
            raise ValueError(f"{grid[0]}: it makes a grid, and arms are given; drop one")
        if not self.arms and not self.variants:
            raise ValueError("variants, arms: missing; what is to be compared?")
        if self.patience_steps and self.keep_every_epoch:
            raise ValueError(
                "patience_steps: keep_every_epoch needs a fixed number of epochs; drop one"
            )
        if self.validation and self.validation_images:
            raise ValueError("validation, validation_images: both are given; drop one")
        if "examples" in self.measures and len(self.datasets) > 1:
            raise ValueError("measures: examples are of one dataset, and datasets are drawn")
        return self

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        self._check_images()
        holds_out = bool(self.validation or self.validation_images)
        arms = [each for arm in self.arms.values() for each in arm.candidates()]
        checkpoints = {self.checkpoint, *(arm.checkpoint for arm in self.arms.values())}
        for needs, asked in (
            ("checkpoint: best", "best" in checkpoints),
            ("patience_steps", bool(self.patience_steps)),
            ("choose", any(arm.choose for arm in self.arms.values())),
        ):
            if asked and not holds_out:
                raise ValueError(
                    f"{needs} needs a validation split, and validation is 0.0; "
                    "set validation above 0"
                    + (", or checkpoint: last" if needs.startswith("checkpoint") else "")
                )
        counts = {name: len(arm.candidates()) for name, arm in self.arms.items()}
        if len(set(counts.values())) > 1:
            told = ", ".join(f"{name} {count}" for name, count in counts.items())
            raise ValueError(
                f"arms: they choose among different numbers of candidates ({told}), and more "
                "choice is an advantage; give all of them as many, such as times_learning_rate"
            )
        setting = dict(self) | {"validation": holds_out}
        options = {f"with.{name}.": each for name, each in self._combined().items() if name}
        options |= {f"arms.{name}.": arm for name, arm in self.arms.items()}
        for place, those in options.items() or {"": self}.items():
            for each in those.candidates() if isinstance(those, Arm) else (those,):
                for option in active(each):
                    try:
                        option.check(setting)
                    except ValueError as error:
                        raise ValueError(f"{place}{error}") from error
        if not self.arms:
            self._arms()  # a grid's arms are checked too
        self._check_sizes()
        for arm, widths in itertools.product(arms, self._networks()):
            _one_rate_or_each(arm.dropout, widths)
        return self

    def _check_images(self) -> None:
        """Check that there are as many images as are asked for, of every class on every side."""
        fewest = self._images_available()
        sizes = self.draw.ends("train_size") if self.draw.train_size else self.resolved_train_sizes
        classes = len(self.resolved_classes)
        labels = {DATASETS[name].labels for name in self.datasets}
        if len(labels) > 1:
            raise ValueError("draw.dataset: these datasets have different labels; drop some")
        more = self.validation_images or 0
        if more and more < classes:
            raise ValueError(f"validation_images: {more} are fewer than the {classes} classes")
        for size in sizes:
            if size + more > fewest:
                beside = f" beside {more} for validation" if more else ""
                raise ValueError(
                    f"train_size: {size} images are asked for{beside}, but these classes have "
                    f"{fewest} training images; lower it, or write: all"
                )
            if self.validation and size * min(self.validation, 1 - self.validation) < classes:
                raise ValueError(
                    f"validation: {self.validation} of {size} images does not leave one image of "
                    f"each of {classes} classes on both sides; change either"
                )

    def _images_available(self) -> int:
        return min(
            sum(DATASETS[name].train_per_class[label] for label in self.resolved_classes)
            for name in self.datasets
        )

    def _check_sizes(self) -> None:
        """Check what would end trainings, or tables, that had begun."""
        if self.keep_every_epoch and (self.epochs or 0) > MOST_KEPT:
            raise ValueError(
                f"keep_every_epoch: it keeps {self.epochs} networks of each run, and at most "
                f"{MOST_KEPT} are kept; lower epochs, or drop it"
            )
        every = [each for _, _, arm in self._arms() for each in arm.candidates()]
        for rate in {rate for arm in every for rate in (*arm.dropout, arm.input_dropout)}:
            if float(f"{rate:.6g}") >= 1:
                raise ValueError(
                    f"dropout, input_dropout: {rate} is 1 in tables, which have six digits; "
                    "lower it"
                )
        if any(normalises_batches(arm.variant) for arm in every):
            self._check_batches()

    def _check_batches(self) -> None:
        """Check that no batch is a single image, of which batch norm has no variance."""
        for seed in self.seeds:
            setting = self.setting(seed)
            of = (setting.train_size,) if setting.train_size else self.resolved_train_sizes
            for size in of:
                # Of so many images a split takes the fraction, rounded up.
                trained_on = size - math.ceil(size * self.validation)
                if setting.batch_size == 1 or trained_on % setting.batch_size == 1:
                    raise ValueError(
                        f"batch_size: {trained_on} training images in batches of "
                        f"{setting.batch_size} leave a batch of one, of which batch norm has no "
                        "variance; change batch_size or train_size"
                    )

    def _networks(self) -> tuple[tuple[int, ...], ...]:
        return self.draw.hidden or self.hidden

    def _combined(self) -> dict[str, Options]:
        """Return each combination of options: its own, over those of the experiment."""
        common, combinations = chosen(self), self.combinations or {"": Options()}
        return {
            name: Options.model_validate(common | options.model_dump(exclude_unset=True))
            for name, options in combinations.items()
        }

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds: those listed, or the numbers of the draws."""
        return self.listed_seeds or tuple(
            range(self.first_draw, self.first_draw + (self.draws or 0))
        )

    @property
    def datasets(self) -> tuple[str, ...]:
        """Names of the datasets that it trains on."""
        return self.draw.dataset or ((self.dataset,) if self.dataset else ())

    @property
    def source(self) -> Dataset:
        """The catalogue's entry of the dataset; of the first one where datasets are drawn."""
        return DATASETS[self.datasets[0]]

    @property
    def resolved_classes(self) -> tuple[int, ...]:
        """The labels taken from the dataset; their places here are the labels of the subset."""
        return self.source.labels if self.classes == "all" else self.classes

    @property
    def resolved_train_sizes(self) -> tuple[int, ...]:
        """Numbers of training images as they are asked for; ``all`` spares those for validation."""
        available = self._images_available() - (self.validation_images or 0)
        return tuple(available if size == "all" else size for size in self.train_size)

    @property
    def has_validation(self) -> bool:
        """Whether images are held out for validation."""
        return bool(self.validation or self.validation_images)

    @property
    def converges(self) -> bool:
        """Whether trainings end by themselves, and their limit should not be met."""
        return self.patience_steps is not None

    def _arms(self) -> list[tuple[str, str, Arm]]:
        """List the arms: label, name of the combination of options, arm."""
        if self.arms:
            common = chosen(self)
            return [
                (
                    name,
                    "",
                    arm.model_copy(
                        update={k: v for k, v in common.items() if k not in arm.model_fields_set}
                    ),
                )
                for name, arm in self.arms.items()
            ]
        grid = arms_of_grid(self.variants, self._combined(), self.input_dropout, self.dropout)
        return [(_label(arm), name, arm) for name, arm in grid]

    @functools.cached_property
    def _cells(self) -> list[Cell]:
        hidden = (None,) if self.draw.hidden else self.hidden
        sizes = (None,) if self.draw.train_size else self.resolved_train_sizes
        cells: dict[str, Cell] = {}
        for widths, size, (label, options, arm) in itertools.product(hidden, sizes, self._arms()):
            parts = [label]
            if widths and len(self.hidden) > 1:
                parts.append(widths_text(widths))
            if size and len(self.train_size) > 1:
                parts.append(f"{size} images")
            if options:
                parts.append(options)
            cell = Cell(
                label=", ".join(parts),
                variant=arm.variant,
                dropout=arm.dropout[:1] if len(set(arm.dropout)) == 1 else arm.dropout,
                input_dropout=arm.input_dropout,
                hidden=widths or (),
                train_size=size or 0,
                options=options,
                arm=arm,
                checkpoint=arm.checkpoint or self.checkpoint,
            )
            cells.setdefault(cell.label, cell)
        return list(cells.values())

    def cells(self) -> list[Cell]:
        """List the arms at each point of the axes, each network without dropout once."""
        return list(self._cells)

    def without_dropout(self, cell: Cell) -> Cell | None:
        """Return the cell that differs in having no dropout; None where there is none."""
        plain = cell.arm.without_dropout()
        if plain == cell.arm:
            return None
        return next(
            (
                other
                for other in self._cells
                if other.point == cell.point and other.arm.compared() == plain.compared()
            ),
            None,
        )

    def setting(self, seed: int) -> Setting:
        """Return what all arms share at a seed."""
        drawn = self.draw.at(seed)
        given: dict[str, Any] = {name: getattr(self, name) for name in SETTING} | drawn
        pixels = given["normalise"]
        if not isinstance(pixels, Normalise):
            pixels = scale(pixels, DATASETS[given["dataset"]])
        axes = {name: drawn.get(name) for name in ("train_size", "hidden")}
        return Setting(drawn, **given | axes | {"normalise": pixels})

    def jobs(self) -> list[Job]:
        """Expand the experiment into its runs: by cell, by seed, by candidate."""
        return list(self._jobs)

    @functools.cached_property
    def _jobs(self) -> list[Job]:
        settings = {seed: self.setting(seed) for seed in self.seeds}
        return [
            Job(
                cell,
                self._run(cell, each, settings[seed], seed),
                self._path(cell, each, seed),
                each.text(cell.arm),
            )
            for cell in self._cells
            for candidates in [cell.arm.candidates()]
            for seed in self.seeds
            for each in candidates
        ]

    def runs(self) -> list[Run]:
        """Return the experiment's runs, without their places in it."""
        return [job.run for job in self._jobs]

    def _run(self, cell: Cell, arm: Arm, setting: Setting, seed: int) -> Run:
        values = chosen(arm)
        size = setting.train_size or cell.train_size
        hidden = setting.hidden or cell.hidden
        trained_on = size - round(size * self.validation)
        if self.steps:
            per_epoch = _rounded_up(trained_on, setting.batch_size)
            epochs = _rounded_up(self.steps, per_epoch)
            if self.patience_steps:
                in_epochs = _rounded_up(self.patience_steps, per_epoch)
                values["patience"] = max(in_epochs, values.get("patience", 0))
        else:
            epochs = self.epochs or 0
        images, validation = size, self.validation
        if self.validation_images:
            images = size + self.validation_images
            # Of so many images a split takes the fraction, rounded up.
            validation = (self.validation_images - 0.5) / images
        return Run(
            dataset=setting.dataset,
            classes=self.resolved_classes,
            train_size=images,
            validation=validation,
            normalise=setting.normalise,
            variant=arm.variant,
            hidden=hidden,
            dropout=arm.dropout * len(hidden) if len(arm.dropout) == 1 else arm.dropout,
            input_dropout=arm.input_dropout,
            learning_rate=setting.learning_rate * arm.times_learning_rate,
            batch_size=setting.batch_size,
            epochs=epochs,
            seed=seed,
            optimiser=self.optimiser,
            **values,
        )

    def _path(self, cell: Cell, arm: Arm, seed: int) -> str:
        if self.arms:
            parts = [cell.label.partition(",")[0]]
        else:
            parts = [cell.variant, f"dropout={rates_text(cell.dropout).replace('/', '+')}"]
            if cell.input_dropout:
                parts.append(f"input={cell.input_dropout}")
        if len(self.hidden) > 1:
            parts.append(f"hidden={widths_text(cell.hidden)}")
        if len(self.train_size) > 1:
            parts.append(f"images={cell.train_size}")
        if cell.options:
            parts.append(cell.options)
        if candidate := arm.text(cell.arm):
            parts.append(candidate.replace("/", "+"))
        return "/".join([*parts, f"seed={seed}"])


@functools.cache
def normalises_batches(variant: str) -> bool:
    """Whether a variant has batch norm, which its source says: parameters are read without torch.

    >>> normalises_batches("batch-norm-dropout"), normalises_batches("dropout")
    (True, False)
    """
    modules = closure(module_of(variant))
    return any("nn.BatchNorm" in meaning(one) for one in modules if one.startswith("models."))


def _rounded_up(count: int, of: int) -> int:
    return -(-count // of)


def _one_rate_or_each(rates: tuple[float, ...], widths: tuple[int, ...]) -> None:
    if len(rates) not in {1, len(widths)}:
        raise ValueError(
            f"{rates_text(rates)} has {len(rates)} rates for {len(widths)} hidden layers; "
            f"give one rate for all of them, or {len(widths)}"
        )


def _label(arm: Arm) -> str:
    label = arm.variant
    if arm.input_dropout:
        label += f" input {arm.input_dropout}"
    if any(arm.dropout):
        label += f" {rates_text(arm.dropout)}"
    return label
