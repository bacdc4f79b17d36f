"""Tables that are damaged: one error that names the file, or figures that can be read."""

import math
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import experiment
from test_compare import write_tables

from dropout_bench.analysis.claims import Claims
from dropout_bench.errors import BenchError
from dropout_bench.params.arms import Job
from dropout_bench.params.experiment import Experiment
from dropout_bench.quantities.derived.columns import CURVES
from dropout_bench.quantities.quantity import QUANTITIES
from dropout_bench.report.render import render
from dropout_bench.tables.evaluation import Evaluation
from dropout_bench.tables.read import Results, read_results, read_table
from dropout_bench.tables.schema import EVERY_EPOCH, TABLES, told_epochs
from dropout_bench.tables.write import Told, Trained
from dropout_bench.tables.write import write_tables as write_from

NAME = "everything"
SETTINGS: dict[str, Any] = {
    "dataset": "mnist",
    "draw": {"train_size": {"low": 100, "high": 400}, "learning_rate": [0.01, 0.02]},
    "draws": 3,
    "validation_images": 50,
    "hidden": [16, 8],
    "batch_size": 32,
    "steps": 60,
    "patience_steps": 20,
    "checkpoint": "best",
    "arms": {
        "none": {"choose": {"times_learning_rate": [1.0, 0.5]}},
        "dropout": {"variant": "dropout", "choose": {"dropout": [0.2, 0.5]}},
    },
    "measures": ["masks", "reliability", "examples"],
}
EXPERIMENT = Experiment.model_validate(SETTINGS)
"""An experiment that has all tables."""
GRID = experiment(epochs=8, keep_every_epoch=True)


def measured(job: Job) -> list[tuple[str, float, float]]:
    """Two figures of each run, and of one run fewer bins of confidence."""
    bins = [0.9] if job.run.seed == 1 else [0.1, 0.9]
    rows = [
        (f"reliability/{what}", at, 0.5 * at)
        for at in bins
        for what in ("accuracy", "confidence", "share")
    ]
    of_masks = [each for each in QUANTITIES.values() if each.measure == "masks"]
    rows += [(each.name, at, 0.25 / (1 + at)) for each in of_masks for at in each.places]
    return rows


