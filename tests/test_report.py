"""The report, and what stands beside it: what is said, what is read, what is left alone."""

import contextlib
import dataclasses
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import experiment
from test_compare import CLAIM, write_tables
from typer.testing import CliRunner

from dropout_bench.analysis.claims import Check, Claims
from dropout_bench.analysis.effects import costs, effects
from dropout_bench.analysis.measured import Measured
from dropout_bench.analysis.rule import Verdict
from dropout_bench.analysis.statistics import Interval
from dropout_bench.cli import app
from dropout_bench.errors import BenchError
from dropout_bench.params.experiment import Experiment
from dropout_bench.params.file import load_params
from dropout_bench.report import text
from dropout_bench.report.render import render
from dropout_bench.report.timings import report_timings
from dropout_bench.tables.read import Results, read_results
from dropout_bench.tables.write import remove_gone

PROJECT = Path(__file__).parents[1]
SIX = experiment(dropout=[0.0, 0.1, 0.2, 0.3, 0.4, 0.5], variants=["dropout"])


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of six networks, in a folder that has other things too. Not to be changed."""
    reports = tmp_path_factory.mktemp("reports")
    write_tables(reports / "results" / "small", SIX, {"dropout 0.5": 0.02})
    for file in ("timings/small.csv", "results/mine/notes.txt", "results/gone/runs.csv"):
        (reports / file).parent.mkdir(parents=True, exist_ok=True)
        (reports / file).write_text("not a table")
    claims = Claims.model_validate({"sources": {"tutorial": "one"}, "claims": {"better": CLAIM}})
    render({"small": SIX}, claims, reports)
    return reports


def test_six_networks_have_their_curves_and_sentences(rendered: Path) -> None:
    told = (rendered / "report.md").read_text()
    assert "![small: curves](figures/small-curves.png)" in told
    assert (rendered / "figures" / "small-curves.png").is_file()
    for name in ("accuracy", "loss"):
        sentences = [line for line in told.splitlines() if f"the test {name} " in line]
        of = [line.removeprefix("- *small*: ").removeprefix("- ") for line in sentences]
        for cell in SIX.cells()[1:]:
            begins = (f"With {cell.label} ", f"Between {cell.label} ")
            assert any(line.startswith(begins) for line in of), cell.label


def test_line_ends_are_the_same_on_every_system(
    rendered: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git and ``verify`` compare bytes, and Windows writes other line ends if it is let."""
    opened = io.open

    def as_windows_does(file: Any, mode: str = "r", *rest: Any, **named: Any) -> Any:
        buffering, encoding, errors, newline = (*rest, *[None] * 4)[:4]
        if newline is None and "b" not in mode and "r" not in mode:
            return opened(file, mode, buffering or -1, encoding, errors, "\r\n")
        return opened(file, mode, *rest, **named)

    monkeypatch.setattr(io, "open", as_windows_does)
    (tmp_path / "other.txt").write_text("one\ntwo\n")
    assert (tmp_path / "other.txt").read_bytes() == b"one\r\ntwo\r\n", "as under Windows"
    write_tables(tmp_path / "results" / "small", SIX, {"dropout 0.5": 0.02})
    claims = Claims.model_validate({"sources": {"tutorial": "one"}, "claims": {"better": CLAIM}})
    render({"small": SIX}, claims, tmp_path)
    made = [path for path in tmp_path.rglob("*") if path.suffix in {".md", ".json", ".csv"}]
    for path in [*made, tmp_path / "report.html"]:
        assert path.read_bytes() == (rendered / path.relative_to(tmp_path)).read_bytes(), path.name
    assert len(made) > 8


def test_the_report_names_the_optimiser_of_the_runs(tmp_path: Path) -> None:
    asked = experiment(optimiser="sgd", dropout=[0.0], seeds=[0])
    write_tables(tmp_path / "results" / "small", asked, {})
    told = render({"small": asked}, Claims(), tmp_path).read_text()
    assert "| training | SGD with momentum 0.9, step size 0.01," in told
    assert "Adam" not in told


def test_the_report_reads_and_changes_nothing_but_its_own(rendered: Path) -> None:
    assert (rendered / "results" / "mine" / "notes.txt").read_text() == "not a table"
    assert (rendered / "results" / "gone" / "runs.csv").read_text() == "not a table"
    assert (rendered / "timings" / "small.csv").read_text() == "not a table"
    assert not (rendered / "timings.md").exists()


def test_tables_of_gone_experiments_are_removed_and_nothing_else(
    rendered: Path, tmp_path: Path
) -> None:
    results = Path(shutil.copytree(rendered / "results", tmp_path / "results"))
    assert remove_gone(results, {"small"}) == [results / "gone"]
    assert {path.name for path in results.iterdir()} == {"small", "mine"}
    assert remove_gone(tmp_path / "nowhere", {"small"}) == []


