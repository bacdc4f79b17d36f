"""``params.yaml`` as typed, validated values; an experiment expands into its runs.

``params.yaml`` is read as YAML 1.2, as DVC reads it: ``1e-3`` is a number and ``010`` is ten.
"""

import itertools
import pkgutil
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from dropout_bench.catalogue import DATASETS, Dataset
from dropout_bench.errors import BenchError, did_you_mean

Model = TypeVar("Model", bound=BaseModel)

VARIANTS = frozenset(
    module.name.replace("_", "-")
    for module in pkgutil.iter_modules([str(Path(__file__).parent / "models" / "variants")])
)
"""The MLP variants there are: one module each in ``models/variants``."""


def _rates(value: Any) -> Any:
    """Read ``0.5`` (every layer), ``"0.5/0.3"`` or ``[0.5, 0.3]`` (layer by layer)."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split("/"))
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def rates_text(rates: tuple[float, ...]) -> str:
    """Write rates as tables show them: ``0.5``, or ``0.5/0.3`` where the layers differ."""
    return "/".join(str(rate) for rate in (rates[:1] if len(set(rates)) == 1 else rates))


def _unique(values: tuple[Any, ...]) -> tuple[Any, ...]:
    twice = sorted({str(value) for value in values if values.count(value) > 1})
    if twice:
        raise ValueError(f"listed twice: {', '.join(twice)}")
    return values


Rate = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]
Rates = Annotated[tuple[Rate, ...], BeforeValidator(_rates), PlainSerializer(rates_text)]
PositiveInt = Annotated[int, Field(gt=0, strict=True)]
Seed = Annotated[int, Field(ge=0, lt=2**32, strict=True)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Strict(BaseModel):
    """Frozen, and an unknown key is an error: a misspelled setting must not pass for a default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, content: Any) -> Any:
        if isinstance(content, dict):
            for key in content:
                if key not in cls.model_fields:
                    hint = did_you_mean(str(key), cls.model_fields)
                    raise ValueError(f'unknown key "{key}"; {hint}')
        return content


class Normalise(Strict):
    """Pixels enter the network as (v − mean) / sd, where v in [0, 1] is the pixel's value."""

    mean: Annotated[float, Field(allow_inf_nan=False)] = 0.0
    sd: Positive = 1.0


class Cell(Strict):
    """What an experiment varies, but for the seed: a variant and its dropout rates."""

    variant: str
    dropout: Rates
    input_dropout: float

    @property
    def label(self) -> str:
        """Name the cell as tables and figures do: ``dropout 0.5``; the baseline by itself."""
        rates = [rates_text(self.dropout)] if any(self.dropout) else []
        if self.input_dropout:
            rates.insert(0, f"input {self.input_dropout}")
        return " ".join([self.variant, *rates])


class Run(Strict):
    """One training: everything that its result depends on, but for code, data bytes and machine.

    Two experiments that ask for the same run share it, so every value stands here resolved: all
    classes by number, the training-set size in images, a rate for every hidden layer.
    """

    dataset: str
    classes: tuple[int, ...]
    train_size: int
    validation: float
    normalise: Normalise
    variant: str
    hidden: tuple[int, ...]
    dropout: tuple[float, ...]
    input_dropout: float
    learning_rate: float
    batch_size: int
    epochs: int
    seed: int

    @property
    def cell(self) -> Cell:
        """The run's cell: its variant and dropout rates."""
        return Cell(variant=self.variant, dropout=self.dropout, input_dropout=self.input_dropout)

    @property
    def name(self) -> str:
        """The run's path within its experiment: ``dropout/dropout=0.5/seed=3``."""
        parts = [self.variant, f"dropout={rates_text(self.dropout).replace('/', '+')}"]
        if self.input_dropout:
            parts.append(f"input={self.input_dropout}")
        return "/".join([*parts, f"seed={self.seed}"])