PICTURE: dict[str, str | float] = {
    "arm": "dropout", "kind": "right with dropout", "number": 0, "true": 3, "predicted": 4,
    "right_without": 1, "right_with": 2, "pixels": "00" * 28**2,
}  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables and times of two experiments; not to be changed."""
    root = tmp_path_factory.mktemp("whole")
    kinds = ("right with dropout", "right without dropout")
    pictures = [PICTURE | {"kind": kind, "number": n} for kind in kinds for n in (0, 1)]
    write_tables(root / "results" / NAME, EXPERIMENT, {}, measured, pictures)
    write_tables(root / "results" / "grid", GRID, {})
    (root / "timings").mkdir()
    for name, asked in ((NAME, EXPERIMENT), ("grid", GRID)):
        rows = [
            {
                "experiment": name, **job.cell.row(), "seed": job.run.seed,
                "candidate": job.candidate, "epochs": 3, "seconds": 1.0 + number,
            }
            for number, job in enumerate(asked.jobs())
        ]  # fmt: skip
        pd.DataFrame(rows).to_csv(root / "timings" / f"{name}.csv", index=False)
    return root


@pytest.fixture
def reports(whole: Path, tmp_path: Path) -> Path:
    """The same, to be damaged."""
    return Path(shutil.copytree(whole, tmp_path, dirs_exist_ok=True))


def test_tables_can_be_read(reports: Path) -> None:
    results = read_results(reports, NAME, EXPERIMENT, reports / "timings")
    assert len(results.runs) == 2 * 3
    assert len(results.candidates) == len(results.timings) == len(EXPERIMENT.jobs()) == 2 * 2 * 3
    assert results.candidates["chosen"].sum() == 2 * 3
    assert len(results.trained) == 12
    assert results.name == NAME
    assert results.versions["torch"] == "made up"


def test_bins_of_confidence_without_images_need_no_figures(reports: Path) -> None:
    found = read_results(reports, NAME, EXPERIMENT).measures
    assert len(found[found["metric"].str.startswith("reliability")]) == 2 * 5 * 3


def test_an_experiment_that_measures_nothing_has_no_measures(reports: Path) -> None:
    pictures_alone = EXPERIMENT.model_copy(update={"measures": ("features", "examples")})
    with pytest.raises(BenchError, match=r"measures\.csv: damaged"):
        read_results(reports, NAME, pictures_alone)
    path = reports / "results" / NAME / "measures.csv"
    path.write_text(path.read_text().partition("\n")[0] + "\n")
    assert read_results(reports, NAME, pictures_alone).measures.empty
    with pytest.raises(BenchError, match=r"measures\.csv: damaged"):
        read_results(reports, NAME, EXPERIMENT)


CHANGES: list[tuple[str, str, Any]] = [
    ("runs", "test/loss", None),
    ("runs", "train/accuracy", None),
    ("runs", "test/accuracy", 1.5),
    ("runs", "test/ece", math.inf),
    ("runs", "best_epoch", None),
    ("runs", "best_epoch", 0),
    ("runs", "limit", None),
    ("runs", "learning_rate", None),
    ("runs", "epochs", None),
    ("runs", "epochs", 9.5),
    ("runs", "epochs", 10**9),
    ("candidates", "limit", 10**9),
    ("runs", "key", "the key"),
    ("candidates", "chosen", 2),
    ("candidates", "chosen", None),
    ("candidates", "val/loss", None),
    ("candidates", "weights", "0"),
    ("curves", "epoch", None),
    ("curves", "train/loss", None),
    ("curves", "val/loss", None),
    ("measures", "metric", None),
    ("measures", "value", None),
    ("measures", "value", math.inf),
    ("confusion", "true", 99),
    ("confusion", "images", None),
    ("confusion", "images", -1),
    ("pictures", "pixels", "00"),
    ("pictures", "number", 0.5),
]
OTHER_ROWS: list[tuple[str, str, Any]] = [
    ("candidates", "candidate", "dropout=0.9"),
    ("candidates", "arm", "none"),
    ("candidates", "seed", 99),
    ("candidates", "chosen", 1),
    ("candidates", "val/loss", 0.1),
    ("curves", "epoch", 99),
    ("curves", "epoch", 1),
    ("curves", "seed", 99),
    ("measures", "metric", "other"),
    ("measures", "at", 77.0),
    ("measures", "seed", 99),
    ("confusion", "predicted", 2),
    ("confusion", "dataset", "digits"),
    ("confusion", "arm", "other"),
    ("pictures", "arm", "other"),
]


@pytest.mark.parametrize(("table", "column", "value"), [*CHANGES, *OTHER_ROWS])
def test_a_table_with_a_field_that_cannot_be_is_refused(
    table: str, column: str, value: Any, reports: Path
) -> None:
    path = reports / "results" / NAME / f"{table}.csv"
    rows = read_table(path).astype({column: object})
    rows.loc[len(rows) - 1, column] = value
    rows.to_csv(path, index=False)
    with pytest.raises(BenchError) as caught:
        read_results(reports, NAME, EXPERIMENT)
    told = str(caught.value)
    assert told.startswith(f"{path}: damaged, ")
    assert told.endswith("; run: dvc repro")
    assert (column in told) or (table, column, value) in OTHER_ROWS


def rows_of(job: Job, table: pd.DataFrame) -> pd.DataFrame:
    rows = job.cell.rows_of(table)
    return rows[rows["seed"] == job.run.seed]


def curves_of(job: Job, results: Results) -> list[dict[str, float]]:
    """The curves of a run; of one that was not chosen, such as have its figures."""
    candidates = rows_of(job, results.candidates)
    if len(candidates):
        (told,) = candidates[candidates["candidate"] == job.candidate].to_dict("records")
        if not told["chosen"]:
            return [
                {
                    "epoch": epoch,
                    "val/loss": told["val/loss"] + (epoch != told["best_epoch"]),
                    "val/accuracy": told["val/accuracy"],
                }
                for epoch in range(1, told["epochs"] + 1)
            ]
    rows = rows_of(job, results.curves)[["epoch", *(entry.name for entry in CURVES)]]
    seen: Any = rows.dropna(axis=1).to_dict("records")
    return list(seen)


def told_of(one: Trained, results: Results) -> Told:
    """What the tables were written from."""
    job = one.job
    (run,) = rows_of(job, results.runs).to_dict("records")
    found = rows_of(job, results.measures)[["metric", "at", "value"]]
    # The table has the sum over seeds: as if all were the first one's.
    images = job.cell.rows_of(results.confusion)["images"].to_numpy()
    of_first = images.reshape(len(job.run.classes), -1) * (job.run.seed == 0)
    evaluation = Evaluation(
        parameters=run["parameters"],
        final={name: run[name] for name in results.metrics},
        by_epoch={},
        confusion=of_first.tolist(),
        measured=list(found.itertuples(index=False, name=None)),
    )
    return Told(one, evaluation)


@pytest.mark.parametrize(("name", "asked"), [(NAME, EXPERIMENT), ("grid", GRID)])
def test_what_is_read_is_written_as_it_was(
    name: str, asked: Experiment, whole: Path, tmp_path: Path
) -> None:
    results = read_results(whole, name, asked)
    keys = results.trained.set_index(["arm", "seed", "candidate"])["key"]
    trained = [
        Trained(
            job,
            keys[job.cell.label, job.run.seed, job.candidate],
            "b" * 32,
            curves_of(job, results),
        )
        for job in asked.jobs()
    ]
    chosen = [
        one
        for one in trained
        if one.job.candidate in {"", "times_learning_rate=1.0", "dropout=0.2"}
    ]
    pictures: Any = results.pictures.to_dict("records")
    runs = [told_of(one, results) for one in chosen]
    write_from(tmp_path, name, asked, trained, runs, pictures, results.versions)
    for path in sorted((whole / "results" / name).iterdir()):
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


def test_long_curves_are_told_by_some_of_their_epochs(tmp_path: Path) -> None:
    assert told_epochs(1, 1) == [1]
    assert told_epochs(EVERY_EPOCH, math.nan) == list(range(1, EVERY_EPOCH + 1))
    told = told_epochs(1000, 777)
    assert told == sorted(set(told))
    assert {*range(1, EVERY_EPOCH + 1), 777, 1000} < set(told)
    assert len(told) < 75
    assert max(np.diff(told) / told[:-1]) <= 1
    asked = experiment(epochs=100)
    write_tables(tmp_path / "results" / "long", asked, {})
    rows = read_results(tmp_path, "long", asked).of(asked.cells()[1], "curves")
    assert rows["epoch"].tolist() == 2 * told_epochs(100, 1)


def test_trainings_that_their_limit_cut_short_are_named(reports: Path) -> None:
    path = reports / "results" / NAME / "runs.csv"
    rows = read_table(path)
    late = (rows["arm"] == "dropout") & (rows["seed"] == 2)
    rows.loc[late, "limit"] = 3  # its best epoch is made the last one
    rows.loc[late, "best_epoch"] = 3
    rows.loc[(rows["arm"] == "none"), "limit"] = 4
    rows.loc[(rows["arm"] == "none"), "best_epoch"] = 3
    rows.to_csv(path, index=False)
    results = read_results(reports, NAME, EXPERIMENT)
    none, dropout = EXPERIMENT.cells()
    assert results.unfinished(dropout) == (2,)
    assert results.unfinished(none) == (), "not in the limit's last tenth"
    fixed = read_results(reports, "grid", GRID)
    assert (fixed.runs["best_epoch"] > 0).all()
    assert not any(map(fixed.unfinished, GRID.cells())), "so many epochs were asked for"


def test_figures_of_a_curve_and_of_times(reports: Path) -> None:
    path = reports / "results" / "grid" / "curves.csv"
    moved = read_table(path)
    moved["val/loss"] = np.random.default_rng(0).random(len(moved))
    moved.to_csv(path, index=False)
    results = read_results(reports, "grid", GRID, reports / "timings")
    cell = GRID.cells()[1]
    swings, seconds = [], []
    for seed in GRID.seeds:
        rows = cell.rows_of(results.curves)
        curve = rows[rows["seed"] == seed].sort_values("epoch")["val/loss"].to_numpy()
        swings.append(np.std(np.diff(curve[len(curve) // 2 :]), ddof=1))
        times = cell.rows_of(results.timings)
        (row,) = times[times["seed"] == seed].to_dict("records")
        seconds.append(math.log(row["seconds"] / row["epochs"]))
    assert min(swings) > 0
    assert results.figures(cell, "swing/val/loss") == pytest.approx(swings)
    assert results.figures(cell, "log-seconds") == pytest.approx(seconds)


def test_a_cell_that_a_table_does_not_have_has_no_rows(reports: Path) -> None:
    results = read_results(reports, NAME, EXPERIMENT)
    other = EXPERIMENT.cells()[0].model_copy(update={"label": "other"})
    assert results.of(other, "measures").empty
    assert list(results.of(other, "measures")) == list(results.measures)


def lose_row(text: str) -> str:
    lines = text.splitlines(keepends=True)
    return "".join(lines[:-1])


def repeat_row(text: str) -> str:
    return text + text.splitlines(keepends=True)[-1]


def lose_end(text: str) -> str:
    return text[: int(len(text) * 0.7)]


def lose_header(text: str) -> str:
    return text.partition("\n")[2]


def binary(text: str) -> str:
    return "\0\udcff" * 100


DAMAGES = [lose_row, repeat_row, lose_end, lose_header, binary]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("table", [table for table in TABLES if table != "pictures"])
def test_a_damaged_table_is_one_error_that_names_it(
    table: str, damage: Callable[[str], str], reports: Path
) -> None:
    path = reports / "results" / NAME / f"{table}.csv"
    damaged = damage(path.read_text())
    path.write_text(damaged, errors="surrogateescape")
    with pytest.raises(BenchError, match=rf"results/{NAME}.*run: dvc repro") as caught:
        read_results(reports, NAME, EXPERIMENT)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize("table", [*TABLES, "versions"])
def test_a_missing_or_empty_table_is_named(table: str, reports: Path) -> None:
    path = next((reports / "results" / NAME).glob(f"{table}.*"))
    path.write_bytes(b"")
    with pytest.raises(BenchError, match=path.name):
        read_results(reports, NAME, EXPERIMENT)
    path.unlink()
    with pytest.raises(BenchError, match=path.name):
        read_results(reports, NAME, EXPERIMENT)


@pytest.mark.parametrize("content", ["[]", "{}", "3", '{"data": 1}', "{"])
def test_what_it_was_computed_with_must_be_there(content: str, reports: Path) -> None:
    (reports / "results" / NAME / "versions.json").write_text(content)
    with pytest.raises(BenchError, match=r"versions\.json"):
        read_results(reports, NAME, EXPERIMENT)


def test_tables_of_other_parameters_are_refused(reports: Path) -> None:
    other = EXPERIMENT.model_validate(SETTINGS | {"draws": 2})
    with pytest.raises(BenchError, match=r"runs\.csv: its runs are not those of params\.yaml"):
        read_results(reports, NAME, other)
    (reports / "results" / "small").mkdir()
    with pytest.raises(BenchError, match=r"small/runs\.csv"):
        read_results(reports, "small", experiment())


def test_times_of_other_runs_do_not_count(reports: Path) -> None:
    path = reports / "timings" / f"{NAME}.csv"
    path.write_text(lose_row(path.read_text()))
    assert read_results(reports, NAME, EXPERIMENT, path.parent).timings.empty
    path.unlink()
    assert read_results(reports, NAME, EXPERIMENT, path.parent).timings.empty


def spoil(text: str, chance: random.Random) -> str:
    """Damage a table's text somewhere, as an editor, a merge or a disk does."""
    at = chance.randrange(len(text))
    end = at + chance.randrange(1, 40)
    what = chance.choice(["", ",", "\n", '"', "x", "-", "9" * 30, "\0", "nan", "inf", "1e999"])
    match chance.randrange(4):
        case 0:
            return text[:at] + what + text[at:]
        case 1:
            return text[:at] + what + text[end:]
        case 2:
            return text[:at] + text[at:end] + text[at:]
        case _:
            lines = text.splitlines(keepends=True)
            chance.shuffle(lines)
            return "".join(lines)


