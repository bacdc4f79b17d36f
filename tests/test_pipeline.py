"""The stages through their commands, on small data: same bytes, nothing twice, clear failures."""

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from project import LAYERWISE, PUBLISHED, SETTINGS, bench, contents, write_project
from ruamel.yaml import YAML
from safetensors.torch import save_file
from typer.testing import CliRunner

from dropout_bench.cli import app
from dropout_bench.errors import BenchError
from dropout_bench.tables.evaluation import EVALUATION
from dropout_bench.training.keys import Identity
from dropout_bench.training.result import RunResult
from dropout_bench.training.store import AGAIN, RunStore
from dropout_bench.trials.fits import Fitted, Kept
from dropout_bench.trials.newcomer import find


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, workers: dict[str, str]) -> Path:
    """A project whose pipeline has run once. Tests that change it work on a copy."""
    root = write_project(tmp_path_factory.mktemp("project"), small=SETTINGS, layerwise=LAYERWISE)
    said = bench(root, "train", "small", workers=workers)
    assert "4 done, 0 running, 0 failed, 0 reused, of 4" in said
    assert "\x1b" not in said, "control characters in a log"
    assert "\r" not in said
    said = bench(root, "train", "layerwise", workers=workers)
    assert "2 done, 0 running, 0 failed, 2 reused, of 4" in said
    said = bench(root, "evaluate", "small", workers=workers)
    assert re.search(
        r"^small: dropout 0\.5 − standard: test accuracy [-+.\d]+ \(.+\) points, 2 draws$",
        said,
        re.MULTILINE,
    )
    bench(root, "evaluate", "layerwise", workers=workers)
    assert "report: reports/report.md" in bench(root, "report")
    assert "times: reports/timings.md" in bench(root, "timings")
    return root


@pytest.mark.slow
@pytest.mark.parametrize("alone", [False, True])
def test_again_from_scratch_gives_the_same_bytes(
    alone: bool, project: Path, tmp_path: Path, workers: dict[str, str]
) -> None:
    """By the same workers, which have computed meanwhile; or by another number of others."""
    root = write_project(tmp_path / "again", small=SETTINGS)
    words = ["--workers", "1"] if alone else []
    for command in ("train", "evaluate"):
        bench(root, command, "small", *words, workers=None if alone else workers)
    for folder in ("runs", "evaluations", "reports/results"):
        assert contents(root / folder / "small") == contents(project / folder / "small")


