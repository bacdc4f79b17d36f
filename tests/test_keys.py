"""A run's key: what the run executes and is given is in it, and nothing else."""

import ast
import importlib.metadata
import json
import shutil
import subprocess
import sys
import typing
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import one_run

from dropout_bench.catalogue import source
from dropout_bench.catalogue.datasets import DATASETS
from dropout_bench.catalogue.optimisers import OPTIMISERS
from dropout_bench.catalogue.source import NOT_DIGESTED, closure, file_of
from dropout_bench.params.options import OPTIONS, Options
from dropout_bench.params.run import Run
from dropout_bench.params.variants import VARIANTS, counterpart
from dropout_bench.training import keys
from dropout_bench.training.keys import LIBRARIES, Identity, modules_of

NEUTRAL = Options().model_dump()


def run_of(variant: str, **changes: Any) -> Run:
    rate = 0.5 if counterpart(variant) else 0.0
    return one_run(variants=[variant], dropout=[rate], input_dropout=[rate / 5], **changes)


def key_of(run: Run) -> str:
    return Identity.here(run, "data", "CPU").key


def with_option(name: str) -> Run:
    """Return a run with an option at some value that is not neutral."""
    annotation = Options.model_fields[name].annotation
    for value in (0.5, 1, {"a": 1}, *typing.get_args(annotation)):
        try:
            found = one_run().model_validate(one_run().model_dump() | {name: value})
        except ValueError:
            continue
        if found.model_dump()[name] != NEUTRAL[name]:
            return found
    raise AssertionError(f"{name}: no value found")


def test_neutral_options_and_defaults_are_in_no_key() -> None:
    plain = one_run()
    told = Identity.here(plain, "", "").as_json()["run"]
    assert not {*Options.model_fields, "optimiser"} & {*told}
    named = Run.model_validate(plain.model_dump() | NEUTRAL | {"optimiser": "adam"})
    assert key_of(named) == key_of(plain)
    assert key_of(one_run(**{"with": {"nothing": {}}})) == key_of(plain)


