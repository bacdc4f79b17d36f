"""The committed report belongs to the committed code, parameters and results.

Slow, which here means: run by CI. Whoever is changing the code or the parameters has a report that
does not belong to them yet.
"""

import shutil
import subprocess
from pathlib import Path

import pytest

from dropout_bench.analysis.claims import load_claims
from dropout_bench.analysis.results import read_results
from dropout_bench.params import load_params
from dropout_bench.report.render import render
from dropout_bench.report.tables import comparisons, effects

PROJECT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow


def test_dvc_would_run_nothing() -> None:
    """Data and weights need not be here: DVC compares what it recorded."""
    done = subprocess.run(
        ["dvc", "repro", "--dry", "--allow-missing"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert lines[-1] == "Data and pipelines are up to date.", done.stdout
    assert not [line for line in lines if line.startswith("Running")], done.stdout


def test_the_report_is_what_the_tables_give(tmp_path: Path) -> None:
    reports = PROJECT / "reports"
    for folder in ("results", "timings"):
        shutil.copytree(reports / folder, tmp_path / folder)
    params = load_params(PROJECT / "params.yaml")
    render(params.experiments, load_claims(PROJECT / "claims.yaml", params.experiments), tmp_path)
    names = [
        "report.md",
        "timings.md",
        *(f"figures/{p.name}" for p in (tmp_path / "figures").iterdir()),
    ]
    assert len(list((reports / "figures").iterdir())) == len(names) - 2
    for name in names:
        assert (tmp_path / name).read_bytes() == (reports / name).read_bytes(), name


def test_results_have_a_row_for_every_run() -> None:
    import pandas as pd

    for name, experiment in load_params(PROJECT / "params.yaml").experiments.items():
        runs = pd.read_csv(PROJECT / "reports" / "results" / name / "runs.csv")
        assert len(runs) == len(experiment.runs())
        assert runs["key"].is_unique


@pytest.mark.parametrize("name", ["fashion-tutorial", "mnist-tutorial", "mnist-layerwise"])
def test_what_the_readme_says_was_found_is_what_the_tables_say(name: str) -> None:
    """Dropout makes the test accuracy worse in all three, and clearly so."""
    params = load_params(PROJECT / "params.yaml")
    results = read_results(PROJECT / "reports", name, params.experiments[name])
    (effect,) = effects(results, "test/accuracy")
    assert effect.difference.high < 0
    claims = load_claims(PROJECT / "claims.yaml", params.experiments)
    compared = comparisons(results, claims.published[name])
    assert sum(comparison.inside for comparison in compared) >= 0.9 * len(compared)
