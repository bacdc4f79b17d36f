"""What differs between two states: parameters, figures, verdicts."""

import contextlib
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import experiment
from project import git
from ruamel.yaml import YAML
from typer.testing import CliRunner

from dropout_bench.cli import app
from dropout_bench.errors import BenchError
from dropout_bench.params.arms import Job
from dropout_bench.params.experiment import Experiment
from dropout_bench.quantities.derived.columns import CALIBRATION, CURVES
from dropout_bench.tables import write
from dropout_bench.tables.evaluation import Evaluation
from dropout_bench.tables.write import Told, Trained, best_of

SETTINGS: dict[str, Any] = {
    "dataset": "mnist",
    "train_size": 300,
    "validation": 0.2,
    "hidden": [16, 8],
    "variants": ["dropout"],
    "dropout": [0.0, 0.5],
    "learning_rate": 0.01,
    "batch_size": 32,
    "epochs": 2,
    "seeds": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
}
CLAIM = {
    "source": "tutorial",
    "says": "Dropout is better.",
    "experiment": "small",
    "checks": [
        {"metric": "test/accuracy", "of": "dropout 0.5", "is": "higher", "than": "standard"}
    ],
}


def write_state(root: Path, settings: dict[str, Any], gains: dict[str, float]) -> None:
    """Write parameters, a claim, and tables in which a cell's accuracy is 0.9 plus its gain."""
    YAML().dump({"experiments": {"small": settings}}, root / "params.yaml")
    claims = {"sources": {"tutorial": "a tutorial"}, "claims": {"better": CLAIM}}
    YAML().dump(claims, root / "claims.yaml")
    write_tables(root / "reports" / "results" / "small", experiment(**settings), gains)


def write_tables(
    folder: Path,
    asked: Experiment,
    gains: dict[str, float],
    measured: Callable[[Job], list[tuple[str, float, float]]] = lambda _: [],
    pictures: Iterable[dict[str, str | float]] = (),
) -> None:
    """Write tables in which a cell's accuracy is 0.9 plus its gain; its curves do not move."""
    count = len(asked.resolved_classes)
    held_out = asked.has_validation
    told, trained = {}, []
    for job in asked.jobs():
        gain = gains.get(job.cell.label, 0.0)
        accuracy = 0.9 + gain + np.sin(job.run.seed + len(job.cell.label)) / 1000
        figures = {
            entry.name: 0.5 for entry in (*CURVES, *CALIBRATION) if held_out or entry.split != "val"
        }
        figures |= {"test/accuracy": accuracy, "test/loss": round(1 - accuracy, 4)}
        told[job] = Evaluation(1, figures, {}, [[1] * count] * count, measured(job))
        curves = [
            {"epoch": epoch + 1.0, **figures}
            for epoch in range(asked.epochs or min(3, job.run.epochs))
        ]
        trained.append(Trained(job, "a" * 32, "b" * 32, curves))
    runs = [Told(one, told[job]) for job, one in best_of(trained).items()]
    versions = dict.fromkeys(("data", "device", "torch", "lightning"), "made up")
    folder.mkdir(parents=True, exist_ok=True)
    write.write_tables(folder, folder.name, asked, trained, runs, pictures, versions)


def compare(root: Path, *words: str, status: int = 0) -> str:
    """Run the command in this process."""
    with contextlib.chdir(root):
        done = CliRunner().invoke(app, ["compare", *words])
    if status:
        assert isinstance(done.exception, BenchError)
        return str(done.exception)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture(scope="module")