@pytest.mark.parametrize("name", sorted(Options.model_fields))
def test_an_option_that_is_on_is_in_the_key_with_its_value_and_its_code(name: str) -> None:
    run = with_option(name)
    assert key_of(run) != key_of(one_run())
    assert name in Identity.here(run, "", "").as_json()["run"]
    (option,) = (each for each in OPTIONS if name in each.model_fields)
    assert option.__module__.removeprefix("dropout_bench.") in modules_of(run)


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
def test_an_optimiser_is_in_the_key(optimiser: str) -> None:
    assert key_of(one_run(optimiser=optimiser)) != key_of(one_run())


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_version_of_each_library_is_in_the_key(
    library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = key_of(one_run())
    versions = keys.library_versions()
    assert versions[library] == importlib.metadata.version(library).partition("+")[0]
    monkeypatch.setattr(keys, "library_versions", lambda: versions | {library: "0"})
    assert key_of(one_run()) != before


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the package, which keys are made of in its place."""
    package = tmp_path / source.NAME
    shutil.copytree(source.PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(source, "PACKAGE", package)
    forget()
    yield package
    monkeypatch.undo()
    forget()


def forget() -> None:
    """Have the files read again."""
    for remembered in (source.imports_of, source.digest_of, source.meaning):
        remembered.cache_clear()


def all_keys() -> dict[str, str]:
    forget()
    runs = {variant: run_of(variant) for variant in sorted(VARIANTS)}
    runs |= {f"with {name}": with_option(name) for name in sorted(Options.model_fields)}
    return {name: key_of(run) for name, run in runs.items()}


def comment(text: str) -> str:
    return text + "\n# A comment; it says nothing.\n"


def comment_in_a_line(text: str) -> str:
    return text.replace("\n    def forward(", "  # said\n    # more\n    def forward(", 1)


def docstring(text: str) -> str:
    return text.replace('"""', '"""Words: ', 1).replace('  """', '  """More words.\n\n    ', 1)


def text_by_itself(text: str) -> str:
    return text + '"""A text that stands by itself, as below a field."""\n'


def blank_lines(text: str) -> str:
    return text.replace("\n\n", "\n\n\n \n") + "\n\n"


def line_ends(text: str) -> str:
    return text.replace("\n", "\r\n")


WORDS = [comment, comment_in_a_line, docstring, text_by_itself, blank_lines, line_ends]


@pytest.mark.parametrize("change", WORDS)
def test_words_are_in_no_key(change: Callable[[str], str], copy: Path) -> None:
    before = all_keys()
    for file in copy.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        file.write_bytes(change(text).encode())
        compile(file.read_bytes(), file, "exec")
        assert file.read_bytes() != text.encode() or change in {comment_in_a_line, docstring}
    assert all_keys() == before


@pytest.mark.parametrize(
    ("file", "old", "new", "concerned"),
    [
        ("models/layers/standout.py", "if self.p == 0", "if self.p <= 0", {"standout"}),
        ("models/variants/selu.py", "nn.SELU()", "nn.ELU()", {"selu", "alpha-dropout"}),
        (
            "models/variants/dropout.py", "nn.ReLU()", "nn.ELU()",
            {"dropout", "rising-dropout", "falling-dropout"} | {f"with {n}" for n in NEUTRAL},
        ),
        ("params/options/l1.py", "self.l1 *", "2 * self.l1 *", {"with l1"}),
        ("params/options/shift.py", "+ margin - down", "+ margin + down", {"with shift"}),
        ("models/base.py", "layers[\"output\"] = ", "layers[\"last\"] = ", None),
        ("streams.py", "MASKS = 3", "MASKS = 7", None),
        ("models/layers/dropout.py", "1 / (1 - self.p)", "1 / (1.0 - self.p)", None),
        ("models/layers/noise.py", "self.rate = p", 'self.rate = p; "a text beside code"', None),
        ("catalogue/datasets.py", "title=\"MNIST\"", 'title="mnist"', set()),
        ("params/variants.py", '_FOLDER = ', '_PLACE = _FOLDER = ', set()),
    ],
    ids=lambda value: value if isinstance(value, str) and value.endswith(".py") else "",
)  # fmt: skip
def test_code_is_in_the_keys_of_the_runs_that_execute_it(
    file: str, old: str, new: str, concerned: set[str] | None, copy: Path
) -> None:
    before = all_keys()
    text = (copy / file).read_text(encoding="utf-8")
    assert old in text
    (copy / file).write_text(text.replace(old, new), encoding="utf-8")
    changed = {name for name, key in all_keys().items() if key != before[name]}
    assert changed == (set(before) if concerned is None else concerned)


@pytest.mark.parametrize(
    "said",
    [
        "from dropout_bench.models.layers.standout import Standout",
        "import dropout_bench.models.layers.standout as of",
        "from dropout_bench.models.layers import standout",
        "from ..layers.standout import Standout",
        "from ..layers import standout",
        "def late():\n    from dropout_bench.models.layers.standout import Standout",
        "if not TYPE_CHECKING:\n    from dropout_bench.models.layers.standout import Standout",
        "if TYPE_CHECKING:\n    pass\nelse:\n    from ..layers.standout import Standout",
    ],
)
def test_what_is_imported_is_found_however_it_is_said(said: str, copy: Path) -> None:
    (copy / "models" / "variants" / "new.py").write_text(said)
    assert "models.layers.standout" in closure("models.variants.new")


def test_what_is_imported_for_types_alone_is_not_executed(copy: Path) -> None:
    (copy / "models" / "variants" / "new.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ..layers import standout"
    )
    assert "models.layers.standout" not in closure("models.variants.new")


EXECUTED = """
import inspect, json, sys, warnings
from dataclasses import replace
from pathlib import Path
import dropout_bench
warnings.simplefilter("ignore")
from dropout_bench.models.variants import variant_class
from dropout_bench.params.run import Run
from dropout_bench.training.run import train

home = str(Path(dropout_bench.__file__).parent)
runs = {name: Run.model_validate(values) for name, values in json.load(sys.stdin).items()}
for run in runs.values():
    variant_class(run.variant)
found = {}
for name, run in runs.items():
    files = found[name] = set()

    def watch(frame, event, argument):
        code = frame.f_code
        # Functions alone: the body of a module or a class runs when it is loaded.
        if code.co_flags & inspect.CO_OPTIMIZED and code.co_filename.startswith(home):
            files.add(code.co_filename)

    sys.setprofile(watch)
    train(run, Path(sys.argv[1]))
    sys.setprofile(None)
print(json.dumps({name: sorted(files) for name, files in found.items()}))
"""

BY_VALUE = {"catalogue.datasets", "catalogue.optimisers"}
"""The entries that a run uses are in its key by their values: see ``Identity.as_json``."""


@pytest.mark.slow
def test_whatever_a_run_executes_is_in_its_key(raw: Path) -> None:
    small: dict[str, Any] = {"train_size": 60, "epochs": 1}
    options: dict[str, Any] = {
        "input_noise": 0.1,
        "shift": 1,
        "max_norm": 2.0,
        "l1": 1e-5,
        "l2": 1e-4,
    }
    options |= {"learning_rate_decay": "linear", "patience": 5, "wrong_labels": 0.2, "rare": 2}
    runs = {variant: run_of(variant, **small) for variant in sorted(VARIANTS)}
    runs["with options"] = run_of("dropout", **small, **options)
    done = subprocess.run(
        [sys.executable, "-c", EXECUTED, str(raw)],
        input=json.dumps({name: run.model_dump(mode="json") for name, run in runs.items()}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    modules = {str(file_of(module)): module for module in closure(*source.modules_in(""))}
    for name, files in json.loads(done.stdout).items():
        executed = {modules[file] for file in files}
        assert {"training.run", "models.base", "models.layers.linear", "streams"} <= executed
        in_the_key = {*closure(*modules_of(runs[name]))} - NOT_DIGESTED | BY_VALUE
        assert executed <= in_the_key, name


@pytest.mark.parametrize(
    ("catalogue", "entry", "change", "matters"),
    [
        (DATASETS, "mnist", {"white": 254}, True),
        (DATASETS, "mnist", {"title": "Digits"}, False),
        (DATASETS, "fashion-mnist", {"white": 254}, False),
        (OPTIMISERS, "adam", {"settings": {"fused": False}}, True),
        (OPTIMISERS, "adam", {"title": "adam"}, False),
        (OPTIMISERS, "sgd", {"settings": {}}, False),
    ],
)
def test_of_the_catalogues_the_values_in_use_are_in_the_key(
    catalogue: dict[str, Any],
    entry: str,
    change: dict[str, Any],
    matters: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = key_of(one_run())
    monkeypatch.setitem(catalogue, entry, replace(catalogue[entry], **change))
    assert (key_of(one_run()) != before) == matters


class _Imports(ast.NodeVisitor):
    """Names the packages that a module imports, but for its types."""

    def __init__(self) -> None:
        self.found: set[str] = set()

    def visit_If(self, node: ast.If) -> None:
        for child in node.orelse if ast.unparse(node.test) == "TYPE_CHECKING" else [node]:
            self.generic_visit(child)

    def visit_Import(self, node: ast.Import) -> None:
        self.found |= {alias.name.partition(".")[0] for alias in node.names}

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        self.found.add((node.module or "").partition(".")[0])


def test_every_library_that_a_run_uses_is_in_its_key() -> None:
    imports = _Imports()
    for variant in VARIANTS:
        for module in closure(*modules_of(run_of(variant))):
            if file := file_of(module):
                imports.visit(ast.parse(file.read_text(encoding="utf-8")))
    of = importlib.metadata.packages_distributions()
    used = {of[name][0] for name in imports.found - {source.NAME} if name in of}
    assert {"torch", "lightning", "scikit-learn"} <= used
    checks_parameters = {"pydantic"}
    assert used - checks_parameters <= set(LIBRARIES)
