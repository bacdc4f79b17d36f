"""What TensorBoard shows: read back as TensorBoard reads it, and asked of a real server."""

import io
import itertools
import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pandas as pd
import pytest
import torch
from conftest import experiment, one_run
from ruamel.yaml import YAML
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.plugins.hparams import metadata
from test_compare import write_tables

from dropout_bench.data.modules import subset_of
from dropout_bench.params.arms import Job
from dropout_bench.params.experiment import Experiment
from dropout_bench.params.file import load_params, read_yaml
from dropout_bench.tables.read import Results, read_results
from dropout_bench.tensorboard.board import TICKED, Shown, under_way, write_board
from dropout_bench.tensorboard.events import FILE
from dropout_bench.tensorboard.live import live_curves
from dropout_bench.tensorboard.pictures import events
from dropout_bench.training.result import CURVES
from dropout_bench.training.run import network_of, train

ROOT = Path(__file__).parents[1]
TUTORIALS = ("fashion-tutorial", "mnist-tutorial", "mnist-layerwise")
CURVE = "train/loss", "train/accuracy", "val/loss", "val/accuracy"


def shown_runs(folder: Path) -> dict[str, EventAccumulator]:
    """Read all runs as TensorBoard does, by name."""
    files = [Path(at, name) for at, _, names in os.walk(folder, followlinks=True) for name in names]
    return {
        str(file.parent.relative_to(folder)): EventAccumulator(
            str(file.parent), {"histograms": 0}
        ).Reload()
        for file in files
    }


def points(run: EventAccumulator, tag: str) -> dict[int, float]:
    return {point.step: point.value for point in run.Scalars(tag)}


def trials(runs: dict[str, EventAccumulator]) -> dict[str, dict[str, object]]:
    """Return the settings of each trial of the tab HPARAMS, by the run that it stands in."""
    found = {}
    for name, run in runs.items():
        tensors = run.summary_metadata.get(metadata.SESSION_START_INFO_TAG)
        if tensors is not None:
            info = metadata.parse_session_start_info_plugin_data(tensors.plugin_data.content)
            values = {k: v.number_value or v.string_value for k, v in info.hparams.items()}
            found[name] = {"trial": info.group_name, **values}
    return found


def columns(runs: dict[str, EventAccumulator]) -> Any:
    """Return what the tab HPARAMS says it shows."""
    (content,) = (
        run.summary_metadata[metadata.EXPERIMENT_TAG].plugin_data.content
        for run in runs.values()
        if metadata.EXPERIMENT_TAG in run.summary_metadata
    )
    return metadata.parse_experiment_plugin_data(content)