@pytest.mark.parametrize("times", [12, pytest.param(60, marks=pytest.mark.slow)])
@pytest.mark.parametrize("table", TABLES)
def test_whatever_is_spoiled_it_is_read_or_refused(table: str, times: int, reports: Path) -> None:
    path = reports / "results" / NAME / f"{table}.csv"
    text = path.read_text()
    chance = random.Random(table)  # noqa: S311
    refused = 0
    for _ in range(times):
        path.write_text(spoil(text, chance))
        told = ""
        try:
            results = read_results(reports, NAME, EXPERIMENT)
        except BenchError as error:
            told = str(error)
        if told:
            refused += 1
            assert path.name in told
            assert "\n" not in told
        else:
            figures = [*results.runs.filter(like="test/").columns, "epochs", "parameters"]
            assert np.isfinite(results.runs[figures]).all(axis=None)
            assert np.isfinite(results.curves["train/loss"]).all()
            assert np.isfinite(results.measures["value"]).all()
            assert np.isfinite(results.confusion["images"]).all()
    assert refused > times / 10


@pytest.mark.slow
def test_what_is_read_can_be_rendered(reports: Path) -> None:
    chance = random.Random(1)  # noqa: S311
    rendered = 0
    wholes = {path: path.read_text() for path in (reports / "results" / NAME).glob("*.csv")}
    for _ in range(30):
        path = chance.choice(sorted(wholes))
        path.write_text(spoil(wholes[path], chance))
        try:
            render({NAME: EXPERIMENT}, Claims(), reports)
            rendered += 1
        except BenchError:
            pass
        path.write_text(wholes[path])
    assert rendered
