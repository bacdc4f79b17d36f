"""An experiment: a question, as a grid of cells times seeds, that expands into its runs."""

import itertools
import pkgutil
from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal, Self

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
from dropout_bench.catalogue.source import PACKAGE
from dropout_bench.errors import did_you_mean
from dropout_bench.params.options import Options, active, chosen
from dropout_bench.params.run import Cell, Job, Run
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
from dropout_bench.params.variants import VARIANTS, counterpart

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
    "variants": ("variant", VARIANTS),
    "measures": ("measure", MEASURES),
}
"""Fields that name things there are, in words, and these."""


def _list_of_widths(value: Any) -> Any:
    """Read ``[256, 128]``, one network, as a list of one; ``[[256, 128], [64]]`` as it is."""
    return [value] if isinstance(value, list) and value and isinstance(value[0], int) else value


def _listed(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else (value,)


class Experiment(Options):
    """A section of ``experiments``: a question, as a grid of cells times seeds.

    The grid is hidden × train_size × with × variants × input_dropout × dropout. At rate 0.0 a
    variant is the network without dropout, which stands in, once, for all of its kind.
    """

    question: str = ""
    """what is asked: it opens the experiment's section of the report"""
    dataset: str
    """mnist, fashion-mnist or digits"""
    classes: Literal["all"] | Annotated[tuple[int, ...], Field(min_length=2)] = "all"
    """labels that are kept; their places in the list are the labels that the network sees"""
    train_size: Annotated[
        tuple[Literal["all"] | PositiveInt, ...],
        BeforeValidator(_listed),
        Field(min_length=1),
        AfterValidator(unique),
    ] = ("all",)
    """training images, those for validation included, stratified by class; a list is an axis"""
    validation: Rate = 0.0
    """fraction of them that is held out for validation, stratified by class"""
    normalise: Normalise = Normalise()
    """how pixels enter the network"""
    hidden: Annotated[
        tuple[Annotated[tuple[PositiveInt, ...], Field(min_length=1)], ...],
        BeforeValidator(_list_of_widths),
        Field(min_length=1),
        AfterValidator(unique),
    ]
    """units in each hidden layer; a list of such lists is an axis"""
    variants: Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(unique)]
    """modules of ``src/dropout_bench/models/variants``"""
    dropout: Annotated[tuple[Rates, ...], Field(min_length=1), AfterValidator(unique)]
    """rates of the hidden layers; 0.0 is no dropout, ``0.5/0.3`` a rate for each layer"""
    input_dropout: Annotated[tuple[Rate, ...], Field(min_length=1), AfterValidator(unique)] = (0.0,)
    """rates of the pixels"""
    combinations: dict[OptionsName, Options] = Field(alias="with", default_factory=dict)
    """named combinations of the options below; each is an axis's value"""
    learning_rate: Positive
    """the optimiser's step size"""
    optimiser: str = "adam"
    """adam, adamw or sgd: the entries of ``src/dropout_bench/catalogue/optimisers.py``"""
    batch_size: PositiveInt
    """images per optimiser step"""
    epochs: PositiveInt
    """passes over the training images"""
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1), AfterValidator(unique)]
    """one run of each cell for each seed; runs of a seed share split, weights and order"""
    measures: Annotated[tuple[str, ...], AfterValidator(unique)] = ()
    """modules of ``src/dropout_bench/quantities/measured``, and the pictures features, examples"""
    checkpoint: Literal["last", "best"] = "last"
    """weights that are evaluated: the last, or those of the lowest validation loss"""
    keep_every_epoch: bool = False
    """keep the weights after each epoch, and draw the test curve from them"""

    @field_validator(*_KNOWN)
    @classmethod
    def _known(cls, value: Any, info: ValidationInfo) -> Any:
        kind, known = _KNOWN[str(info.field_name)]
        for name in [value] if isinstance(value, str) else value:
            if name not in known:
                raise ValueError(f'no {kind} "{name}"; {did_you_mean(name, known)}')
        return value

    @field_validator("classes")
    @classmethod
    def _known_classes(cls, classes: Any, info: ValidationInfo) -> Any:
        if classes != "all" and "dataset" in info.data:
            unique(classes)
            dataset = DATASETS[info.data["dataset"]]
            for label in classes:
                if label not in dataset.labels:
                    listed = ", ".join(f"{i} {dataset.classes[i]}" for i in dataset.labels)
                    raise ValueError(f"no class {label}; possible: {listed}")
        return classes

    @field_validator("dropout")
    @classmethod
    def _rate_per_layer(cls, dropout: tuple[Rates, ...], info: ValidationInfo) -> tuple[Rates, ...]:
        for rates, widths in itertools.product(dropout, info.data.get("hidden", ())):
            if len(rates) not in {1, len(widths)}:
                raise ValueError(
                    f"{rates_text(rates)} has {len(rates)} rates for {len(widths)} hidden layers; "
                    f"give one rate for all of them, or {len(widths)}"
                )
        return dropout

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        available = self._images_available()
        classes = len(self.resolved_classes)
        for size in self.resolved_train_sizes:
            if size > available:
                raise ValueError(
                    f"train_size: {size} images are asked for, but these classes have "
                    f"{available} training images; lower it, or write: all"
                )
            if self.validation and size * min(self.validation, 1 - self.validation) < classes:
                raise ValueError(
                    f"validation: {self.validation} of {size} images does not leave one image of "
                    f"each of {classes} classes on both sides; change either"
                )
        if self.checkpoint == "best" and not self.validation:
            raise ValueError(
                "checkpoint: best is chosen on the validation split, and validation is 0.0; "
                "set validation above 0, or checkpoint: last"
            )
        for place, options in self._options().items():
            for option in active(options):
                try:
                    option.check(dict(self))
                except ValueError as error:
                    raise ValueError(f"with.{place}.{error}" if place else str(error)) from error
        has_dropout = any(self.input_dropout) or any(any(rates) for rates in self.dropout)
        for variant in self.variants:
            if has_dropout and counterpart(variant) is None:
                raise ValueError(
                    f'variants: "{variant}" takes no dropout, and there are rates above 0.0; '
                    "name another variant, or make 0.0 the only rate"
                )
        return self

    def _images_available(self) -> int:
        counts = self.source.train_per_class
        return sum(counts[label] for label in self.resolved_classes)

    def _options(self) -> dict[str, Options]:
        """Return each combination of options: its own, over those of the experiment."""
        common, combinations = chosen(self), self.combinations or {"": Options()}
        return {
            name: Options.model_validate(common | options.model_dump(exclude_unset=True))
            for name, options in combinations.items()
        }

    @property
    def source(self) -> Dataset:
        """The catalogue's entry of the dataset."""
        return DATASETS[self.dataset]

    @property
    def resolved_classes(self) -> tuple[int, ...]:
        """The labels taken from the dataset; their places here are the labels of the subset."""
        return self.source.labels if self.classes == "all" else self.classes

    @property
    def resolved_train_sizes(self) -> tuple[int, ...]:
        """Numbers of images taken from the training set, the validation split included."""
        available = self._images_available()
        return tuple(available if size == "all" else size for size in self.train_size)

    def cells(self) -> list[Cell]:
        """List the cells of the grid, each network without dropout once."""
        cells: dict[Cell, None] = {}
        for hidden, size, options, variant, input_dropout, rates in itertools.product(
            self.hidden,
            self.resolved_train_sizes,
            self._options(),
            self.variants,
            self.input_dropout,
            self.dropout,
        ):
            per_layer = rates * len(hidden) if len(rates) == 1 else rates
            if not any((*per_layer, input_dropout)):
                variant = counterpart(variant) or variant
            cell = Cell(
                label="",
                variant=variant,
                dropout=per_layer,
                input_dropout=input_dropout,
                hidden=hidden,
                train_size=size,
                options=options,
            )
            cells[cell.model_copy(update={"label": self._label(cell)})] = None
        return list(cells)

    def _label(self, cell: Cell) -> str:
        label = cell.variant
        if cell.input_dropout:
            label += f" input {cell.input_dropout}"
        if any(cell.dropout):
            label += f" {rates_text(cell.dropout)}"
        if len(self.hidden) > 1:
            label += f", {widths_text(cell.hidden)}"
        if len(self.train_size) > 1:
            label += f", {cell.train_size} images"
        if self.combinations:
            label += f", {cell.options}"
        return label

    def without_dropout(self, cell: Cell) -> Cell | None:
        """Return the cell that differs in having no dropout; None where there is none."""
        if not any((*cell.dropout, cell.input_dropout)):
            return None
        variant = counterpart(cell.variant) or cell.variant
        row = cell.row() | {"variant": variant, "dropout": "0.0", "input_dropout": 0.0}
        return next((other for other in self.cells() if other.row() == row), None)

    def jobs(self) -> list[Job]:
        """Expand the experiment into its runs, cell by cell, seed by seed."""
        options = self._options()
        return [
            Job(cell, self._run(cell, options[cell.options], seed), self._path(cell, seed))
            for cell in self.cells()
            for seed in self.seeds
        ]

    def runs(self) -> list[Run]:
        """Return the experiment's runs, without their places in it."""
        return [job.run for job in self.jobs()]

    def _run(self, cell: Cell, options: Options, seed: int) -> Run:
        values = chosen(options)
        if cell.variant not in self.variants:  # the counterpart has no options of the variant's own
            values.pop("own", None)
        return Run(
            dataset=self.dataset,
            classes=self.resolved_classes,
            train_size=cell.train_size,
            validation=self.validation,
            normalise=self.normalise,
            variant=cell.variant,
            hidden=cell.hidden,
            dropout=cell.dropout,
            input_dropout=cell.input_dropout,
            learning_rate=self.learning_rate,
            batch_size=self.batch_size,
            epochs=self.epochs,
            seed=seed,
            optimiser=self.optimiser,
            **values,
        )

    def _path(self, cell: Cell, seed: int) -> str:
        parts = [cell.variant, f"dropout={rates_text(cell.dropout).replace('/', '+')}"]
        if cell.input_dropout:
            parts.append(f"input={cell.input_dropout}")
        if len(self.hidden) > 1:
            parts.append(f"hidden={widths_text(cell.hidden)}")
        if len(self.train_size) > 1:
            parts.append(f"images={cell.train_size}")
        if self.combinations:
            parts.append(cell.options)
        return "/".join([*parts, f"seed={seed}"])
