"""What an addition costs: one file or one entry, and no run trained again that does not use it.

Each addition is made in a copy of the package, in its one place. That no other run's key changes is
shown for each; that it works, from parameters to report, for all of them together.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from project import DIGITS, PROJECT, edit, run, shared_workers
from ruamel.yaml import YAML

PACKAGE = Path("src") / "dropout_bench"

VARIANT = '''
"""Dropout in the first hidden layer alone."""

from torch import nn

from dropout_bench.models.layers.dropout import Dropout
from dropout_bench.models.variants.standard import StandardMLP


class FirstLayerDropoutMLP(StandardMLP):
    """h = dropout(relu(W x + b)) in the first hidden layer, h = relu(W x + b) in the others."""

    counterpart = "standard"

    def hidden_layer(self, linear: nn.Linear, rate: float, number: int) -> list[nn.Module]:
        layers = super().hidden_layer(linear, rate, number)
        return [*layers, Dropout(rate, self.masks(number))] if number == 1 else layers
'''

LAYER = '''
"""Multiplicative uniform noise."""

from torch import Tensor

from dropout_bench.models.layers.noise import Noise


class UniformNoise(Noise):
    """y = x ⊙ r in training, with r ~ U(1 - p, 1 + p); y = x else."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.active:
            return x
        uniform = x.new_empty(x.shape).uniform_(generator=self.masks.on(x.device))
        return x * uniform.mul_(2 * self.p).add_(1 - self.p)
'''

USES_LAYER = '''
"""Uniform noise after the activation."""

from torch import nn

from dropout_bench.models.base import MLP
from dropout_bench.models.layers.uniform_noise import UniformNoise


class UniformNoiseMLP(MLP):
    """h = noise(relu(W x + b))."""

    def hidden_layer(self, linear: nn.Linear, rate: float, number: int) -> list[nn.Module]:
        return [linear, nn.ReLU(), UniformNoise(rate, self.masks(number))]
'''

OPTION = '''
"""Bounded weights."""

import math

from dropout_bench.params.options.base import Option
from dropout_bench.params.values import Positive


class Bounded(Option):
    """No weight into a hidden unit is larger than a bound."""

    largest_weight: Positive | None = None
    """largest absolute value of a weight into a hidden unit"""

    def after_step(self, network):
        import torch

        with torch.no_grad():
            for weight in network.hidden_weights:
                weight.clamp_(-(self.largest_weight or math.inf), self.largest_weight)
'''

QUANTITY = '''
"""How large the weights are."""

from dropout_bench.quantities.quantity import Quantity, measured


@measured(Quantity("weights/largest", "largest weight", "", "number of the hidden layer"))
def weights(network, data, seed):
    for number, weight in enumerate(network.hidden_weights, start=1):
        yield "weights/largest", number, float(weight.abs().max())
