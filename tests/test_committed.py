"""The committed report belongs to the committed code, parameters and results.

Slow, which here means: run by CI. Whoever is changing the code or the parameters has a report that
does not belong to them yet.
"""

import shutil
import subprocess
from pathlib import Path

import pytest

from dropout_bench.analysis.claims import load_claims
from dropout_bench.analysis.ledger import ledger
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
    render(
        params.experiments, load_claims(PROJECT / "claims.yaml", params.all_experiments), tmp_path
    )
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


FOUND = {
    "narrows-the-gap": "supported",
    "keeps-the-expectation": "supported",
    "an-ensemble": "supported",
    "sparse-units": "supported",
    "relies-less-on-units": "supported",
    "slower-with-the-rate": "supported",
    "too-much-noise": "supported",
    "best-on-limited-data": "supported",
    "behind-after-five-epochs": "supported",
    "behind-layer-by-layer": "supported",
    "no-gain-on-similar-classes": "supported",
    "better-in-the-long-run": "contradicted",
    "flat-between": "contradicted",
    "after-batch-norm": "supported",
    "useless-with-batch-norm": "supported",
}
"""What the README says was found."""


def test_what_the_readme_says_was_found_is_what_the_ledger_says() -> None:
    params = load_params(PROJECT / "params.yaml")
    claims = load_claims(PROJECT / "claims.yaml", params.all_experiments)
    results = {
        name: read_results(PROJECT / "reports", name, experiment)
        for name, experiment in params.experiments.items()
    }
    entries = {e.name: e for e in ledger(claims.claims, claims.level, results)}
    assert {name: entries[name].verdict for name in FOUND} == FOUND
    for name, published in claims.published.items():
        compared = comparisons(results[name], published)
        assert sum(comparison.inside for comparison in compared) >= 0.9 * len(compared)
    for name, cell in (
        ("fashion-tutorial", "dropout 0.5"),
        ("mnist-tutorial", "pre-activation-dropout 0.5"),
        ("mnist-layerwise", "dropout 0.5/0.3"),
    ):
        found = {e.cell.label: e for e in effects(results[name], "test/accuracy")}
        assert found[cell].difference.high < 0
