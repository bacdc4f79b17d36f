"""The committed report belongs to the committed code, parameters and results.

Slow, which here means: run by CI. Whoever is changing the code or the parameters has a report that
does not belong to them yet.
"""

import json
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dropout_bench.analysis.claims import load_claims
from dropout_bench.analysis.registration import State
from dropout_bench.analysis.reproduction import reproductions
from dropout_bench.params.file import load_params
from dropout_bench.quantities.registry import quantity
from dropout_bench.tables.read import read_results
from dropout_bench.verify.belongs_together import committed_suites

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


def test_published_figures_are_reproduced_as_the_readme_says() -> None:
    params = load_params(PROJECT / "params.yaml")
    claims = load_claims(PROJECT / "claims.yaml", params.all_experiments)
    results = {
        name: read_results(PROJECT / suite.reports, name, experiment)
        for suite in committed_suites(PROJECT, params)
        for name, experiment in suite.experiments.items()
    }
    for name, published in claims.about(results).published.items():
        compared = reproductions(results[name], published)
        assert sum(comparison.inside for comparison in compared) >= 0.9 * len(compared)
    # The paper's error, 1.05 %, is where one more run of ours could be.
    assert reproductions(results["large-network"], claims.published["large-network"])[0].inside


def test_no_claim_was_written_after_its_runs_but_those_of_the_tutorials() -> None:
    """These had their runs before there were claims; Git's history shows it for ever."""
    registered = json.loads((PROJECT / "reports" / "registered.json").read_text())
    params = load_params(PROJECT / "params.yaml")
    claims = load_claims(PROJECT / "claims.yaml", params.all_experiments).about(params.experiments)
    late = {name for name, told in registered.items() if told["state"] == State.CHANGED}
    tutorials = set(claims.published)
    assert {claims.claims[name].experiment for name in late} <= tutorials
    others = registered.keys() - late
    assert {registered[name]["state"] for name in others} == {State.REGISTERED}
    assert registered.keys() == claims.claims.keys()
