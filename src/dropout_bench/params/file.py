"""The whole of ``params.yaml``, read and checked.

It is read as YAML 1.2, as DVC reads it: ``1e-3`` is a number and ``010`` is ten.
"""

import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, NamedTuple, Self, TypeVar

from pydantic import BaseModel, Field, JsonValue, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import ReusedAnchorWarning, YAMLError

from dropout_bench.errors import BenchError, did_you_mean, shortened
from dropout_bench.params.experiment import Experiment
from dropout_bench.params.values import Strict

Model = TypeVar("Model", bound=BaseModel)

ExperimentName = Annotated[str, Field(pattern=r"^[a-z][a-z-]*$")]


class Suite(NamedTuple):
    """Experiments that share a folder of tables and report, relative to the project's."""

    experiments: Mapping[str, Experiment]
    reports: Path


class Params(Strict):
    """The whole of ``params.yaml``."""

    file: ClassVar[str] = "params.yaml"

    defaults: dict[str, JsonValue] = Field(default_factory=dict)
    """whatever experiments share, by YAML's anchors and ``<<:``; not read by itself"""
    experiments: Annotated[dict[ExperimentName, Experiment], Field(min_length=1)]
    """what ``dvc repro`` runs and reports, by name"""
    apart: dict[ExperimentName, dict[ExperimentName, Experiment]] = Field(
        alias="suites", default_factory=dict
    )
    """what ``dropout-bench suite NAME`` runs, with a report of its own, by the suite's name"""

    @property
    def suites(self) -> dict[str, Suite]:
        """The pipeline, which ``dvc repro`` runs, under an empty name; the suites apart from it."""
        reports = Path("reports")
        apart = {name: Suite(those, reports / name) for name, those in self.apart.items()}
        return {"": Suite(self.experiments, reports)} | apart

    def reports_of(self, experiment: str) -> Path:
        """Return the folder of tables and report that an experiment belongs to."""
        return next(
            suite.reports for suite in self.suites.values() if experiment in suite.experiments
        )

    @property
    def all_experiments(self) -> dict[str, Experiment]:
        """The experiments of all suites."""
        return {
            name: experiment
            for suite in self.suites.values()
            for name, experiment in suite.experiments.items()
        }

    @model_validator(mode="after")
    def _own_names(self) -> Self:
        names = [name for suite in self.suites.values() for name in suite.experiments]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"{', '.join(twice)}: in two suites; give each a name of its own")
        if taken := {"results", "figures", "timings"}.intersection(self.apart):
            raise ValueError(f"suites.{taken.pop()}: a folder of the pipeline's report; rename it")
        return self

    def suite(self, name: str) -> Suite:
        """Return a suite apart from the pipeline.

        Raises:
            BenchError: there is none of this name.
        """
        if name not in self.apart:
            raise BenchError(f'{self.file}: no suite "{name}"; {did_you_mean(name, self.apart)}')
        return self.suites[name]

    def experiment(self, name: str) -> Experiment:
        """Return one experiment, from any suite.

        Raises:
            BenchError: there is none of this name.
        """
        known = self.all_experiments
        if name not in known:
            raise BenchError(f'{self.file}: no experiment "{name}"; {did_you_mean(name, known)}')
        return known[name]


def project_root() -> Path:
    """Return the folder of ``params.yaml``: this one or the nearest one above it.

    Raises:
        BenchError: there is none.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / Params.file).is_file():
            return Path(os.path.relpath(folder, here))
    raise BenchError(f"{here}: no {Params.file} here or above; call this inside the project")


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
            if part not in content and ("[" in str(part) or str(part)[:1].isupper()):
                continue
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