def committed_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with one commit; not to be changed."""
    root = tmp_path_factory.mktemp("project")
    git(root, "init", "--initial-branch", "main")
    subprocess.run([str(Path(sys.executable).with_name("dvc")), "init", "-q"], cwd=root, check=True)
    write_state(root, SETTINGS, {"dropout 0.5": 0.02})
    git(root, "add", "-A")
    git(root, "commit", "-m", "one")
    return root


@pytest.fixture
def project(committed_once: Path, tmp_path: Path) -> Path:
    """The same, to be changed."""
    return Path(shutil.copytree(committed_once, tmp_path / "project"))


def test_two_states_side_by_side(project: Path) -> None:
    assert "Nothing differs" in compare(project, "--markdown")

    changed = SETTINGS | {"dropout": [0.0, 0.2, 0.5], "epochs": 3}
    write_state(project, changed, {"dropout 0.5": -0.01})
    told = compare(project, "--markdown")
    assert "| experiments.small.epochs | `2` | `3` |" in told
    assert "| experiments.small.dropout | `[0.0, 0.5]` | `[0.0, 0.2, 0.5]` |" in told
    assert "| small | dropout 0.5 | test/accuracy | -3.00 (-3.00 to -3.00) points | 10 |" in told
    assert "standard | test" not in told, "it has not moved"
    assert "1 more networks have the same figures" in told
    assert "### Added" in told
    assert "| small | dropout 0.2 | 9" in told
    flip = next(line for line in told.splitlines() if line.startswith("| better |"))
    assert "supported: +1.99 (+" in flip
    assert "contradicted: -1.01 (-" in flip

    git(project, "commit", "-am", "two")
    assert "Nothing differs" in compare(project)
    back = compare(project, "main", "HEAD~1", "--markdown")
    assert "## main → HEAD~1" in back
    assert "### Removed" in back
    assert "test/accuracy | +3.00" in back


def write_two(root: Path, other: dict[str, Any], claims: dict[str, Any], gain: float) -> None:
    """Write a state of two experiments, the second of them with settings of its own."""
    both = {"small": SETTINGS, "other": SETTINGS | other}
    YAML().dump({"experiments": both}, root / "params.yaml")
    content = {"sources": {"tutorial": "a tutorial"}, "claims": claims}
    YAML().dump(content, root / "claims.yaml")
    for name, settings in both.items():
        folder = root / "reports" / "results" / name
        write_tables(folder, experiment(**settings), {"dropout 0.5": gain})


def test_several_experiments_in_their_order(project: Path) -> None:
    on_other = CLAIM | {"experiment": "other"}
    write_two(project, {}, {"better": CLAIM, "same": on_other}, gain=0.02)
    git(project, "add", "-A")
    git(project, "commit", "-m", "two experiments")
    claims = {"better": CLAIM, "same": on_other, "added": on_other}
    write_two(project, {"l2": 0.1, "dropout": [0.0, 0.2, 0.5]}, claims, gain=0.01)
    told = compare(project, "--markdown")
    assert "| experiments.other.l2 | – | `0.1` |" in told
    rows = [line for line in told.splitlines() if "dropout 0.5 | test/" in line]
    assert [row.split(" | ")[0] for row in rows] == ["| small"] * 2 + ["| other"] * 2
    assert re.search(r"(?<!-)\b2 more networks have the same figures", told), "standard, in both"
    assert told.count("| other | dropout 0.2 |") == 1
    assert "| added | – | supported" in told
    assert "| claims.yaml: claims.added.experiment | – | `other` |" in told
    assert "2 verdicts are the same" in told
    back = compare(project, "HEAD", "HEAD~1", "--markdown")
    assert "### Removed" in back
    assert back.count("| other | standard |") == 1
    assert back.count("| other | dropout 0.5 |") == 1
    plain = SETTINGS | {"dropout": [0.0]}
    YAML().dump({"experiments": {"small": plain, "other": plain}}, project / "params.yaml")
    (project / "claims.yaml").write_text("{}\n")
    for name in ("small", "other"):
        write_tables(project / "reports" / "results" / name, experiment(**plain), {})
    removed = compare(project, "--markdown").partition("### Removed")[2]
    assert removed.index("| small | dropout 0.5 |") < removed.index("| other | dropout 0.5 |")


def test_a_trial_without_a_claim_s_network_is_compared(project: Path) -> None:
    write_state(project, SETTINGS | {"dropout": [0.0, 0.2]}, {})
    told = compare(project, "--markdown")
    assert "| better | supported" in told
    assert "dropout 0.2" in told


def test_results_that_are_not_of_the_parameters_are_told_and_not_compared(project: Path) -> None:
    YAML().dump({"experiments": {"small": SETTINGS | {"dropout": [0.0]}}}, project / "params.yaml")
    (project / "claims.yaml").write_text("{}\n")
    told = compare(project, "--markdown")
    assert "Not compared, workspace: reports/results/small" in told
    assert "dvc repro" in told
    assert "### Removed" not in told
    git(project, "commit", "-am", "stale")
    assert "Not compared, HEAD: reports/results/small" in compare(project, "--markdown")


def test_what_cannot_be_compared_is_told_in_one_message(project: Path) -> None:
    assert 'no revision "nonsense"' in compare(project, "nonsense", status=1)
    (project / "params.yaml").write_text("experiments: 3\n")
    told = compare(project, status=1)
    assert "workspace: cannot be read" in told
    assert "params.yaml: experiments" in told
    (project / "params.yaml").write_text("experiments: {}\n")
    git(project, "commit", "-am", "no experiment")
    assert "HEAD: cannot be read by the code of now\nparams.yaml: " in compare(project, status=1)