'''

DATASET = """        Dataset(
            name="more-digits",
            title="The same digits under another name",
            made_by="dropout_bench.data.digits:Digits",
            classes=DIGIT_NAMES,
            train_per_class=(143, 146, 142, 147, 145, 146, 145, 144, 140, 144),
            shape=(8, 8),
            white=16,
            licence="as above",
        ),
    )
}
"""

OPTIMISER = """    "rmsprop": Optimiser(title="RMSprop", torch="RMSprop", penalty={"l2": {}}),
}
"""


def _file(*place: str, text: str) -> Callable[[Path], None]:
    return lambda package: _write(package.joinpath(*place), text)


def _write(path: Path, text: str) -> None:
    assert not path.exists()
    path.write_text(text.lstrip())


def _entry(*place: str, after: str, text: str) -> Callable[[Path], None]:
    def change(package: Path) -> None:
        edit(package.joinpath(*place), lambda source: source.removesuffix(after) + text)

    return change


ADDITIONS: dict[str, Callable[[Path], None]] = {
    "variant": _file("models", "variants", "first_layer_dropout.py", text=VARIANT),
    "layer": _file("models", "layers", "uniform_noise.py", text=LAYER),
    "variant of that layer": _file("models", "variants", "uniform_noise.py", text=USES_LAYER),
    "option": _file("params", "options", "largest_weight.py", text=OPTION),
    "quantity": _file("quantities", "measured", "weights.py", text=QUANTITY),
    "dataset": _entry("catalogue", "datasets.py", after="    )\n}\n", text=DATASET),
    "optimiser": _entry("catalogue", "optimisers.py", after="}\n", text=OPTIMISER),
}

BASE: dict[str, Any] = DIGITS | {"measures": [], "keep_every_epoch": False}
QUESTIONS = {
    "the-variant": BASE | {"variants": ["first-layer-dropout"]},
    "the-layer": BASE | {"variants": ["uniform-noise"]},
    "the-option": BASE | {"with": {"free": {}, "bounded": {"largest_weight": 0.05}}},
    "the-quantity": BASE | {"measures": ["weights"]},
    "the-dataset": BASE | {"dataset": "more-digits"},
    "the-optimiser": BASE | {"optimiser": "rmsprop"},
}


def _check(experiment: str, metric: str, of: str, than: str | float, **more: object) -> object:
    check = {"metric": metric, "of": of, "is": "lower", "than": than, **more}
    return {"source": "us", "says": f"About {experiment}.", "experiment": experiment,
            "checks": [check]}  # fmt: skip


CLAIMS = {
    "sources": {"us": "this test"},
    "claims": {
        "of-the-variant": _check(
            "the-variant", "test/accuracy", "first-layer-dropout 0.5", "standard"
        ),
        "of-the-layer": _check("the-layer", "test/accuracy", "uniform-noise 0.5", "standard"),
        "of-the-option": _check(
            "the-option", "test/accuracy", "standard, bounded", "standard, free"
        ),
        "of-the-quantity": _check("the-quantity", "weights/largest", "dropout 0.5", 100.0, at=1),
        "of-the-dataset": _check("the-dataset", "test/accuracy", "dropout 0.5", "standard"),
        "of-the-optimiser": _check("the-optimiser", "test/accuracy", "dropout 0.5", "standard"),
    },
}

KEYS = """
import json, sys
from pathlib import Path
from dropout_bench.params.file import load_params
from dropout_bench.stages import code_digests
from dropout_bench.training.keys import Identity
params = load_params(Path("params.yaml"))
keys = {
    f"{name}/{job.name}": Identity.here(job.run, "data", "device").key
    for name, experiment in params.all_experiments.items()
    for job in experiment.jobs()
    if job.run.seed == experiment.seeds[0]
}
code = code_digests(params)
print(json.dumps({"keys": keys, "stages": {s: code[s] for s in ("train", "evaluate")}}))
"""


def _copy(root: Path) -> Path:
    shutil.copytree(PROJECT / "src", root / "src", ignore=shutil.ignore_patterns("__pycache__"))
    return root / PACKAGE


def _keys(root: Path) -> Any:
    """Compute keys of runs of the project's own parameters, by the code in ``root``.

    They are those of the first seed or draw: the others differ in numbers alone.
    """
    command = [sys.executable, "-c", KEYS]
    environment = os.environ | {"PYTHONPATH": str(root / "src")}
    done = subprocess.run(
        command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def unchanged() -> Any:
    return _keys(PROJECT)


def test_additions_change_no_other_run_s_key_and_no_other_stage(
    unchanged: Any, tmp_path: Path
) -> None:
    package = _copy(tmp_path)
    for add in ADDITIONS.values():
        add(package)
    assert _keys(tmp_path) == unchanged


@pytest.mark.slow
@pytest.mark.parametrize("what", ADDITIONS)
def test_an_addition_changes_no_other_run_s_key_and_no_other_stage(
    what: str, unchanged: Any, tmp_path: Path
) -> None:
    ADDITIONS[what](_copy(tmp_path))
    assert _keys(tmp_path) == unchanged


def test_a_change_of_code_reaches_those_who_execute_it_alone(
    unchanged: Any, tmp_path: Path
) -> None:
    package = _copy(tmp_path)
    edit(package / "models/layers/standout.py", lambda text: text.replace("detach()", "data"))
    changed = {
        name for name, key in _keys(tmp_path)["keys"].items() if key != unchanged["keys"][name]
    }
    assert changed == {name for name in unchanged["keys"] if "/standout/" in name} != set()


@pytest.mark.slow
def test_comments_and_docstrings_change_no_key(unchanged: Any, tmp_path: Path) -> None:
    package = _copy(tmp_path)
    for file in package.rglob("*.py"):
        text = file.read_text()
        file.write_text(text.replace('"""', '"""Said otherwise. ', 1) + "\n\n# A comment.\n")
    assert _keys(tmp_path) == unchanged


@pytest.mark.slow
def test_every_addition_works_from_parameters_to_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = _copy(tmp_path)
    for add in ADDITIONS.values():
        add(package)
    YAML().dump({"experiments": QUESTIONS}, tmp_path / "params.yaml")
    YAML().dump(CLAIMS, tmp_path / "claims.yaml")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "src"))
    run(tmp_path, "dropout-bench", "download", "digits", "more-digits")
    with shared_workers() as workers:
        for name in QUESTIONS:
            run(tmp_path, "dropout-bench", "train", name, workers=workers)
            run(tmp_path, "dropout-bench", "evaluate", name, workers=workers)
    run(tmp_path, "dropout-bench", "report")
    report = (tmp_path / "reports" / "report.md").read_text()
    for name in QUESTIONS:
        assert f"About {name}." in report
    assert "RMSprop" in report
    assert "The same digits under another name" in report
    assert "largest_weight 0.05" in report
