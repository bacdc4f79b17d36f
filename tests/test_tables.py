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

from dropout_bench.analysis.claims import Claims
from dropout_bench.errors import BenchError
from dropout_bench.params.file import load_params
from dropout_bench.params.run import Job
from dropout_bench.quantities.derived.columns import CURVES
from dropout_bench.report.render import render
from dropout_bench.tables.evaluation import Evaluation
from dropout_bench.tables.read import Results, read_results, read_table
from dropout_bench.tables.schema import TABLES
from dropout_bench.tables.write import Told, write_tables

PROJECT = Path(__file__).parents[1]
NAME = "fashion-tutorial"
EXPERIMENTS = load_params(PROJECT / "params.yaml").experiments
EXPERIMENT = EXPERIMENTS[NAME]
COMMITTED = PROJECT / "reports"


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    """The committed tables of one experiment, to be damaged."""
    shutil.copytree(COMMITTED / "results" / NAME, tmp_path / "results" / NAME)
    (tmp_path / "timings").mkdir()
    shutil.copy(COMMITTED / "timings" / f"{NAME}.csv", tmp_path / "timings")
    return tmp_path


def test_the_committed_tables_can_be_read(reports: Path) -> None:
    results = read_results(reports, NAME, EXPERIMENT, reports / "timings")
    assert len(results.runs) == len(EXPERIMENT.jobs())
    assert len(results.timings) == len(EXPERIMENT.jobs())
    assert results.name == NAME
    assert results.versions["torch"].startswith("2.")


def test_bins_of_confidence_without_images_need_no_figures() -> None:
    name = "inside"
    inside = load_params(PROJECT / "params.yaml").experiments[name]
    assert "reliability" in inside.measures
    assert read_results(COMMITTED, name, inside).name == name


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
    ("runs", "epochs", None),
    ("runs", "epochs", 1e9),
    ("runs", "epochs", 9.5),
    ("runs", "key", "the key"),
    ("curves", "epoch", None),
    ("curves", "epoch", 99),
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
    ("curves", "epoch", 1),
    ("curves", "seed", 99),
    ("measures", "metric", "other"),
    ("measures", "at", 77.0),
    ("measures", "seed", 99),
    ("confusion", "predicted", 2),
    ("confusion", "hidden", "9-9"),
    ("pictures", "variant", "selu"),
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


def told_of(job: Job, results: Results) -> Told:
    """What the tables were written from."""
    (run,) = rows_of(job, results.runs).to_dict("records")
    curves = rows_of(job, results.curves)[["epoch", *(entry.name for entry in CURVES)]].dropna(
        axis=1
    )
    measured = rows_of(job, results.measures)[["metric", "at", "value"]]
    # The table has the sum over seeds: as if all were the first one's.
    images = job.cell.rows_of(results.confusion)["images"].to_numpy()
    of_first = images.reshape(len(job.run.classes), -1) * (job.run.seed == 0)
    evaluation = Evaluation(
        parameters=run["parameters"],
        final={name: run[name] for name in results.metrics},
        by_epoch={},
        confusion=of_first.tolist(),
        measured=list(measured.itertuples(index=False, name=None)),
    )
    seen: Any = curves.to_dict("records")
    return Told(job, run["key"], run["weights"], seen, evaluation)


@pytest.mark.parametrize("name", [NAME, "mnist-tutorial", "mnist-layerwise"])
def test_what_is_read_is_written_as_it_was(name: str, tmp_path: Path) -> None:
    experiment = EXPERIMENTS[name]
    results = read_results(COMMITTED, name, experiment)
    runs = [told_of(job, results) for job in experiment.jobs()]
    pictures: Any = results.pictures.to_dict("records")
    write_tables(tmp_path, name, experiment, runs, pictures, results.versions)
    for path in sorted((COMMITTED / "results" / name).iterdir()):
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


def test_figures_of_a_curve_and_of_times(reports: Path) -> None:
    results = read_results(reports, NAME, EXPERIMENT, reports / "timings")
    cell = EXPERIMENT.cells()[1]
    swings, seconds = [], []
    for seed in EXPERIMENT.seeds:
        rows = cell.rows_of(results.curves)
        curve = rows[rows["seed"] == seed].sort_values("epoch")["val/loss"].to_numpy()
        swings.append(np.std(np.diff(curve[len(curve) // 2 :]), ddof=1))
        times = cell.rows_of(results.timings)
        (row,) = times[times["seed"] == seed].to_dict("records")
        seconds.append(math.log(row["seconds"] / row["epochs"]))
    assert results.figures(cell, "swing/val/loss") == pytest.approx(swings)
    assert results.figures(cell, "log-seconds") == pytest.approx(seconds)


def test_a_cell_that_a_table_does_not_have_has_no_rows(reports: Path) -> None:
    results = read_results(reports, NAME, EXPERIMENT)
    other = EXPERIMENT.cells()[0].model_copy(update={"train_size": 7})
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
    other = EXPERIMENT.model_copy(update={"seeds": (0, 1)})
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


@pytest.mark.parametrize("table", TABLES)
def test_whatever_is_spoiled_it_is_read_or_refused(table: str, reports: Path) -> None:
    path = reports / "results" / NAME / f"{table}.csv"
    whole = path.read_text()
    chance = random.Random(table)  # noqa: S311
    refused = 0
    for _ in range(40):
        path.write_text(spoil(whole, chance))
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
    assert refused > 3


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