def test_sentences_say_what_is_clear_and_what_is_not(rendered: Path) -> None:
    results = read_results(rendered, "small", SIX)
    found = {effect.cell.label: effect for effect in effects(results, "test/accuracy")}
    assert set(found) == {cell.label for cell in SIX.cells()[1:]}
    clear = dataclasses.replace(
        found["dropout 0.5"], difference=type(found["dropout 0.5"].difference)(0.02, 0.01, 0.03)
    )
    assert text.sentence(clear) == (
        "With dropout 0.5 the test accuracy is higher by 2.00 points "
        "(95 % interval of the paired difference 1.00 to 3.00)."
    )
    vague = dataclasses.replace(
        clear, metric="test/loss", difference=type(clear.difference)(-0.1, -0.3, 0.1)
    )
    assert text.sentence(vague) == (
        "Between dropout 0.5 and no dropout the test loss shows no clear difference: "
        "it is lower by 0.1000 (95 % interval of the paired difference -0.3000 to 0.1000)."
    )


def write_times(path: Path, asked: Experiment, **seconds: float) -> None:
    path.parent.mkdir(exist_ok=True)
    rows = [
        {
            "experiment": path.stem,
            **cell.row(),
            "seed": seed,
            "candidate": "",
            "epochs": 2,
            "seconds": seconds[cell.variant],
        }
        for cell in asked.cells()
        for seed in asked.seeds
    ]
    pd.DataFrame(rows).to_csv(path, index=False)


SLOWER = {"metric": "log-seconds", "of": "dropout 0.5", "is": "higher", "than": "standard"}
TIMED = Claims.model_validate({
    "sources": {"tutorial": "a tutorial"},
    "timed": {
        name: CLAIM | {"experiment": name, "checks": [SLOWER]} for name in ("small", "other")
    },
})  # fmt: skip


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, dict[str, Experiment]]:
    """Tables of two experiments."""
    experiments = {"small": experiment(), "other": experiment(epochs=3)}
    for name, asked in experiments.items():
        write_tables(tmp_path / "reports" / "results" / name, asked, {})
    return tmp_path, experiments


def test_times_are_written_down_by_their_own_command(
    two: tuple[Path, dict[str, Experiment]],
) -> None:
    root, experiments = two
    write_times(root / "timings" / "small.csv", experiments["small"], standard=2.0, dropout=3.0)
    path = report_timings(experiments, TIMED, root / "reports", root / "timings")
    told = path.read_text()
    assert path == root / "reports" / "timings.md"
    assert "| dropout 0.5 | 1.50 ± 0.00 | 1.50 (1.50 to 1.50) |" in told
    assert "| small | 4 | 10 s | 10 s |" in told
    assert "other" not in told
    assert told.count("Dropout is better.") == 1, "the claim about the experiment that has times"
    kept = root / "reports" / "timings" / "small.csv"
    assert kept.read_bytes() == (root / "timings" / "small.csv").read_bytes()
    # Later another machine has times of the other experiment alone: what was written down stays.
    (root / "timings" / "small.csv").unlink()
    write_times(root / "timings" / "other.csv", experiments["other"], standard=2.0, dropout=4.0)
    told = report_timings(experiments, TIMED, root / "reports", root / "timings").read_text()
    assert "| small | 4 | 10 s | 10 s |" in told
    assert "| other | 4 | 12 s |" in told
    assert kept.is_file()


def test_without_times_it_is_said_in_one_sentence(two: tuple[Path, dict[str, Experiment]]) -> None:
    root, experiments = two
    with pytest.raises(BenchError, match=r"timings: no times of small, other; run: dropout-bench"):
        report_timings(experiments, TIMED, root / "reports", root / "timings")
    assert not (root / "reports" / "timings.md").exists()
    more = experiment(seeds=[0, 1, 2])
    (root / "timings").mkdir()
    write_times(root / "timings" / "small.csv", more, standard=1.0, dropout=1.0)
    shutil.rmtree(root / "reports" / "results" / "small")
    write_tables(root / "reports" / "results" / "small", experiment(seeds=[2, 3]), {})
    experiments["small"] = experiment(seeds=[2, 3])
    with pytest.raises(BenchError, match=r"small\.csv: times of other runs"):
        report_timings(experiments, TIMED, root / "reports", root / "timings")