class Experiment(Strict):
    """A section of ``experiments``: a question, as a grid of cells times seeds.

    At rate 0.0 every variant is the ``baseline``, so that one stands in, once, for all of them.
    """

    dataset: str
    classes: Literal["all"] | Annotated[tuple[int, ...], Field(min_length=2)] = "all"
    train_size: Literal["all"] | PositiveInt = "all"
    validation: Rate = 0.0
    normalise: Normalise = Normalise()
    hidden: Annotated[tuple[PositiveInt, ...], Field(min_length=1)]
    baseline: str = "standard"
    variants: Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_unique)]
    dropout: Annotated[tuple[Rates, ...], Field(min_length=1), AfterValidator(_unique)]
    input_dropout: Annotated[tuple[Rate, ...], Field(min_length=1), AfterValidator(_unique)] = (
        0.0,
    )
    learning_rate: Positive
    batch_size: PositiveInt
    epochs: PositiveInt
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1), AfterValidator(_unique)]
    checkpoint: Literal["last", "best"] = "last"
    keep_every_epoch: bool = False

    @field_validator("dataset")
    @classmethod
    def _known_dataset(cls, name: str) -> str:
        if name not in DATASETS:
            raise ValueError(f'no dataset "{name}"; {did_you_mean(name, DATASETS)}')
        return name

    @field_validator("baseline", "variants")
    @classmethod
    def _known_variants(cls, names: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for name in (names,) if isinstance(names, str) else names:
            if name not in VARIANTS:
                raise ValueError(f'no variant "{name}"; {did_you_mean(name, VARIANTS)}')
        return names

    @field_validator("classes")
    @classmethod
    def _known_classes(
        cls, classes: Literal["all"] | tuple[int, ...], info: ValidationInfo
    ) -> Literal["all"] | tuple[int, ...]:
        if classes != "all" and "dataset" in info.data:
            _unique(classes)
            names = DATASETS[info.data["dataset"]].classes
            for label in classes:
                if not 0 <= label < len(names):
                    listed = ", ".join(f"{i} {name}" for i, name in enumerate(names))
                    raise ValueError(f"no class {label}; possible: {listed}")
        return classes

    @field_validator("dropout")
    @classmethod
    def _rate_per_layer(
        cls, dropout: tuple[tuple[float, ...], ...], info: ValidationInfo
    ) -> tuple[tuple[float, ...], ...]:
        layers = len(info.data.get("hidden", ()))
        for rates in dropout:
            if layers and len(rates) not in {1, layers}:
                raise ValueError(
                    f"{rates_text(rates)} has {len(rates)} rates for {layers} hidden layers; "
                    f"give one rate for all of them, or {layers}"
                )
        return dropout

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        available = self._images_available()
        if self.train_size != "all" and self.train_size > available:
            raise ValueError(
                f"train_size: {self.train_size} images are asked for, but these classes have "
                f"{available} training images; lower it, or write: all"
            )
        classes = len(self.resolved_classes)
        if self.validation and not (
            classes <= self.resolved_train_size * self.validation
            and classes <= self.resolved_train_size * (1 - self.validation)
        ):
            raise ValueError(
                f"validation: {self.validation} of {self.resolved_train_size} images does not "
                f"leave one image of each of {classes} classes on both sides; change either"
            )
        if self.checkpoint == "best" and not self.validation:
            raise ValueError(
                "checkpoint: best is chosen on the validation split, and validation is 0.0; "
                "set validation above 0, or checkpoint: last"
            )
        if self.baseline in self.variants and self._has_dropout():
            raise ValueError(
                f'variants: "{self.baseline}" is the baseline, which takes no dropout; '
                "name another variant, or make 0.0 the only rate"
            )
        return self

    def _has_dropout(self) -> bool:
        return any(self.input_dropout) or any(any(rates) for rates in self.dropout)

    def _images_available(self) -> int:
        counts = self.source.train_per_class
        return sum(counts[label] for label in self.resolved_classes)

    @property
    def source(self) -> Dataset:
        """The catalogue's entry of the dataset."""
        return DATASETS[self.dataset]

    @property
    def resolved_classes(self) -> tuple[int, ...]:
        """The labels taken from the dataset; their places here are the labels of the subset."""
        return tuple(range(len(self.source.classes))) if self.classes == "all" else self.classes

    @property
    def resolved_train_size(self) -> int:
        """Number of images taken from the training set, the validation split included."""
        return self._images_available() if self.train_size == "all" else self.train_size

    def cells(self) -> list[Cell]:
        """List the cells: the grid of variants and rates, the baseline once."""
        cells: dict[Cell, None] = {}
        for variant, input_dropout, rates in itertools.product(
            self.variants, self.input_dropout, self.dropout
        ):
            per_layer = rates * len(self.hidden) if len(rates) == 1 else rates
            without = not any(per_layer) and not input_dropout
            cell = Cell(
                variant=self.baseline if without else variant,
                dropout=per_layer,
                input_dropout=input_dropout,
            )
            cells[cell] = None
        return list(cells)

    def runs(self) -> list[Run]:
        """Expand the experiment into its runs, cell by cell, seed by seed."""
        return [
            Run(
                dataset=self.dataset,
                classes=self.resolved_classes,
                train_size=self.resolved_train_size,
                validation=self.validation,
                normalise=self.normalise,
                variant=cell.variant,
                hidden=self.hidden,
                dropout=cell.dropout,
                input_dropout=cell.input_dropout,
                learning_rate=self.learning_rate,
                batch_size=self.batch_size,
                epochs=self.epochs,
                seed=seed,
            )
            for cell in self.cells()
            for seed in self.seeds
        ]


class Download(Strict):
    """The section ``download``: where datasets come from."""

    timeout: Positive = 20.0
    local: str = "../shared/datasets"
    mirrors: dict[str, tuple[str, ...]] = {}


ExperimentName = Annotated[str, Field(pattern=r"^[a-z][a-z-]*$")]


class Params(Strict):
    """The whole of ``params.yaml``."""

    file: ClassVar[str] = "params.yaml"

    download: Download = Download()
    experiments: Annotated[dict[ExperimentName, Experiment], Field(min_length=1)]
    demo: dict[ExperimentName, Experiment] = {}

    def experiment(self, name: str) -> Experiment:
        """Return one experiment, from ``experiments`` or ``demo``.

        Raises:
            BenchError: there is none of this name.
        """
        known = {**self.demo, **self.experiments}
        if name not in known:
            raise BenchError(f'{self.file}: no experiment "{name}"; {did_you_mean(name, known)}')
        return known[name]


def read_yaml(path: Path) -> Any:
    """Read a file as YAML 1.2, without constructing any object but plain data.

    Raises:
        BenchError: it cannot be read, or is not YAML.
    """
    try:
        return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, YAMLError, ValueError) as error:
        raise BenchError(f"{path}: cannot be read as YAML 1.2\n{error}") from error


