"""``params.yaml`` as typed, validated values; an experiment expands into its runs.

``params.yaml`` is read as YAML 1.2, as DVC reads it: ``1e-3`` is a number and ``010`` is ten.
"""

import itertools
import pkgutil
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    PlainSerializer,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from ruamel.yaml import YAML
from ruamel.yaml.error import ReusedAnchorWarning, YAMLError

from dropout_bench.catalogue import DATASETS, Dataset
from dropout_bench.errors import BenchError, did_you_mean, shortened

if TYPE_CHECKING:
    import pandas as pd

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


def widths_text(widths: tuple[int, ...]) -> str:
    """Write the widths of hidden layers as tables show them: ``256-128``."""
    return "-".join(map(str, widths))


Rate = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]
Rates = Annotated[tuple[Rate, ...], BeforeValidator(_rates), PlainSerializer(rates_text)]
Widths = Annotated[tuple[int, ...], PlainSerializer(widths_text)]
PositiveInt = Annotated[int, Field(gt=0, strict=True)]
Seed = Annotated[int, Field(ge=0, lt=2**32, strict=True)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
OptionsName = Annotated[str, Field(pattern=r"^[a-z][a-z-]*$")]


Measure = Literal[
    "masks",
    "corruption",
    "activations",
    "ablation",
    "gradients",
    "reliability",
    "features",
    "examples",
]
"""What an experiment may measure of its trained networks, besides loss and accuracy."""


class Strict(BaseModel):
    """Frozen, and an unknown key is an error: a misspelled setting must not pass for a default."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, content: Any) -> Any:
        if isinstance(content, dict):
            known = [field.alias or name for name, field in cls.model_fields.items()]
            for key in content:
                if key not in known:
                    hint = did_you_mean(str(key), known)
                    raise ValueError(f'unknown key "{shortened(key)}"; {hint}')
        return content


class Normalise(Strict):
    """Pixels enter the network as (v − mean) / sd, where v in [0, 1] is the pixel's value."""

    mean: Annotated[float, Field(allow_inf_nan=False)] = 0.0
    """what is taken from every pixel"""
    sd: Positive = 1.0
    """what it is then divided by"""


class Options(Strict):
    """What any variant can be combined with. All of it is off by default."""

    weight_decay: NotNegative = 0.0
    """decoupled weight decay, per step and unit of step size"""
    l2: NotNegative = 0.0
    """factor λ of an L2 penalty λ/2 · Σ w² in the loss"""
    l1: NotNegative = 0.0
    """factor λ of an L1 penalty λ · Σ |w| in the loss"""
    max_norm: Positive | None = None
    """largest norm of the weights into a hidden unit"""
    patience: PositiveInt | None = None
    """training ends when the validation loss has not fallen for so many epochs"""
    input_noise: NotNegative = 0.0
    """standard deviation of noise on the normalised pixels, in training"""
    shift: Annotated[int, Field(ge=0, lt=8, strict=True)] = 0
    """training images are moved at random by up to so many pixels"""
    learning_rate_decay: Literal["none", "linear"] = "none"
    """linear: the step size falls from epoch to epoch, towards 0 after the last one"""


class Cell(Strict):
    """What an experiment varies, but for the seed.

    Attributes:
        variant: the MLP variant.
        dropout: rate of each hidden layer.
        input_dropout: rate of the pixels.
        hidden: units of each hidden layer.
        train_size: number of training images.
        options: name of a combination of options, "" where the experiment has none.
        label: names the cell as tables and figures do, by what varies in its experiment:
            ``dropout 0.5``, or ``standard, 500 images``.
    """

    label: str
    variant: str
    dropout: Rates
    input_dropout: float
    hidden: Widths
    train_size: int
    options: str

    def row(self) -> dict[str, str | float]:
        """Return the columns that tell the cell in every table."""
        return {
            "variant": self.variant,
            "input_dropout": self.input_dropout,
            "dropout": rates_text(self.dropout),
            "hidden": widths_text(self.hidden),
            "train_size": self.train_size,
            "options": self.options,
        }

    def rows_of(self, table: "pd.DataFrame") -> "pd.DataFrame":
        """Return the cell's rows of a table."""
        row = self.row()
        rows: pd.DataFrame = table[(table[list(row)] == list(row.values())).all(axis=1)]
        return rows


class Run(Options):
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


class Job(NamedTuple):
    """A run as an experiment asks for it.

    Attributes:
        cell: its cell.
        run: the run.
        name: its path within the experiment: ``dropout/dropout=0.5/seed=3``.
    """

    cell: Cell
    run: Run
    name: str


def _list_of_widths(value: Any) -> Any:
    """Read ``[256, 128]``, one network, as a list of one; ``[[256, 128], [64]]`` as it is."""
    return [value] if isinstance(value, list) and value and isinstance(value[0], int) else value


def _listed(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else (value,)


WITHOUT_DROPOUT = {
    "alpha-dropout": "selu",
    "batch-norm-dropout": "batch-norm",
    "dropout-batch-norm": "batch-norm",
}
"""The variant that a variant is at rate 0.0; ``standard`` for those that are not named."""


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
        AfterValidator(_unique),
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
        AfterValidator(_unique),
    ]
    """units in each hidden layer; a list of such lists is an axis"""
    variants: Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_unique)]
    """modules of ``src/dropout_bench/models/variants``"""
    dropout: Annotated[tuple[Rates, ...], Field(min_length=1), AfterValidator(_unique)]
    """rates of the hidden layers; 0.0 is no dropout, ``0.5/0.3`` a rate for each layer"""
    input_dropout: Annotated[tuple[Rate, ...], Field(min_length=1), AfterValidator(_unique)] = (
        0.0,
    )
    """rates of the pixels"""
    combinations: Annotated[dict[OptionsName, Options], Field(alias="with")] = {}
    """named combinations of the options below; each is an axis's value"""
    learning_rate: Positive
    """Adam's step size"""
    batch_size: PositiveInt
    """images per optimiser step"""
    epochs: PositiveInt
    """passes over the training images"""
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1), AfterValidator(_unique)]
    """one run of each cell for each seed; runs of a seed share split, weights and order"""
    measures: Annotated[tuple[Measure, ...], AfterValidator(_unique)] = ()
    """what is measured of the trained networks besides loss and accuracy"""
    checkpoint: Literal["last", "best"] = "last"
    """weights that are evaluated: the last, or those of the lowest validation loss"""
    keep_every_epoch: bool = False
    """keep the weights after each epoch, and draw the test curve from them"""

    @field_validator("dataset")
    @classmethod
    def _known_dataset(cls, name: str) -> str:
        if name not in DATASETS:
            raise ValueError(f'no dataset "{name}"; {did_you_mean(name, DATASETS)}')
        return name

    @field_validator("variants")
    @classmethod
    def _known_variants(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
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
            if self.validation and not (
                classes <= size * self.validation and classes <= size * (1 - self.validation)
            ):
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
            where = f"with.{place}." if place else ""
            if options.patience and not self.validation:
                raise ValueError(
                    f"{where}patience: it watches the validation loss, and validation is 0.0; "
                    "set validation above 0"
                )
            if options.patience and self.keep_every_epoch:
                raise ValueError(
                    f"{where}patience: keep_every_epoch needs a fixed number of epochs; drop one"
                )
            if options.weight_decay and options.l2:
                raise ValueError(f"{where}l2: weight_decay is set too; choose one of them")
        for variant in self.variants:
            if self._has_dropout() and variant in {"standard", *WITHOUT_DROPOUT.values()}:
                raise ValueError(
                    f'variants: "{variant}" takes no dropout, and there are rates above 0.0; '
                    "name another variant, or make 0.0 the only rate"
                )
        return self

    def _has_dropout(self) -> bool:
        return any(self.input_dropout) or any(any(rates) for rates in self.dropout)

    def _images_available(self) -> int:
        counts = self.source.train_per_class
        return sum(counts[label] for label in self.resolved_classes)

    def _options(self) -> dict[str, Options]:
        """Return each combination of options: its own, over those of the experiment."""
        common = {name: getattr(self, name) for name in Options.model_fields}
        if not self.combinations:
            return {"": Options(**common)}
        return {
            name: Options(**common | options.model_dump(exclude_unset=True))
            for name, options in self.combinations.items()
        }

    @property
    def source(self) -> Dataset:
        """The catalogue's entry of the dataset."""
        return DATASETS[self.dataset]

    @property
    def resolved_classes(self) -> tuple[int, ...]:
        """The labels taken from the dataset; their places here are the labels of the subset."""
        return tuple(range(len(self.source.classes))) if self.classes == "all" else self.classes

    @property
    def resolved_train_sizes(self) -> tuple[int, ...]:
        """Numbers of images taken from the training set, the validation split included."""
        available = self._images_available()
        return tuple(available if size == "all" else size for size in self.train_size)

    def cells(self) -> list[Cell]:
        """List the cells of the grid, each network without dropout once."""
        cells: dict[Cell, None] = {}
        alone = set(WITHOUT_DROPOUT.values())
        for hidden, size, options, variant, input_dropout, rates in itertools.product(
            self.hidden,
            self.resolved_train_sizes,
            self._options(),
            self.variants,
            self.input_dropout,
            self.dropout,
        ):
            per_layer = rates * len(hidden) if len(rates) == 1 else rates
            without = not any(per_layer) and not input_dropout
            if without and variant not in alone:
                variant = WITHOUT_DROPOUT.get(variant, "standard")
            cells[self._cell(variant, per_layer, input_dropout, hidden, size, options)] = None
        return list(cells)

    def _cell(
        self,
        variant: str,
        dropout: tuple[float, ...],
        input_dropout: float,
        hidden: tuple[int, ...],
        train_size: int,
        options: str,
    ) -> Cell:
        network = [variant]
        if input_dropout:
            network.append(f"input {input_dropout}")
        if any(dropout):
            network.append(rates_text(dropout))
        parts = [" ".join(network)]
        if len(self.hidden) > 1:
            parts.append(widths_text(hidden))
        if len(self.train_size) > 1:
            parts.append(f"{train_size} images")
        if self.combinations:
            parts.append(options)
        return Cell(
            label=", ".join(parts),
            variant=variant,
            dropout=dropout,
            input_dropout=input_dropout,
            hidden=hidden,
            train_size=train_size,
            options=options,
        )

    def without_dropout(self, cell: Cell) -> Cell | None:
        """Return the cell that differs in having no dropout; None where there is none."""
        if not any((*cell.dropout, cell.input_dropout)):
            return None
        base = self._cell(
            WITHOUT_DROPOUT.get(cell.variant, "standard"),
            (0.0,) * len(cell.hidden),
            0.0,
            cell.hidden,
            cell.train_size,
            cell.options,
        )
        return base if base in self.cells() else None

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
            **options.model_dump(),
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


class Download(Strict):
    """The section ``download``: where datasets come from."""

    timeout: Positive = 20.0
    """seconds of silence after which a mirror is given up"""
    local: str = "../shared/datasets"
    """a folder with ``MNIST/`` and ``FashionMNIST/``, asked first where it exists"""
    mirrors: dict[str, tuple[str, ...]] = {}
    """then these addresses, in order, by dataset"""


ExperimentName = Annotated[str, Field(pattern=r"^[a-z][a-z-]*$")]


class Params(Strict):
    """The whole of ``params.yaml``."""

    file: ClassVar[str] = "params.yaml"

    download: Download = Download()
    """where datasets come from"""
    defaults: dict[str, JsonValue] = {}
    """whatever experiments share, by YAML's anchors and ``<<:``; not read by itself"""
    experiments: Annotated[dict[ExperimentName, Experiment], Field(min_length=1)]
    """what ``dvc repro`` runs and reports, by name"""
    demo: dict[ExperimentName, Experiment] = {}
    """what ``make demo`` runs, with a report of its own"""
    paper: dict[ExperimentName, Experiment] = {}
    """what ``make paper`` runs, with a report of its own"""

    @property
    def all_experiments(self) -> dict[str, Experiment]:
        """The experiments of all sections."""
        return {**self.experiments, **self.demo, **self.paper}

    @model_validator(mode="after")
    def _own_names(self) -> Self:
        names = [*self.experiments, *self.demo, *self.paper]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"{', '.join(twice)}: in two sections; give each a name of its own")
        return self

    def experiment(self, name: str) -> Experiment:
        """Return one experiment, from any section.

        Raises:
            BenchError: there is none of this name.
        """
        known = self.all_experiments
        if name not in known:
            raise BenchError(f'{self.file}: no experiment "{name}"; {did_you_mean(name, known)}')
        return known[name]


def read_yaml(path: Path) -> Any:
    """Read a file as YAML 1.2, without constructing any object but plain data.

    Raises:
        BenchError: it cannot be read, or is not YAML.
    """
    try:
        text = path.read_text(encoding="utf-8")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ReusedAnchorWarning)  # legal YAML
            return YAML(typ="safe", pure=True).load(text)
    except (OSError, ValueError, YAMLError) as error:
        raise BenchError(f"{path}: cannot be read as YAML 1.2\n{error}") from error
    # What the parser does not expect it answers with whatever it runs into.
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError) as error:
        told = f"{type(error).__name__}: {error}"
        raise BenchError(f"{path}: cannot be read as YAML 1.2\n{told}") from error


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
    except UnicodeEncodeError as error:
        raise BenchError(f"{path}: half of a surrogate pair is no character: {error}") from error


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
    return f"{message} (given: {shortened(given)})"