def test_the_command_without_times_and_with_them(tmp_path: Path) -> None:
    for name in ("params.yaml", "claims.yaml"):
        shutil.copy(PROJECT / name, tmp_path)
    with contextlib.chdir(tmp_path):
        done = CliRunner().invoke(app, ["timings"])
    assert isinstance(done.exception, BenchError)
    assert "timings: no times of " in str(done.exception)
    name = "fashion-tutorial"
    asked = load_params(PROJECT / "params.yaml").experiments[name]
    write_tables(tmp_path / "reports" / "results" / name, asked, {}, lambda _: [("a/b", 1.0, 1.0)])
    write_times(tmp_path / "timings" / f"{name}.csv", asked, standard=2.0, dropout=3.0)
    with contextlib.chdir(tmp_path):
        done = CliRunner().invoke(app, ["timings"])
    assert "times: reports/timings.md" in done.output
    told = (tmp_path / "reports" / "timings.md").read_text()
    assert f"## {name}" in told
    assert "| dropout 0.3 | 1.50 ± 0.00 | 1.50 (1.50 to 1.50) |" in told


def test_the_report_shows_what_must_hold_and_why_there_is_no_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tables(tmp_path / "results" / "small", SIX, {"dropout 0.5": 0.02})
    near = {"metric": "test/accuracy", "of": "standard", "is": "equal", "than": 0.9, "margin": 0.1}
    identity = CLAIM | {"says": "It is near 0.9.", "checks": [near]}
    broken = CLAIM | {"says": "It is near 0.5.", "checks": [near | {"than": 0.5}]}
    claims = Claims.model_validate({
        "sources": {"tutorial": "one"},
        "claims": {"better": CLAIM},
        "must_hold": {"near": identity, "far": broken},
    })  # fmt: skip
    monkeypatch.setattr(
        Results, "unfinished", lambda _, cell: (0,) if cell.label == "standard" else ()
    )
    told = render({"small": SIX}, claims, tmp_path).read_text()
    ledger, _, held = told.partition("## What must hold")
    assert "Open: cut short by the limit of epochs: standard at 1 of 2 draws." in ledger
    assert "near 0" not in ledger
    rows = [line for line in held.splitlines() if "</a>It is near" in line]
    assert [row.split(" | ")[2] for row in rows] == ["yes", "**no**"]
    assert "Of 1 claims " in told
    alone = render({"small": SIX}, Claims(), tmp_path).read_text()
    assert "What must hold" not in alone


def test_effects_are_written_in_the_unit_of_their_check() -> None:
    def written(low: float, mean: float, high: float, **check: Any) -> tuple[str, str]:
        content = {"metric": "test/accuracy", "of": "a", "than": "b", "is": "higher"} | check
        made = Check.model_validate({k: v for k, v in content.items() if v is not None})
        interval = Interval(mean, low, high)
        return text.told(made), text.effect(Measured(made, np.zeros(2), interval, 1.0, 1.0))

    assert written(0.001, 0.01, 0.02) == (
        "test accuracy: a higher than b",
        "+1.00 (+0.10 to +2.00) points",
    )
    assert written(0.5, 0.75, 0.9, often=True) == (
        "test accuracy: a higher than b, at most draws",
        "at 75 % of draws (50 to 90 %)",
    )
    assert written(-np.log(4), -np.log(2), 0.0, **{"is": "steadier"}) == (
        "test accuracy: a steadier than b",
        "0.50 times the spread (0.25 to 1.00)",
    )
    trend = {"of": ["a", "b", "c"], "is": "rising", "than": None}
    assert written(-0.01, 0.01, 0.03, **trend, over="size", gain=True) == (
        "gain in test accuracy: rising from a to c",
        "+1.00 (-1.00 to +3.00) points per doubling of the images",
    )
    assert written(-0.1, 0.2, 0.5, **trend) == (
        "test accuracy: rising from a to c",
        "+0.20 (-0.10 to +0.50) (Kendall's τ)",
    )
    assert written(1.0, 2.0, 3.0, **trend, over="depth", metric="test/loss")[1] == (
        "+2.000 (+1.000 to +3.000) nats per hidden layer"
    )


def test_a_run_costs_once(two: tuple[Path, dict[str, Experiment]]) -> None:
    root, experiments = two
    same: list[Results] = []
    for name, asked in experiments.items():
        write_times(root / "timings" / f"{name}.csv", asked, standard=2.0, dropout=3.0)
        results = read_results(root / "reports", name, asked, root / "timings")
        runs = results.runs.assign(key=[f"{seed}" for seed in range(len(results.runs))])
        same.append(dataclasses.replace(results, runs=runs))
    assert [(cost.all, cost.new) for cost in costs(same)] == [(10.0, 10.0), (10.0, 0.0)]


def test_metrics_count_verdicts(rendered: Path) -> None:
    counts = json.loads((rendered / "metrics.json").read_text())
    assert sum(counts[name] for name in Verdict) == 1