def load_params(path: Path) -> Params:
    """Read and check ``params.yaml``.

    Raises:
        BenchError: names each place that is wrong, what is wrong there, and what would be right.
    """
    return validated(Params, read_yaml(path), path)


def validated(model: type[Model], content: Any, path: Path) -> Model:
    """Check plain data against a model.

    Raises:
        BenchError: lists every fault with its place in the file.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        faults = [
            f"{path}: {_place(content, fault['loc'])}{_reason(fault)}" for fault in error.errors()
        ]
        raise BenchError("\n".join(dict.fromkeys(faults))) from error


def _place(content: Any, location: tuple[int | str, ...]) -> str:
    """Write a fault's place as ``experiments.mnist-tutorial.dropout[1]: ``."""
    place = ""
    for part in location:
        if isinstance(content, dict) and (part in content or not place.endswith("]")):
            # A missing key is named too; pydantic's names for alternatives of a type are not.
            if part not in content and "[" in str(part):
                break
            place += f".{part}" if place else str(part)
            content = content.get(part)
        elif isinstance(content, list) and isinstance(part, int) and part < len(content):
            place += f"[{part}]"
            content = content[part]
        else:
            break
    return f"{place}: " if place else ""


def _reason(fault: Any) -> str:
    message = str(fault["msg"]).removeprefix("Value error, ")
    given = fault["input"]
    if fault["type"] in {"value_error", "missing"} or isinstance(given, dict | list | tuple):
        return message
    return f"{message} (given: {given})"