def bench(root: Path, *words: str, status: int = 0) -> str:
    """Run the command; TensorBoard inspects what it would show, and ends."""
    command = ["dropout-bench", "tensorboard", *words, "--inspect"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def measured(job: Job) -> list[tuple[str, float, float]]:
    """Something of the one tutorial that measures anything."""
    return [("a/b", 1.0, 1.0)] if job.run.dataset == "fashion-mnist" else []


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables of all experiments and nothing else: no data, no run, no run store."""
    root = tmp_path_factory.mktemp("clone")
    for name in ("params.yaml", "claims.yaml"):
        (root / name).symlink_to(ROOT / name)
    for name in TUTORIALS:
        asked = load_params(ROOT / "params.yaml").experiments[name]
        gains = {cell.label: 0.01 * place for place, cell in enumerate(asked.cells())}
        write_tables(root / "reports" / "results" / name, asked, gains, measured)
    return root


@pytest.fixture(scope="module")
def opened(clone: Path) -> dict[str, EventAccumulator]:
    bench(clone)
    return shown_runs(clone / "logs" / "shown" / "tutorials")


def test_it_opens_on_a_seed_and_the_mean_of_each_network_of_the_tutorials(
    opened: dict[str, EventAccumulator],
) -> None:
    params = load_params(ROOT / "params.yaml")
    expected = {
        f"{name}/{cell.label.replace('/', '+')}/{run}"
        for name in TUTORIALS
        for cell in params.experiments[name].cells()
        for run in ("mean", "seed=0")
    }
    assert set(opened) == expected
    assert len(opened) <= TICKED


def test_steps_are_epochs_and_figures_those_of_the_tables(
    opened: dict[str, EventAccumulator], clone: Path
) -> None:
    for name in TUTORIALS:
        settings = load_params(ROOT / "params.yaml").experiments[name]
        results = read_results(clone / "reports", name, settings)
        for cell in settings.cells():
            curves, finals = results.of(cell, "curves"), results.of(cell, "runs")
            for run, of_run, final in (
                ("seed=0", curves[curves["seed"] == 0], finals[finals["seed"] == 0]),
                ("mean", curves, finals),
            ):
                found = opened[f"{name}/{cell.label.replace('/', '+')}/{run}"]
                for tag in [tag for tag in map(str, curves) if "/" in tag]:
                    means = of_run.groupby("epoch")[tag].mean().dropna().to_dict()
                    if means:
                        assert points(found, tag) == pytest.approx(means, rel=1e-6)
                for tag in [tag for tag in map(str, finals) if tag.startswith("test/")]:
                    last, value = max(points(found, tag).items())
                    assert last == settings.epochs
                    assert value == pytest.approx(final[tag].mean(), rel=1e-6)


def test_a_trial_is_a_network_and_test_accuracy_comes_first(
    opened: dict[str, EventAccumulator],
) -> None:
    found = trials(opened)
    assert set(found) == {name for name in opened if name.endswith("/mean")}
    shown = columns(opened)
    titles = [info.display_name for info in shown.hparam_infos]
    assert titles[:5] == ["dropout", "experiment", "arm", "dataset", "classes"]
    assert {"learning rate", "weight decay", "max norm", "normalise sd"} < set(titles)
    assert "seed" not in titles
    assert [info.name for info in shown.hparam_infos] == sorted(found[next(iter(found))])[:-1]
    metrics = [info.name.tag for info in shown.metric_infos]
    assert metrics[0] == "test/accuracy"
    for name in found:  # a trial without one of the figures would have no line
        assert set(metrics) <= set(opened[name].Tags()["scalars"])


def shown_of(settings: Experiment) -> Shown:
    figures = {seed: [2.0, 1.0] for seed in settings.seeds}
    return Shown(settings, made_up(settings, figures), ROOT / "none", None)


def test_trials_are_told_apart_by_what_is_not_cut_off(tmp_path: Path) -> None:
    experiments = load_params(ROOT / "params.yaml").experiments
    for number, together in enumerate([TUTORIALS, *[[name] for name in experiments]]):
        folder = tmp_path / str(number)
        write_board(folder, {name: shown_of(experiments[name]) for name in together})
        found = [str(trial["trial"])[:15] for trial in trials(shown_runs(folder)).values()]
        assert len(set(found)) == len(found), found


def test_all_has_every_seed(clone: Path) -> None:
    said = bench(clone, "mnist-layerwise", "--all")
    runs = shown_runs(clone / "logs" / "shown" / "mnist-layerwise")
    assert len(runs) == 2 * (10 + 1)
    assert "2 means over seeds, 20 single seeds" in said
    bench(clone, "mnist-layerwise")
    assert len(shown_runs(clone / "logs" / "shown" / "mnist-layerwise")) == 2 * 2


def made_up(settings: Experiment, figures: dict[int, list[float]]) -> Results:
    """Return tables in which the figures of every cell's seeds are those, epoch by epoch."""
    runs, curves = [], []
    for job in settings.jobs():
        row = {**job.cell.row(), "seed": job.run.seed}
        values = figures[job.run.seed]
        if job.candidate != job.cell.arm.candidates()[0].text(job.cell.arm):
            continue
        runs.append({**row, "epochs": len(values), "test/loss": 10.0 + job.run.seed})
        curves += [
            {**row, "epoch": epoch, "train/loss": value, "val/loss": value}
            for epoch, value in enumerate(values, start=1)
        ]
    empty = pd.DataFrame()
    tables = {"runs": pd.DataFrame(runs), "curves": pd.DataFrame(curves)}
    rest = dict.fromkeys(("candidates", "measures", "confusion", "pictures"), empty)
    return Results("made-up", settings, versions={}, **tables, **rest)


def test_test_figures_stand_at_the_epoch_they_are_of(tmp_path: Path) -> None:
    settings = experiment(checkpoint="best", epochs=5)
    results = made_up(settings, {0: [3.0, 1.0, 2.0, 2.0], 1: [5.0, 4.0, 3.0, 2.0, 2.0]})
    write_board(tmp_path, {"made-up": Shown(settings, results, tmp_path / "none", None)}, True)
    runs = shown_runs(tmp_path)
    assert points(runs["made-up/dropout 0.5/seed=0"], "test/loss") == {2: 10.0}
    assert points(runs["made-up/dropout 0.5/seed=1"], "test/loss") == {4: 11.0}
    mean = runs["made-up/dropout 0.5/mean"]
    assert points(mean, "test/loss") == {3: 10.5}
    # A mean over those that are left would jump where a run was stopped.
    assert points(mean, "train/loss") == {1: 4.0, 2: 2.5, 3: 2.5, 4: 2.0}


def test_beyond_40_runs_there_are_means_alone(tmp_path: Path) -> None:
    for count, expected in ((20, {"mean": 20, "seed": 20}), (21, {"mean": 21})):
        settings = experiment(dropout=[number / 100 for number in range(count)])
        results = made_up(settings, {0: [1.0], 1: [2.0]})
        folder = tmp_path / str(count)
        counts = write_board(folder, {"x": Shown(settings, results, tmp_path / "none", None)})
        assert counts == expected
        assert len(shown_runs(folder)) == sum(expected.values())
    counts = write_board(
        tmp_path / "all", {"x": Shown(settings, results, tmp_path / "none", None)}, True
    )
    assert counts == {"mean": 21, "seed": 42}


def test_pictures_are_shown_with_the_first_seed(tmp_path: Path, raw: Path) -> None:
    settings = experiment()
    job = settings.jobs()[0]
    data, network = subset_of(job.run, raw), network_of(job.run).eval()
    data.prepare_data()
    data.setup("fit")
    data.setup("test")
    labels = torch.cat([labels for _, labels in data.test_dataloader()])
    logits = torch.eye(10)[(labels + 1) % 10]
    content = events(data, {0: network, 2: network}, logits, labels)
    assert content == events(data, {2: network, 0: network}, logits, labels)
    folder = tmp_path / "evaluations" / job.name
    folder.mkdir(parents=True)
    (folder / "pictures.tfevents").write_bytes(content)
    assert {
        event.wall_time for event in EventFileLoader(str(folder / "pictures.tfevents")).Load()
    } == {0}

    results = made_up(settings, {0: [1.0, 1.0], 1: [1.0, 1.0]})
    shown = {"x": Shown(settings, results, tmp_path / "evaluations", None)}
    write_board(tmp_path / "shown", shown, every_seed=True)
    runs = shown_runs(tmp_path / "shown")
    tags = {name: run.Tags() for name, run in runs.items()}
    first = tags.pop(f"x/{job.cell.label}/seed=0")
    for kind, layer in itertools.product(("weights", "activations"), (1, 2)):
        steps = runs[f"x/{job.cell.label}/seed=0"].Histograms(f"{kind}/hidden{layer}")
        assert [event.step for event in steps] == [0, 2]
    assert {"train/loss", "test/loss"} <= set(first["scalars"])
    assert first["images"] == ["test/mistakes"]
    assert not any(other["histograms"] or other["images"] for other in tags.values())


def test_a_training_under_way_is_shown_until_there_are_tables_of_it(
    tmp_path: Path, raw: Path
) -> None:
    settings = experiment(dropout=[0.5])
    live, table = tmp_path / "live", tmp_path / "runs.csv"
    assert under_way(live, table) is None
    table.write_text("of an earlier training")
    os.utime(table, (0, 0))
    for job in settings.jobs():
        (live / job.name).mkdir(parents=True)
        (live / job.name / "left.tfevents").write_text("of an earlier training")
    job = settings.jobs()[0]
    result = train(job.run, raw, callbacks=[live_curves(live / job.name)])
    assert under_way(live, table) == live

    counts = write_board(tmp_path / "shown", {"x": Shown(settings, None, tmp_path, live)})
    assert counts == {"live": 1}
    run = shown_runs(tmp_path / "shown")[f"x/{job.cell.label}/live seed=0"]
    assert set(run.Tags()["scalars"]) == set(CURVE)
    curves = pd.read_csv(io.BytesIO(result.files[CURVES])).set_index("epoch")
    for tag in CURVE:
        assert points(run, tag) == pytest.approx(curves[tag].to_dict(), rel=1e-6)
    table.write_text("of this training")
    assert under_way(live, table) is None


def test_live_curves_change_nothing_of_the_training(tmp_path: Path, raw: Path) -> None:
    run = one_run()
    watched = train(run, raw, callbacks=[live_curves(tmp_path / "live")])
    assert watched.files == train(run, raw).files


def test_an_event_file_cut_short_shows_what_it_has(tmp_path: Path) -> None:
    settings = experiment(epochs=5)
    results = made_up(settings, {seed: [1.0] * 5 for seed in settings.seeds})
    write_board(tmp_path, {"x": Shown(settings, results, tmp_path / "none", None)})
    folder = tmp_path / "x" / "standard" / "seed=0"
    os.truncate(folder / FILE, (folder / FILE).stat().st_size - 20)
    (found,) = shown_runs(folder).values()
    assert list(points(found, "train/loss")) == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("mnist-tutorail",), 'did you mean "mnist-tutorial"'),
        (("digits-demo",), "digits-demo: no tables and no curves; run: dvc repro"),
    ],
)
def test_what_cannot_be_shown_is_told(words: tuple[str, ...], told: str, clone: Path) -> None:
    said = bench(clone, *words, status=1)
    assert told in said
    assert "Traceback" not in said