@pytest.mark.slow
def test_the_report_again_gives_the_same_bytes(project: Path, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(project, root)
    before = contents(root / "reports")
    shutil.rmtree(root / "reports" / "figures")
    bench(root, "report")
    assert contents(root / "reports") == before


@pytest.mark.slow
def test_results_of_an_experiment_that_is_gone_are_removed(project: Path, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(project, root)
    YAML().dump({"experiments": {"small": SETTINGS}}, root / "params.yaml")
    bench(root, "report")
    assert [path.name for path in (root / "reports" / "results").iterdir()] == ["small"]
    assert "layerwise" not in (root / "reports" / "report.md").read_text()


def test_a_run_has_its_weights_curves_and_key(project: Path) -> None:
    folder = project / "runs" / "small" / "dropout" / "dropout=0.5" / "seed=1"
    assert set(contents(folder)) == {
        "last.safetensors",
        "epoch-001.safetensors",
        "epoch-002.safetensors",
        "curves.csv",
        "run.json",
    }
    other = project / "runs" / "layerwise" / "dropout" / "dropout=0.5+0.3" / "seed=1"
    assert not list(other.glob("epoch-*"))


def test_an_evaluation_has_its_figures_and_of_one_seed_pictures(project: Path) -> None:
    folder = project / "evaluations" / "small" / "dropout" / "dropout=0.5"
    assert set(contents(folder)) == {
        "seed=0/evaluation.json",
        "seed=0/pictures.tfevents",
        "seed=1/evaluation.json",
    }
    told = EVALUATION.validate_json((folder / "seed=1" / "evaluation.json").read_bytes())
    runs = pd.read_csv(project / "reports" / "results" / "small" / "runs.csv")
    assert told.final["test/loss"] == pytest.approx(runs["test/loss"].iloc[-1], rel=1e-5)


def test_tables_are_tidy(project: Path) -> None:
    folder = project / "reports" / "results" / "small"
    runs = pd.read_csv(folder / "runs.csv", dtype={"dropout": str})
    assert set(runs.columns) >= {
        "experiment", "arm", "dataset", "variant", "dropout", "seed", "epochs", "parameters",
        "train/loss", "train/accuracy", "val/loss", "val/accuracy", "test/loss", "test/accuracy",
    }  # fmt: skip
    assert len(runs) == 4
    assert runs["key"].is_unique
    curves = pd.read_csv(folder / "curves.csv")
    assert len(curves) == 8
    assert curves["test/accuracy"].notna().all()
    last = curves[curves["epoch"] == 2]["test/accuracy"].to_list()
    assert last == runs["test/accuracy"].to_list()
    layerwise = pd.read_csv(project / "reports" / "results" / "layerwise" / "runs.csv")
    assert set(layerwise["dropout"]) == {"0.0", "0.5/0.3"}
    shared = set(layerwise["key"]) & set(runs["key"])
    assert len(shared) == 2


def test_the_report_tells_what_the_tables_hold(project: Path) -> None:
    text = (project / "reports" / "report.md").read_text()
    assert "of the 3 published figures lie inside" in text
    assert "Of 2 claims " in text
    assert "Against each other" in text
    assert "With dropout the training loss stays higher." in text
    assert "**no**" in text
    assert "It takes as long." in (project / "reports" / "timings.md").read_text()
    assert "It takes as long." not in text
    for picture in ("ledger", "small-curves", "small-published", "layerwise-curves"):
        assert f"figures/{picture}.png" in text
        assert (project / "reports" / "figures" / f"{picture}.png").stat().st_size > 5_000
    assert "seconds" not in text
    assert "| 1.00 s |" in (project / "reports" / "timings.md").read_text()


@pytest.mark.slow
def test_training_and_report_do_without_the_test_set(
    tmp_path: Path, workers: dict[str, str]
) -> None:
    root = write_project(tmp_path / "p", small=SETTINGS)
    for name in ("test-images.npy", "test-labels.npy"):
        path = root / "data" / "raw" / "mnist" / name
        os.truncate(path, 8)  # no whole header: reading it would fail
    from dropout_bench.data.arrays import write_sums

    write_sums(root / "data" / "raw" / "mnist")
    bench(root, "train", "small", workers=workers)
    assert "test-" in bench(root, "evaluate", "small", status=1, workers=workers)
    assert not (root / "reports" / "results").exists()


def test_edits_train_only_what_they_add(
    project: Path, tmp_path: Path, workers: dict[str, str]
) -> None:
    root = tmp_path / "copy"
    shutil.copytree(project, root)
    changed = SETTINGS | {"dropout": [0.0, 0.2, 0.5], "seeds": [1, 0, 2]}
    YAML().dump({"experiments": {"small": changed}}, root / "params.yaml")
    assert "5 done, 0 running, 0 failed, 4 reused, of 9" in bench(
        root, "train", "small", workers=workers
    )
    said = bench(root, "train", "small", workers=workers)
    assert "0 done, 0 running, 0 failed, 9 reused, of 9" in said
    stale = bench(root, "report", status=1)
    assert "reports/results/small/runs.csv" in stale
    assert "dvc repro" in stale


@pytest.mark.slow
def test_edits_evaluate_only_what_they_add(
    project: Path, tmp_path: Path, workers: dict[str, str]
) -> None:
    root = tmp_path / "copy"
    shutil.copytree(project, root)
    before = contents(root / "reports" / "results") | contents(root / "evaluations")
    shutil.rmtree(root / "evaluations")
    for name in ("small", "layerwise"):
        assert "0 done, 0 running, 0 failed, 4 reused, of 4" in bench(root, "evaluate", name)
    assert contents(root / "reports" / "results") | contents(root / "evaluations") == before
    kept = sorted((root / "run-store").rglob("evaluation-*"))
    damaged = bytearray(kept[0].read_bytes())
    damaged[-9] ^= 1
    kept[0].write_bytes(damaged)
    said = "".join(
        bench(root, "evaluate", name, workers=workers) for name in ("small", "layerwise")
    )
    assert said.count(" 1 done, 0 running, 0 failed, 3 reused, of 4") == 1, "only the damaged one"
    assert contents(root / "reports" / "results") | contents(root / "evaluations") == before
    measuring = SETTINGS | {"measures": ["reliability"]}
    YAML().dump({"experiments": {"small": measuring}}, root / "params.yaml")
    said = bench(root, "evaluate", "small", workers=workers)
    assert "4 done, 0 running, 0 failed, 0 reused, of 4" in said
    more = SETTINGS | {"dropout": [0.0, 0.2, 0.5]}
    YAML().dump({"experiments": {"small": more}}, root / "params.yaml")
    bench(root, "train", "small", workers=workers)
    said = bench(root, "evaluate", "small", workers=workers)
    assert "2 done, 0 running, 0 failed, 4 reused, of 6" in said


def test_the_store_is_listed_and_pruned(project: Path, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(project, root)
    said = bench(root, "runs")
    assert "small/dropout/dropout=0.5/seed=1" in said
    assert "layerwise/dropout/dropout=0.5+0.3/seed=0" in said
    assert "6 runs, " in said
    assert "0 runs, 0 bytes needed by no experiment\n" in said
    shared = [line for line in said.splitlines() if "standard" in line and "seed=0" in line]
    assert len(shared) == 2, "a run that two experiments need has both names"
    YAML().dump({"experiments": {"small": SETTINGS | {"seeds": [0]}}}, root / "params.yaml")
    (root / "run-store" / "f00").mkdir()
    assert "7 runs, " in bench(root, "runs")
    assert re.search(r"^5 runs, .* needed by no .*: removed$", bench(root, "runs", "--prune"), re.M)
    assert "2 runs, " in bench(root, "runs")
    assert len(list((root / "run-store").iterdir())) == 2


FITTED = Fitted(
    figures={}, curves={}, best_epoch=1, limit=2, steps=3, rows=(6, 2, 2), seconds=1.0
)  # fmt: skip


def test_runs_of_trials_are_told_as_such_and_kept_until_asked(
    project: Path, tmp_path: Path
) -> None:
    from dropout_bench.params.file import load_params

    root = tmp_path / "copy"
    shutil.copytree(project, root)
    (tmp_path / "mine.py").write_text(
        "import torch\nclass MyDropout(torch.nn.Dropout):\n    def __init__(self, p):\n"
        "        super().__init__(p)\n"
    )
    mine = find(str(tmp_path / "mine.py"))
    run = load_params(root / "params.yaml").experiment("small").runs()[0]
    known = Identity.here(run, "data", "CPU")
    tried = mine.identity(run.model_copy(update={"variant": mine.variant}), "data", "CPU")
    again = replace(known, code=f"{known.code}{AGAIN}")
    gone = replace(known, code="other")
    store = RunStore(root / "run-store")
    for identity in (tried, again, gone):
        store.put(identity, RunResult({"last.safetensors": b"weights"}, "CPU", 1.0))
    said = bench(root, "runs")
    assert re.search(
        rf"^{tried.key} .* none: trial of mydropout, code {mine.digest[:12]}$", said, re.M
    )
    assert re.search(rf"^{again.key} .* none: trial of a known kind, trained again$", said, re.M)
    assert re.search(r"^1 run, .* needed by no experiment: --prune removes them$", said, re.M)
    assert re.search(r"^2 runs, .* of trials: --prune --trials removes them too$", said, re.M)
    bench(root, "runs", "--prune")
    kept = {entry.key for entry in store.entries()}
    assert {tried.key, again.key} < kept
    assert gone.key not in kept
    assert ": 6 runs, " in bench(root, "runs", "--export", "without.tar")
    assert ": 8 runs, " in bench(root, "runs", "--export", "with.tar", "--trials")
    fits = root / "run-store" / ".tables"
    Kept(fits).put("0" * 32, FITTED, {})
    assert re.search(r"^3 runs, .* of trials: ", bench(root, "runs", "--prune"), re.M)
    assert len(list(fits.iterdir())) == 1
    bench(root, "runs", "--prune", "--trials")
    assert not list(fits.iterdir())
    assert {entry.key for entry in store.entries()} == kept - {tried.key, again.key}


def test_what_another_has_trained_is_imported_and_not_trained_again(
    project: Path, tmp_path: Path, workers: dict[str, str]
) -> None:
    archive = tmp_path / "small.tar"
    assert ": 4 runs, " in bench(project, "runs", "--export", str(archive), "small")
    root = write_project(tmp_path / "colleague", small=SETTINGS)
    said = bench(root, "runs", "--import", str(archive))
    assert "4 runs are new here, 0 were here already" in said
    assert "4 of its 4 runs are needed by experiments here" in said
    said = bench(root, "train", "small", workers=workers)
    assert "0 done, 0 running, 0 failed, 4 reused, of 4" in said
    said = bench(root, "evaluate", "small", workers=workers)
    assert "0 done, 0 running, 0 failed, 4 reused, of 4" in said
    for folder in ("runs", "evaluations", "reports/results"):
        assert contents(root / folder / "small") == contents(project / folder / "small")
    said = bench(root, "runs", "--import", str(archive))
    assert "0 runs are new here, 4 were here already" in said


def test_what_is_not_trained_is_told_when_it_is_exported(project: Path, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(project, root)
    shutil.rmtree(root / "run-store")
    shutil.rmtree(root / "runs" / "small" / "dropout" / "dropout=0.5" / "seed=1")
    said = bench(root, "runs", "--export", "small.tar", "small")
    assert "small: 1 of 4 runs are not trained, and not in the archive" in said
    assert "small.tar: 3 runs, " in said, "what DVC restored is taken in first"
    YAML().dump({"experiments": {"new": SETTINGS | {"epochs": 3}}}, root / "params.yaml")
    YAML().dump({}, root / "claims.yaml")
    said = bench(root, "runs", "--export", "new.tar", status=1)
    assert "new: 4 of 4 runs are not trained" in said
    assert "new.tar: nothing to export; train first" in said
    assert not (root / "new.tar").exists()
    assert 'no experiment "nev"; did you mean "new"?' in bench(
        root, "runs", "nev", "--export", "nev.tar", status=1
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--prune", "--import", "x.tar"), "are three calls"),
        (("--export", "x.tar", "--import", "x.tar"), "are three calls"),
        (("small",), "go with --export"),
        (("--trials",), "--trials goes with"),
    ],
)
def test_options_of_runs_that_do_not_go_together(
    words: tuple[str, ...], told: str, tmp_path: Path
) -> None:
    with contextlib.chdir(write_project(tmp_path / "p", small=SETTINGS)):
        done = CliRunner().invoke(app, ("runs", *words))
    assert isinstance(done.exception, BenchError)
    assert told in str(done.exception)


RUN = "runs/small/dropout/dropout=0.5/seed=1"


def cut_in_half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def of_another_network(path: Path) -> None:
    save_file({"body.0.weight": torch.zeros(3, 3)}, path)


def pickled(path: Path) -> None:
    torch.save({"body.0.weight": torch.zeros(3, 3)}, path)


DAMAGED_RUNS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "weights cut short": (f"{RUN}/last.safetensors", cut_in_half),
    "weights of another network": (f"{RUN}/last.safetensors", of_another_network),
    "weights pickled": (f"{RUN}/last.safetensors", pickled),
    "weights after an epoch gone": (f"{RUN}/epoch-001.safetensors", Path.unlink),
    "curves cut short": (f"{RUN}/curves.csv", cut_in_half),
    "curves gone": (f"{RUN}/curves.csv", Path.unlink),
    "about cut short": (f"{RUN}/run.json", cut_in_half),
    "about gone": (f"{RUN}/run.json", Path.unlink),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", DAMAGED_RUNS)
def test_a_damaged_run_is_one_error_and_tables_stay(
    what: str, project: Path, tmp_path: Path, workers: dict[str, str]
) -> None:
    root = tmp_path / "copy"
    shutil.copytree(project, root)
    before = contents(root / "reports")
    file, damage = DAMAGED_RUNS[what]
    damage(root / file)
    said = bench(root, "evaluate", "small", status=1, workers=workers)
    assert "Traceback" not in said
    assert "dropout=0.5/seed=1" in said
    assert "run: dvc repro" in said
    assert contents(root / "reports") == before


BLOCKED = [
    (("train", "small"), "runs"),
    (("train", "small"), "run-store"),
    (("train", "small"), "logs"),
    (("evaluate", "small"), "reports/results"),
    (("report",), "reports/report.md"),
    (("download", "digits"), "data/raw"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("words", "place"), BLOCKED)
def test_a_place_that_cannot_be_written_is_named(
    words: tuple[str, ...], place: str, project: Path, tmp_path: Path, workers: dict[str, str]
) -> None:
    root = tmp_path / "copy"
    shutil.copytree(project, root)
    if (root / place).is_dir():
        shutil.rmtree(root / place)
        (root / place).write_text("a file where the folder should be")
    else:
        (root / place).unlink()
        (root / place).mkdir()
    said = bench(root, *words, status=1, workers=workers)
    assert "Traceback" not in said
    assert place in said


@pytest.mark.slow
def test_failing_runs_are_told_with_parameters_and_remedy(tmp_path: Path) -> None:
    root = write_project(tmp_path / "p", bad=SETTINGS | {"learning_rate": 1e30})
    words = ("dropout-bench", "train", "bad")
    done = subprocess.run(words, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert "4 of 4 runs failed" in said
    assert "Traceback" not in said
    assert "Diverged: the training loss is" in said
    assert "lower learning_rate in params.yaml" in said
    assert '"learning_rate":1e30' in said.replace("1e+30", "1e30")
    assert not (root / "runs" / "bad").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("train", "smal"), 'did you mean "small"'),
        (("evaluate", "small"), "no trained weights"),
        (("report",), "dvc repro"),
        (("download", "minst"), 'did you mean "mnist"'),
    ],
)
def test_wrong_calls_answer_with_a_hint(words: tuple[str, ...], told: str, tmp_path: Path) -> None:
    with contextlib.chdir(write_project(tmp_path / "p", small=SETTINGS)):
        done = CliRunner().invoke(app, words)
    assert isinstance(done.exception, BenchError)
    assert told in str(done.exception)


def test_outside_the_project_the_command_says_so(tmp_path: Path) -> None:
    assert "params.yaml" in bench(tmp_path, "report", status=1)


def test_a_claim_about_what_is_not_there_is_an_error(tmp_path: Path) -> None:
    root = write_project(tmp_path / "p", small=SETTINGS)
    wrong = PUBLISHED | {"figures": [{"cell": "dropuot 0.5", "metric": "test/loss", "value": 1.0}]}
    YAML().dump({"published": {"small": wrong}}, root / "claims.yaml")
    said = bench(root, "train", "small", status=1)
    assert 'did you mean "dropout 0.5"' in said
    assert not (root / "runs").exists(), "before anything trains"


@pytest.mark.slow
def test_the_demo_runs_without_any_mirror(tmp_path: Path) -> None:
    project = Path(__file__).parents[1]
    root = tmp_path / "p"
    root.mkdir()
    for name in ("params.yaml", "claims.yaml"):
        shutil.copy(project / name, root)
    said = bench(root, "suite", "demo")
    assert "report: reports/demo/report.md" in said
    text = (root / "reports" / "demo" / "report.md").read_text()
    assert "scikit-learn" in text
    assert "MNIST" not in text
