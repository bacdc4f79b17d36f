"""The committed report belongs to the committed code, parameters and results.

Slow, which here means: run by CI. Whoever is changing the code or the parameters has a report that
does not belong to them yet.
"""

import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dropout_bench.analysis.claims import load_claims
from dropout_bench.analysis.effects import effects
from dropout_bench.analysis.ledger import ledger
from dropout_bench.analysis.reproduction import reproductions
from dropout_bench.params.file import load_params
from dropout_bench.quantities.registry import quantity
from dropout_bench.tables.read import read_results
from dropout_bench.verify import committed_suites

PROJECT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow


def test_the_committed_report_is_what_this_code_makes_of_these_parameters() -> None:
    done = subprocess.run(
        ["dropout-bench", "verify", "--json"], cwd=PROJECT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_results_have_a_row_for_every_run() -> None:
    for name, experiment in load_params(PROJECT / "params.yaml").experiments.items():
        runs = pd.read_csv(PROJECT / "reports" / "results" / name / "runs.csv")
        assert len(runs) == len(experiment.cells()) * len(experiment.seeds)
        of_draws = runs.set_index(["arm", "seed"])
        cells = [cell.label for cell in experiment.cells()]
        assert set(of_draws.index) == {(arm, seed) for arm in cells for seed in experiment.seeds}


def test_times_are_of_the_runs() -> None:
    for name, experiment in load_params(PROJECT / "params.yaml").experiments.items():
        times = PROJECT / "reports" / "timings"
        results = read_results(PROJECT / "reports", name, experiment, times)
        assert len(results.timings) == len(experiment.jobs())


def test_all_that_is_in_the_tables_can_be_named() -> None:
    named = set()
    for name in load_params(PROJECT / "params.yaml").experiments:
        folder = PROJECT / "reports" / "results" / name
        measures, runs = (pd.read_csv(folder / f"{it}.csv") for it in ("measures", "runs"))
        table = measures.merge(runs[["arm", "seed", "hidden"]])
        named |= set(zip(table["metric"], table["at"], table["hidden"], strict=True))
    for metric, at, hidden in named:
        places = quantity(metric).places_in(hidden.split("-"))
        assert not places or np.isclose(at, places).any(), (metric, at)
    assert named


FOUND = {
    "supported": (
        "generalises-better", "lower-test-loss", "mild-is-better-than-none", "too-much-is-worse",
        "slower-with-the-rate", "behind-after-five-epochs", "behind-layer-by-layer",
        "no-gain-on-similar-classes", "sparse-units", "more-irregular", "flat-minima",
        "relies-less-on-single-units", "relies-less-on-half-its-units", "smoother-boundaries",
        "robust-to-noise", "robust-to-shift", "robust-to-occlusion", "robust-to-contrast",
        "noise-instead", "early-stopping-instead",
    ),
    "contradicted": ("too-much-noise", "converges-faster", "better-on-training-images"),
    "inconclusive": (
        "better-with-weight-decay", "l-one-instead", "powerful-with-l-two", "best-with-max-norm",
        "better-with-batch-norm", "rising-rates-help", "falling-rates-help",
        "where-overfitting-is-visible",
    ),
}  # fmt: skip
"""What the README says was found."""


def test_what_the_readme_says_was_found_is_what_the_ledger_says() -> None:
    params = load_params(PROJECT / "params.yaml")
    claims = load_claims(PROJECT / "claims.yaml", params.all_experiments)
    results = {
        name: read_results(PROJECT / suite.reports, name, experiment)
        for suite in committed_suites(PROJECT, params)
        for name, experiment in suite.experiments.items()
    }
    about = claims.about(results)
    entries = {e.name: e for e in ledger(about.claims, claims.level, results)}
    for verdict, names in FOUND.items():
        assert {name: entries[name].verdict for name in names} == dict.fromkeys(names, verdict)
    # "About half a point of accuracy at rates of 0.2 to 0.5."
    gains = {e.cell.label: e.difference for e in effects(results["rates"], "test/accuracy")}
    for rate in (0.2, 0.35, 0.4, 0.5):
        gain = gains[f"dropout {rate}"]
        assert 0.004 < gain.mean < 0.0065
        assert gain.low > 0
    for name, published in about.published.items():
        compared = reproductions(results[name], published)
        assert sum(comparison.inside for comparison in compared) >= 0.9 * len(compared)
    # The paper's error, 1.05 %, is where one more run of ours could be.
    assert reproductions(results["large-network"], claims.published["large-network"])[0].inside
    for name, cell in (
        ("fashion-tutorial", "dropout 0.5"),
        ("mnist-tutorial", "pre-activation-dropout 0.5"),
        ("mnist-layerwise", "dropout 0.5/0.3"),
    ):
        found = {e.cell.label: e for e in effects(results[name], "test/accuracy")}
        assert found[cell].difference.high < 0
