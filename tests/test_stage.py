"""The stage ``evaluate``: what it refuses, and what it is given again from the store."""

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import experiment

from dropout_bench.errors import BenchError
from dropout_bench.evaluation.stage import evaluate_experiment
from dropout_bench.params.experiment import Experiment
from dropout_bench.tables.evaluation import EVALUATION, Evaluation
from dropout_bench.tables.read import read_table
from dropout_bench.training.keys import library_versions
from dropout_bench.training.store import RunStore

OPTIONS: dict[str, Any] = {"nothing": {}, "max-norm": {"max_norm": 2.0}, "shifts": {"shift": 2}}


def trained(root: Path, settings: Experiment, weights: dict[str, bytes]) -> None:
    """Write what training leaves; weights by combination of options, else each run's own."""
    about = {"key": "a" * 32, "device": "CPU", "data": "d", "files": {}, **library_versions()}
    for job in settings.jobs():
        folder = root / "runs" / "small" / job.name
        folder.mkdir(parents=True)
        (folder / "run.json").write_text(json.dumps(about))
        (folder / "curves.csv").write_text("epoch,train/loss\n1,0.5\n2,0.4\n")
        own = f"{job.cell.dropout} {job.run.seed} "
        other = weights.get(job.cell.options, job.cell.options.encode())
        (folder / "last.safetensors").write_bytes(own.encode() + other)


class Full(RunStore):
    """A store that has every evaluation."""

    def get_beside(self, key: str, name: str) -> bytes:
        nothing = Evaluation(1, {"test/accuracy": 0.5, "test/loss": 1.0}, {}, [[1] * 10] * 10, [])
        return b"pictures" if name.startswith("pictures") else EVALUATION.dump_json(nothing)


def evaluate(root: Path, settings: Experiment) -> None:
    source: Any = type("Source", (), {"raw": root})()
    sources = dict.fromkeys(settings.datasets, source)
    evaluate_experiment("small", settings, root, sources, Full(root), root / "results")


def test_an_option_that_changes_nothing_is_an_error(tmp_path: Path) -> None:
    settings = experiment(**{"with": OPTIONS})
    trained(tmp_path, settings, {"nothing": b"same", "max-norm": b"same"})
    with pytest.raises(BenchError) as caught:
        evaluate(tmp_path, settings)
    told = str(caught.value)
    assert "evaluate small:" in told
    assert '"standard, max-norm" has the weights of "standard, nothing" at every seed' in told
    assert "params.yaml" in told
    assert not (tmp_path / "results").exists()


def test_an_option_that_matters_for_some_seeds_is_none(tmp_path: Path) -> None:
    settings = experiment(**{"with": OPTIONS})
    trained(tmp_path, settings, {"nothing": b"same", "max-norm": b"same"})
    for job in settings.jobs():
        if job.cell.options == "max-norm" and job.run.seed == 1:
            path = tmp_path / "runs" / "small" / job.name / "last.safetensors"
            path.write_bytes(path.read_bytes() + b"!")
    evaluate(tmp_path, settings)
    assert len(read_table(tmp_path / "results" / "small" / "runs.csv")) == len(settings.jobs())


def test_variants_may_have_the_same_weights(tmp_path: Path) -> None:
    """Classic and unscaled dropout are trained alike: they differ in evaluation."""
    settings = experiment(variants=["classic-dropout", "unscaled-dropout"])
    trained(tmp_path, settings, {})
    evaluate(tmp_path, settings)


def test_what_comes_out_of_a_run_is_a_folder_and_pictures_are_of_one_seed(tmp_path: Path) -> None:
    settings = experiment(seeds=[3, 1])
    trained(tmp_path, settings, {})
    evaluate(tmp_path, settings)
    for job in settings.jobs():
        files = {path.name for path in (tmp_path / "evaluations" / "small" / job.name).iterdir()}
        pictures = {"pictures.tfevents"} if job.run.seed == 3 else set()
        assert files == {"evaluation.json"} | pictures
