"""The stages through their commands, on small data: same bytes, nothing twice, clear failures."""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pandas as pd
import pytest
import torch
from project import LAYERWISE, PUBLISHED, SETTINGS, bench, contents, write_project
from ruamel.yaml import YAML
from safetensors.torch import save_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from dropout_bench.evaluation.board import log_test_figures
from dropout_bench.params.file import load_params
from dropout_bench.training.store import RunStore
from dropout_bench.training.sweep import restore_logs


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose pipeline has run once. Tests that change it work on a copy."""
    root = write_project(tmp_path_factory.mktemp("project"), small=SETTINGS, layerwise=LAYERWISE)
    said = bench(root, "train", "small")
    assert "4 done, 0 running, 0 failed, 0 reused, of 4" in said
    assert "\x1b" not in said, "control characters in a log"
    assert "\r" not in said
    said = bench(root, "train", "layerwise")
    assert "2 done, 0 running, 0 failed, 2 reused, of 4" in said
    for name in ("small", "layerwise"):
        bench(root, "evaluate", name)
    assert "report: reports/report.md" in bench(root, "report")
    return root


def test_again_from_scratch_with_another_number_of_workers_gives_the_same_bytes(
    project: Path, tmp_path: Path
) -> None:
    root = write_project(tmp_path / "again", small=SETTINGS)
    bench(root, "train", "small", "--workers", "1")
    bench(root, "evaluate", "small", "--workers", "1")
    for folder in ("runs", "reports/results"):
        assert contents(root / folder / "small") == contents(project / folder / "small")


def test_the_report_again_gives_the_same_bytes(project: Path, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(project, root)
    before = contents(root / "reports")
    shutil.rmtree(root / "reports" / "figures")
    bench(root, "report")
    assert contents(root / "reports") == before


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
        "best.safetensors",
        "epoch-001.safetensors",
        "epoch-002.safetensors",
        "curves.csv",
        "run.json",
    }
    other = project / "runs" / "layerwise" / "dropout" / "dropout=0.5+0.3" / "seed=1"
    assert not list(other.glob("epoch-*"))


def test_tables_are_tidy(project: Path) -> None:
    folder = project / "reports" / "results" / "small"
    runs = pd.read_csv(folder / "runs.csv", dtype={"dropout": str})
    assert set(runs.columns) >= {
        "experiment", "dataset", "variant", "dropout", "seed", "epochs", "parameters",
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
    metrics = json.loads((folder / "metrics.json").read_text())
    mean = 100 * runs[runs["variant"] == "standard"]["test/accuracy"].mean()
    assert metrics["standard"]["test accuracy (%)"] == pytest.approx(mean, abs=0.005)


def test_the_report_tells_what_the_tables_hold(project: Path) -> None:
    text = (project / "reports" / "report.md").read_text()
    assert "of 3 published figures" in text
    assert "Of 2 claims about dropout" in text
    assert "Against each other" in text
    assert "With dropout the training loss stays higher." in text
    assert "**no**" in text
    assert "It takes as long." in (project / "reports" / "timings.md").read_text()
    assert "It takes as long." not in text
    for picture in ("ledger", "small-curves", "small-published", "layerwise-curves"):
        assert f"figures/{picture}.png" in text
        assert (project / "reports" / "figures" / f"{picture}.png").stat().st_size > 10_000
    assert "seconds" not in text
    assert "| 1.00 s |" in (project / "reports" / "timings.md").read_text()


@pytest.mark.slow
def test_training_and_report_do_without_the_test_set(project: Path, tmp_path: Path) -> None:
    root = write_project(tmp_path / "p", small=SETTINGS)
    for name in ("test-images.npy", "test-labels.npy"):
        path = root / "data" / "raw" / "mnist" / name
        os.truncate(path, 8)  # no whole header: reading it would fail
    from dropout_bench.data.arrays import write_sums

    write_sums(root / "data" / "raw" / "mnist")
    bench(root, "train", "small")
    assert "test-" in bench(root, "evaluate", "small", status=1)
    assert not (root / "reports" / "results").exists()


def test_edits_train_only_what_they_add(project: Path, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(project, root)
    changed = SETTINGS | {"dropout": [0.0, 0.2, 0.5], "seeds": [1, 0, 2]}
    YAML().dump({"experiments": {"small": changed}}, root / "params.yaml")
    assert "5 done, 0 running, 0 failed, 4 reused, of 9" in bench(root, "train", "small")
    assert "0 done, 0 running, 0 failed, 9 reused, of 9" in bench(root, "train", "small")
    stale = bench(root, "report", status=1)
    assert "reports/results/small/runs.csv" in stale
    assert "dvc repro" in stale


@pytest.mark.slow
def test_edits_evaluate_only_what_they_add(project: Path, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(project, root)
    before = contents(root / "reports" / "results")
    assert "0 done, 0 running, 0 failed, 4 reused, of 4" in bench(root, "evaluate", "small")
    assert contents(root / "reports" / "results") == before
    kept = sorted((root / "run-store").rglob("evaluation-*"))
    damaged = bytearray(kept[0].read_bytes())
    damaged[-9] ^= 1
    kept[0].write_bytes(damaged)
    said = bench(root, "evaluate", "small") + bench(root, "evaluate", "layerwise")
    assert said.count(" 1 done, 0 running, 0 failed, 3 reused, of 4") == 1, "only the damaged one"
    assert contents(root / "reports" / "results") == before
    measuring = SETTINGS | {"measures": ["reliability"]}
    YAML().dump({"experiments": {"small": measuring}}, root / "params.yaml")
    assert "4 done, 0 running, 0 failed, 0 reused, of 4" in bench(root, "evaluate", "small")


def test_the_store_is_listed_and_pruned(project: Path, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(project, root)
    said = bench(root, "runs")
    assert "small/dropout/dropout=0.5/seed=1" in said
    assert "layerwise/dropout/dropout=0.5+0.3/seed=0" in said
    assert "6 runs, " in said
    assert "0 of them" in said
    shared = [line for line in said.splitlines() if "standard" in line and "seed=0" in line]
    assert len(shared) == 2, "a run that two experiments need has both names"
    YAML().dump({"experiments": {"small": SETTINGS | {"seeds": [0]}}}, root / "params.yaml")
    (root / "run-store" / "f00").mkdir()
    assert "7 runs, " in bench(root, "runs")
    assert "5 of them" in bench(root, "runs", "--prune")
    assert "2 runs, " in bench(root, "runs")
    assert len(list((root / "run-store").iterdir())) == 2


def test_tensorboard_s_events_come_back_where_nothing_was_trained(
    project: Path, tmp_path: Path
) -> None:
    root = tmp_path / "copy"
    shutil.copytree(project, root)
    shutil.rmtree(root / "logs")
    experiment = load_params(root / "params.yaml").experiments["small"]
    for _ in range(2):
        restore_logs("small", experiment, root, RunStore(root / "run-store"))
        log_test_figures("small", experiment, root / "logs", root / "reports" / "results")
    for job in experiment.jobs():
        folder = root / "logs" / "small" / job.name
        assert len(list(folder.glob("events.*"))) == 2
        tags = EventAccumulator(str(folder)).Reload().Tags()["scalars"]
        assert {"train/loss", "val/accuracy", "test/loss", "test/accuracy"} <= set(tags)


@pytest.mark.slow
def test_tensorboard_shows_curves_hyper_parameters_and_histograms(
    project: Path, tmp_path: Path
) -> None:
    root = tmp_path / "copy"
    shutil.copytree(project, root)
    command = ["dropout-bench", "tensorboard", "--port", "0", "--load_fast", "false"]
    server = subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE, text=True)
    try:
        assert server.stderr is not None
        lines = iter(server.stderr.readline, "")
        address = next(m[0] for line in lines if (m := re.search(r"http://[^ ]+", line)))

        def ask(path: str, **data: object) -> Any:
            body = json.dumps(data).encode() if data else None
            kind = {"Content-Type": "application/json"}
            request = Request(f"{address}data/{path}", body, kind)  # noqa: S310
            with urlopen(request, timeout=30) as answer:  # noqa: S310
                return json.load(answer)

        first, other = "small/dropout/dropout=0.5/seed=0", "small/dropout/dropout=0.5/seed=1"
        for _ in range(60):  # it reads the events in the background
            if {first, other, "layout"} <= set(ask("runs")):
                break
            time.sleep(0.5)
        scalars = ask("plugin/scalars/tags")
        splits = {f"{s}/{m}" for s in ("train", "val", "test") for m in ("loss", "accuracy")}
        assert splits <= set(scalars[first])
        for kind, count in (("weights", 2), ("activations", 2)):
            tags = [tag for tag in ask("plugin/histograms/tags")[first] if tag.startswith(kind)]
            assert len(tags) == count
        assert other not in ask("plugin/histograms/tags"), "of one seed a cell"
        steps = ask(f"plugin/histograms/histograms?run={first}&tag=weights/hidden1")
        assert [step for _, step, _ in steps] == [0, 1, 2]
        assert "test/mistakes" in ask("plugin/images/tags")[first]
        parts = ask("plugin/custom_scalars/layout")["category"]
        charts = [chart for part in parts for chart in part["chart"]]
        assert {"tag": ["^val/loss$"]} in [chart.get("multiline") for chart in charts]
        statuses = ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_RUNNING"]
        wanted = {"startIndex": 0, "sliceSize": 99, "allowedStatuses": statuses, "colParams": []}
        groups = ask("plugin/hparams/session_groups", experimentName="", **wanted)["sessionGroups"]
        assert len(groups) == 8
        for group in groups:
            assert {"variant", "dropout", "hidden", "seed", "learning_rate"} <= set(
                group["hparams"]
            )
            assert len(group["metricValues"]) == len(splits)
    finally:
        server.terminate()
        server.communicate()


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
    what: str, project: Path, tmp_path: Path
) -> None:
    root = tmp_path / "copy"
    shutil.copytree(project, root)
    before = contents(root / "reports")
    file, damage = DAMAGED_RUNS[what]
    damage(root / file)
    said = bench(root, "evaluate", "small", status=1)
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
    words: tuple[str, ...], place: str, project: Path, tmp_path: Path
) -> None:
    root = tmp_path / "copy"
    shutil.copytree(project, root)
    if (root / place).is_dir():
        shutil.rmtree(root / place)
        (root / place).write_text("a file where the folder should be")
    else:
        (root / place).unlink()
        (root / place).mkdir()
    said = bench(root, *words, status=1)
    assert "Traceback" not in said
    assert place in said


@pytest.mark.slow
def test_an_event_file_cut_short_shows_what_it_has(project: Path, tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    shutil.copytree(project / "logs" / RUN.removeprefix("runs/"), folder)
    (events,) = (f for f in folder.glob("events.*") if not f.name.endswith(".evaluated"))
    os.truncate(events, events.stat().st_size - 20)
    for file in folder.glob("*.evaluated"):
        file.unlink()
    found = EventAccumulator(str(folder)).Reload()
    assert "train/loss" in found.Tags()["scalars"]


@pytest.mark.slow
def test_failing_runs_are_told_with_parameters_and_trace(tmp_path: Path) -> None:
    root = write_project(tmp_path / "p", bad=SETTINGS | {"learning_rate": 1e30})
    said = bench(root, "train", "bad", status=1)
    assert "4 of 4 runs failed" in said
    assert "Diverged: the training loss is" in said
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
    assert told in bench(write_project(tmp_path / "p", small=SETTINGS), *words, status=1)


def test_outside_the_project_the_command_says_so(tmp_path: Path) -> None:
    assert "params.yaml" in bench(tmp_path, "report", status=1)


def test_a_claim_about_what_is_not_there_is_an_error(tmp_path: Path) -> None:
    root = write_project(tmp_path / "p", small=SETTINGS)
    wrong = PUBLISHED | {"figures": [{"cell": "dropuot 0.5", "metric": "test/loss", "value": 1.0}]}
    YAML().dump({"published": {"small": wrong}}, root / "claims.yaml")
    assert 'did you mean "dropout 0.5"' in bench(root, "report", status=1)
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
