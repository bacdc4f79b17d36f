"""The registry of quantities: what a file enters can be named, and nothing else has to know."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
import pytest

from dropout_bench.data.modules import Subset
from dropout_bench.errors import BenchError
from dropout_bench.models.base import MLP
from dropout_bench.params import experiment
from dropout_bench.quantities import quantity as entries
from dropout_bench.quantities.quantity import MEASURES, QUANTITIES, Asked, Quantity, derived
from dropout_bench.quantities.registry import measure, quantity, values

PROJECT = Path(__file__).parents[1]
SOURCE = PROJECT / "src" / "dropout_bench"


def run_python(code: str, source: Path) -> str:
    process = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout.strip()


ADDED = '''
"""How large weights are."""
from dropout_bench.quantities.quantity import Quantity, measured

@measured(Quantity("weight-norm/first", "norm", "ratio", "exponent", (1, 2)))
def weight_norm(network, data, seed):
    """Norm of the first weights."""
    import torch
    for at in (1, 2):
        yield "weight-norm/first", at, float(torch.tensor(network) ** at)
'''
DERIVED = '''
"""The square of the loss."""
from dropout_bench.quantities.quantity import Quantity, derived

@derived(Quantity("squared/loss", "squared loss"))
def squared(asked):
    """The square of the test loss."""
    return asked.other("test/loss") ** 2
'''


def test_a_file_is_all_that_a_quantity_needs(tmp_path: Path) -> None:
    shutil.copytree(SOURCE, tmp_path / SOURCE.name, ignore=shutil.ignore_patterns("__pycache__"))
    room = tmp_path / SOURCE.name / "quantities"
    (room / "measured" / "weight_norm.py").write_text(ADDED)
    (room / "derived" / "squared.py").write_text(DERIVED)
    code = """
import sys, pandas as pd
from dropout_bench.params.experiment import MEASURES
from dropout_bench.quantities.registry import measure, quantity, values
assert "weight-norm" in MEASURES
assert quantity("weight-norm/first").measure == "weight-norm"
tables = {"runs": pd.DataFrame({"test/loss": [2.0, 3.0]})}
tables["measures"] = pd.DataFrame(
    [("weight-norm/first", 1, 5.0), ("weight-norm/first", 2, 7.0), ("weight-norm/first", 2, 8.0)],
    columns=["metric", "at", "value"],
)
assert values("squared/loss", tables.get).tolist() == [4.0, 9.0]
assert values("weight-norm/first", tables.get, at=2).tolist() == [7.0, 8.0]
assert "torch" not in sys.modules
print(measure(["weight-norm", "features"], 3.0, None, 0))
"""
    rows = "[('weight-norm/first', 1, 3.0), ('weight-norm/first', 2, 9.0)]"
    assert run_python(code, tmp_path) == rows


def test_what_an_experiment_may_ask_for_is_what_there_is() -> None:
    assert MEASURES.keys() | experiment.PICTURES == experiment.MEASURES
    for entry in QUANTITIES.values():
        assert not entry.measure or entry.measure in MEASURES
        assert bool(entry.at) or not entry.places


def test_a_measure_is_a_file_of_its_own() -> None:
    """So an evaluation depends on the measures it was asked for alone."""
    for path in (SOURCE / "quantities" / "measured").glob("*.py"):
        assert not re.search(r"import.*quantities\.(measured|derived|registry)", path.read_text())


def test_a_measure_gives_only_what_it_has_entered(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [("masks/loss", 1.0, 0.5), ("masks/los", 1.0, 0.5)]
    monkeypatch.setitem(MEASURES, "masks", lambda *_: iter(rows))
    nothing = cast("tuple[MLP, Subset]", (None, None))
    with pytest.raises(BenchError, match='no quantity "masks/los"; did you mean "masks/loss"'):
        measure(["masks"], *nothing, seed=0)
    del rows[1]
    assert measure(["masks", "features"], *nothing, seed=0) == rows


def test_two_quantities_of_a_name_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entries, "QUANTITIES", dict(QUANTITIES))
    with pytest.raises(ValueError, match="two quantities are called test/loss"):
        derived(Quantity("test/loss", "again"))(lambda asked: np.zeros(1))


def test_a_swing_of_too_few_epochs_is_not_a_number() -> None:
    curves = pd.DataFrame(
        [(seed, epoch, epoch**2.0) for seed in (0, 1) for epoch in range(1, 5 + seed)],
        columns=["seed", "epoch", "val/loss"],
    )
    tables = {"curves": curves, "runs": pd.DataFrame({"seed": [0, 1]})}
    short, enough = values("swing/val/loss", lambda name: tables[name])
    assert np.isnan(short)
    assert enough == pytest.approx(np.std([7, 9], ddof=1))


def test_quantities_are_read_by_name_alone() -> None:
    asked = Asked("gap/loss", None, None, lambda _: pd.DataFrame({"x": []}))
    assert asked.of == "loss"
    assert Quantity("a", "time", "epochs").label == "time (epochs)"
    assert Quantity("a", "score").label == "score"
    assert (quantity("test/accuracy").scale, quantity("test/loss").scale) == (100.0, 1.0)