def test_tables_of_other_parameters_are_left_out(clone: Path, tmp_path: Path) -> None:
    content = read_yaml(clone / "params.yaml")
    content["experiments"]["mnist-tutorial"]["seeds"] = [0, 99]
    YAML().dump(content, tmp_path / "params.yaml")
    for name in ("claims.yaml", "reports"):
        (tmp_path / name).symlink_to(clone / name)
    said = bench(tmp_path)
    assert "left out: reports/results/mnist-tutorial/runs.csv: its runs are not those of" in said
    assert "7 means over seeds, 7 single seeds, 0 under way" in said


@pytest.fixture
def server(clone: Path) -> Iterator[str]:
    command = ["dropout-bench", "tensorboard", "--port", "0", "--load_fast", "false"]
    process = subprocess.Popen(command, cwd=clone, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        lines = iter(process.stderr.readline, "")
        yield next(m[0] for line in lines if (m := re.search(r"http://[^ ]+", line)))
    finally:
        process.terminate()
        process.communicate()


@pytest.mark.slow
def test_a_real_server_shows_curves_charts_and_trials(
    server: str, opened: dict[str, EventAccumulator]
) -> None:
    def ask(path: str, **data: object) -> Any:
        body = json.dumps(data).encode() if data else None
        kind = {"Content-Type": "application/json"}
        request = Request(f"{server}data/{path}", body, kind)  # noqa: S310
        with urlopen(request, timeout=30) as answer:  # noqa: S310
            return json.load(answer)

    for _ in range(60):  # it reads the events in the background
        if len(ask("runs")) == len(opened):
            break
        time.sleep(0.5)
    scalars = ask("plugin/scalars/tags")
    assert {name: set(tags) for name, tags in scalars.items()} == {
        name: set(run.Tags()["scalars"]) for name, run in opened.items()
    }
    parts = ask("plugin/custom_scalars/layout")["category"]
    charts = [chart for part in parts for chart in part["chart"]]
    assert {"tag": ["^val/loss$"]} in [chart.get("multiline") for chart in charts]
    statuses = ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_RUNNING"]
    wanted = {"startIndex": 0, "sliceSize": 99, "allowedStatuses": statuses, "colParams": []}
    groups = ask("plugin/hparams/session_groups", experimentName="", **wanted)["sessionGroups"]
    assert len(groups) == len(opened) / 2
    for group in groups:
        (session,) = group["sessions"]
        assert session["name"].endswith("/mean")
        assert group["metricValues"][0]["name"]["tag"] == "test/accuracy"
