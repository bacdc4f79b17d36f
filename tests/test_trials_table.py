"""A table of one's own: what is read, what is refused, what is trained and what is said of it."""

import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from outsiders import LAYER, VARIANT
from outsiders import write as outside
from project import Environment, contents, edit
from typer.testing import CliRunner

from dropout_bench import trial
from dropout_bench.analysis.rule import Verdict
from dropout_bench.cli import app
from dropout_bench.errors import BenchError
from dropout_bench.trials import table as reading
from dropout_bench.trials.fits import Kept
from dropout_bench.trials.newcomer import find
from dropout_bench.trials.on_file import on_file
from dropout_bench.trials.on_table import _check_rows, on_table
from dropout_bench.trials.page import write
from dropout_bench.trials.table import LEAST, Table, of_arrays, read
from dropout_bench.trials.verdict import TableResult


def numbers(rows: int = 120, columns: int = 4) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(rows, columns))


def three(rows: int = 120) -> np.ndarray:
    return np.array(["ash", "birch", "cedar"] * (rows // 3))


def trees(rows: int = 120) -> Table:
    """Three kinds of trees, which differ in all columns."""
    labels = three(rows)
    x = numbers(rows) + np.repeat(np.unique(labels, return_inverse=True)[1], 4).reshape(rows, 4)
    return of_arrays(x, labels, "trees")


# Reading.


def test_npz_csv_frames_and_lists_are_the_same_table(tmp_path: Path) -> None:
    x, y = numbers().astype(np.float32), three()
    np.savez(tmp_path / "trees.npz", X=x, y=y)
    frame = pd.DataFrame(x, columns=list("abcd"))
    frame.assign(kind=y).to_csv(tmp_path / "trees.csv", index=False)
    frame.assign(kind=y).to_csv(tmp_path / "other.tsv", index=False, sep=";")
    tables = [
        read(tmp_path / "trees.npz"),
        read(tmp_path / "trees.csv", "kind"),
        read(tmp_path / "other.tsv", "kind"),
        of_arrays(frame, pd.Series(y)),
        of_arrays(x.tolist(), y.tolist()),
    ]
    assert {table.digest for table in tables} == {tables[0].digest}
    assert tables[0].classes == ("ash", "birch", "cedar")
    assert tables[1].columns == ("a", "b", "c", "d")
    assert all(table.x.dtype == np.float32 for table in tables)
    x[5, 2] += 1
    assert of_arrays(x, y).digest != tables[0].digest


def test_a_csv_file_is_read_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pd.DataFrame(numbers(), columns=list("abcd")).assign(kind=three())
    frame.to_csv(tmp_path / "trees.csv", index=False)
    whole = read(tmp_path / "trees.csv", "kind")
    monkeypatch.setattr(reading, "CHUNK", 35)
    assert read(tmp_path / "trees.csv", "kind").digest == whole.digest
    frame.astype({"c": object}).replace({"c": {frame["c"][100]: "tall"}}).to_csv(
        tmp_path / "text.csv", index=False
    )
    with pytest.raises(BenchError, match=r'column "c" has no numbers \("tall" in row 101\)'):
        read(tmp_path / "text.csv", "kind")


def test_row_numbers_and_constants_are_left_out_and_told(tmp_path: Path) -> None:
    frame = pd.DataFrame(numbers(), columns=list("abcd")).assign(b=7.0, kind=sorted(three()))
    frame.to_csv(tmp_path / "trees.csv")  # with the frame's row numbers, which give classes away
    table = read(tmp_path / "trees.csv", "kind")
    assert table.columns == ("a", "c", "d")
    assert len(table.notes) == 2
    assert "column 1" in table.notes[0]
    assert "constant: b" in table.notes[1]


def with_at(value: object) -> np.ndarray:
    x = numbers().astype(object if isinstance(value, str) else float)
    x[7, 1] = value
    return x


@pytest.mark.parametrize(
    ("x", "y", "told"),
    [
        (with_at(math.nan), three(), r"1 values are missing.*column 1, first in row 8; fill"),
        (with_at(1e300), three(), r"no number that float32 holds"),
        (with_at("tall"), three(), r"array of Python objects"),
        (numbers(), three(60), r"X has 120 rows and y 60; give as many"),
        (numbers(), ["ash"] * 120, r"one class, ash; two"),
        (numbers(), ["ash"] * 117 + ["fir"] * 3, r"fir has 3; 10 are needed of each"),
        (numbers(), np.linspace(0, 1, 120), r"y has 0\.008.*whole numbers or texts: amounts"),
        (numbers(), [*three()[1:], None], r"y has NoneType, str.*none is missing"),
        (np.ones((120, 2)), three(), r"every column is constant"),
        (numbers()[:, 0], three(), r"of shape \(120,\).*X\.reshape\(-1, 1\)"),
        (numbers().reshape(120, 2, 2), three(), r"X\.reshape\(len\(X\), -1\)"),
        (np.empty((0, 4)), [], r"there is nothing in it"),
        (numbers().astype(complex), three(), r"array of complex128; numbers"),
        ([[1.0, 2.0], [3.0]], ["ash", "birch"], r"no array can be made"),
        (
            pd.DataFrame({"a": range(120), "town": three()}),
            three(),
            r'column "town" has no numbers \("ash" in row 1\).*get_dummies',
        ),
    ],
)
def test_what_cannot_be_trained_on_is_told(x: object, y: object, told: str) -> None:
    with pytest.raises(BenchError, match=told):
        of_arrays(x, y)


def test_a_table_that_is_too_large_is_refused_by_its_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez(tmp_path / "trees.npz", X=numbers(), y=three())
    pd.DataFrame(numbers()).assign(kind=three()).to_csv(tmp_path / "trees.csv", index=False)
    monkeypatch.setattr(reading, "MOST", 200)
    monkeypatch.setattr(reading, "CHUNK", 100)
    loaded: list[Path] = []
    monkeypatch.setattr(np, "load", lambda path, **_: loaded.append(path))
    for file, target in (("trees.npz", None), ("trees.csv", "kind")):
        with pytest.raises(BenchError, match=r"more than 200 numbers .* give 50 rows at most"):
            read(tmp_path / file, target)
    assert not loaded


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    class Harm:
        def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
            return Path.touch, (tmp_path / "harm",)

    harmful = {"X": {"X": np.array([[Harm()]]), "y": three()}}
    harmful["y"] = {"X": numbers(), "y": np.array([Harm()])}
    for name, arrays in harmful.items():
        np.savez(tmp_path / f"{name}.npz", allow_pickle=True, **arrays)
        with pytest.raises(BenchError, match="Python objects, which are not read"):
            read(tmp_path / f"{name}.npz")
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize(
    ("text", "target", "told"),
    [
        ("a,kind\n1,ash\n", None, r"--target a, kind"),
        ("a,kind\n1,ash\n", "kinds", r'no column "kinds"; did you mean "kind"'),
        ("kind\nash\n", "kind", r"no column but kind"),
        ("a,kind\n", "kind", r"nothing in it"),
        ("a,kind\n1,ash\n2,\n", "kind", r"no class in 1 rows.*first in row 2"),
        ("", "kind", r"no CSV file"),
        ('a,kind\n1,"ash\n2,fir\n', "kind", r"no CSV file"),
    ],
)
def test_a_csv_file_that_is_none_is_told(
    text: str, target: str | None, told: str, tmp_path: Path
) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(BenchError, match=told):
        read(tmp_path / "t.csv", target)


def test_a_file_that_is_no_table_is_told(tmp_path: Path) -> None:
    (tmp_path / "broken.npz").write_bytes(b"PK nothing")
    np.savez(tmp_path / "names.npz", x=numbers(), y=three())
    (tmp_path / "t.parquet").touch()
    (tmp_path / "t.csv").write_bytes(b"a,kind\n\xff\xfe,ash\n")
    for name, told in (
        ("broken.npz", "no .npz file"),
        ("names.npz", r'no array "X"; write it with numpy.savez'),
        ("t.parquet", "of kind"),
        ("gone.csv", "not there"),
        ("t.csv", "cannot be read"),
    ):
        with pytest.raises(BenchError, match=told):
            read(tmp_path / name, "kind" if name == "t.csv" else None)


def test_of_a_long_table_a_draw_takes_rows_but_enough_of_each_class() -> None:
    table = of_arrays(numbers(1200), ["ash"] * 1180 + ["fir"] * 20)
    _check_rows(table, 600)
    with pytest.raises(BenchError, match=r"of class fir, which has 20, that is 5.0;.*--rows 600"):
        _check_rows(table, 300)


# Splitting and training.


def test_draws_split_anew_and_standardise_on_the_training_part() -> None:
    import torch

    from dropout_bench.trials.fitting import TableModule, split

    table = trees(300)
    x, y = torch.from_numpy(table.x), torch.from_numpy(table.y)
    data = TableModule(x, y, draw=1)
    train, _, test = data.split
    assert [len(part) for part in data.split] == [180, 60, 60]
    assert sorted(np.concatenate(data.split)) == list(range(300))
    for part in data.split:
        assert np.ptp(np.bincount(table.y[part])) <= 1
    assert all(
        np.array_equal(a, b) for a, b in zip(data.split, split(table.y, None, 1), strict=True)
    )
    assert not np.array_equal(split(table.y, None, 2).test, test)
    assert sum(map(len, split(table.y, 100, 1))) == 100
    seen = data.standardised(x)[:, 0]
    assert torch.allclose(seen[train].mean(0), torch.zeros(4), atol=1e-5)
    assert torch.allclose(seen[train].std(0, correction=0), torch.ones(4), atol=1e-5)
    assert not torch.allclose(seen[test].mean(0), torch.zeros(4), atol=1e-3)
    batches = list(data.train_dataloader())
    assert sum(len(labels) for _, labels in batches) == data.passes * 180
    assert len(batches) == len(data.train_dataloader()) == data.steps


SMALL: dict[str, Any] = {"hidden": (8,), "rates": (0.5,), "draws": 2, "steps": 60}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture
def _here(store: Path, workers: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DROPOUT_BENCH_STORE", str(store))
    for name, value in workers.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("_here")
def test_a_second_call_trains_nothing_and_a_changed_number_trains_again(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = on_table(trees(), **SMALL)
    kept = contents(store)
    assert len(kept) == 4
    capsys.readouterr()
    second = on_table(trees(), **SMALL)
    assert "0 done, 0 running, 0 failed, 4 reused, of 4" in capsys.readouterr().out
    pd.testing.assert_frame_equal(first.runs, second.runs)
    assert first.sentence == second.sentence
    assert contents(store) == kept
    file = sorted((store / ".tables").glob("*.json"))[0]
    edit(
        file, lambda text: text.replace('"best_epoch": ', '"best_epoch": 1')
    )  # damaged: trained again, to the bit
    third = on_table(trees(), **SMALL)
    assert "1 done, 0 running, 0 failed, 3 reused, of 4" in capsys.readouterr().out
    pd.testing.assert_frame_equal(
        first.runs.drop(columns="seconds"), third.runs.drop(columns="seconds")
    )


@pytest.mark.usefixtures("_here")
@pytest.mark.parametrize("name", ["layer", "variant"])
def test_what_comes_from_outside_stands_beside_dropout(name: str, tmp_path: Path) -> None:
    file = outside(tmp_path, theirs={"layer": LAYER, "variant": VARIANT}[name])
    result = on_table(trees(), variant=find(str(file), name="mine"), **SMALL)
    assert result.arms == ["none", "dropout", "mine"]
    assert "mine 0.5, compared with dropout," in result.sentence
    assert {(e.arm, e.than) for e in result.effects} == {
        ("dropout", "none"), ("mine", "none"), ("mine", "dropout"),
    }  # fmt: skip
    chosen = result.table.set_index(["draw", "arm"])["test/loss"].unstack()
    # The variant is dropout, by other hands: the same bits.
    assert (chosen["mine"] == chosen["dropout"]).all() == (name == "variant")


@pytest.mark.usefixtures("_here")
def test_python_takes_a_layer_and_arrays(tmp_path: Path) -> None:
    file = outside(tmp_path, theirs=VARIANT)
    data = (trees().x, three())
    result = trial(str(file), (0.5,), 2, data=data, hidden=(8,))
    assert result.arms == ["none", "dropout", "same"]
    assert trial(rates=(0.5,), draws=2, data=data, hidden=(8,)).arms == ["none", "dropout"]
    with pytest.raises(BenchError, match="is an arm already"):
        trial(str(file), (0.5,), 2, name="dropout", data=data)


@pytest.mark.usefixtures("_here")
def test_the_command_writes_a_page_and_tells_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez("trees.npz", X=trees().x, y=three())
    words = ["try", "--data", "trees.npz", "--hidden", "8", "--rates", "0.5", "--draws", "2"]
    said = CliRunner().invoke(app, words).stdout
    page = tmp_path / "trials" / "trees"
    assert set(contents(page)) == {
        "README.md", "index.html", "chosen.csv", "runs.csv", "result.json", "effect.png",
        "curves.png", "gap.png",
    }  # fmt: skip
    told = json.loads((page / "result.json").read_text())
    assert told["sentence"] in said.replace("\n", " ")
    assert told["sentence"] in (page / "README.md").read_text()
    assert (page / "index.html").read_text().count("data:image/png;base64") == 3
    again = CliRunner().invoke(app, [*words, "--json"])
    assert json.loads(again.stdout) == told
    assert "4 reused" in again.stderr


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"hidden": "8,x"}, r"--hidden .*give numbers with commas"),
        ({"hidden": "0"}, r"hidden: 0; give 1 to 20 layers"),
        ({"hidden": "99999"}, r"hidden: 99999"),
        ({"rates": "0,0.5"}, r"rates: 0, 0\.5; give different numbers between 0 and 1"),
        ({"rates": "0.5,0.5"}, r"rates: 0.5, 0.5; give different"),
        ({"learning_rate": 0}, r"learning_rate: .*greater than 0"),
        ({"name": "../up"}, r'--name "../up": letters'),
        ({"rows": 20}, r"a draw takes 20,.*give --rows 30"),
        ({"target": "y"}, r"--target is for CSV"),
    ],
)
def test_settings_that_cannot_be_are_told_before_anything_trains(
    given: dict[str, str | float], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez("trees.npz", X=numbers(), y=three())
    settings: dict[str, Any] = {
        "target": None,
        "name": None,
        "hidden": "8",
        "rates": "0.5",
        **given,
    }
    with pytest.raises(BenchError, match=told):
        on_file(Path("trees.npz"), **settings | given)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["trees.npz"]


# What is said.


def made_up(loss: list[float], accuracy: list[float], unfinished: bool = False) -> TableResult:
    """A result whose second arm differs from the first by these, draw by draw."""
    rows: list[dict[str, Any]] = []
    for draw, (by, more) in enumerate(zip(loss, accuracy, strict=True)):
        for arm, rate, shift, gain in (("none", 0.0, 0.0, 0.0), ("dropout", 0.5, by, more)):
            rows += [
                    {
                        "draw": draw, "arm": arm, "candidate": candidate, "dropout": rate,
                        "learning_rate": 1e-3, "train/loss": 0.1, "train/accuracy": 1.0,
                        # The candidate that is not chosen is the better one on the test rows.
                        "val/loss": 0.3 + 0.1 * candidate, "val/accuracy": 0.9,
                        "test/loss": 0.4 + shift - 0.3 * candidate, "test/accuracy": 0.9 + gain,
                        "epochs": 9, "best_epoch": 5, "unfinished": unfinished and arm == "none",
                        "seconds": 1.0,
                    }
                    for candidate in (0, 1)
                ]  # fmt: skip
    curve = pd.DataFrame(
        {"train/loss": [1.0, 0.1], "val/loss": [1.0, 0.3]}, index=pd.Index([20, 40], name="steps")
    )
    curves = {(row["arm"], row["draw"], row["candidate"]): curve for row in rows}
    settings = {
        "hidden": [8], "rates": [0.2, 0.5], "draws": len(loss), "steps": 100,
        "learning_rate": 1e-3, "device": "CPU", "torch": "2", "lightning": "2",
    }  # fmt: skip
    return TableResult(trees(), settings, pd.DataFrame(rows), curves)


WAVE = [0.01 * math.sin(draw) for draw in range(12)]


def test_the_sentence_tells_a_gain_and_no_relevant_difference() -> None:
    result = made_up([-0.04 + wave for wave in WAVE], [0.1 * wave for wave in WAVE])
    loss, accuracy = result.effects
    assert (loss.verdict, accuracy.verdict) == (Verdict.SUPPORTED, Verdict.SAME)
    assert re.fullmatch(
        r"On your data dropout 0\.5 lowers the test loss by 0\.040 nats \(0\.03\d to 0\.04\d\), "
        r"in 12 of 12 draws; it makes no relevant difference to the test accuracy: "
        r"[+-]0\.00 points \(-0\.04 to \+0\.05\)\.",
        result.sentence,
    )


def test_the_sentence_tells_harm_and_what_is_open() -> None:
    harm = made_up([0.04 + wave for wave in WAVE], [-0.05 + wave for wave in WAVE])
    assert "raises the test loss by 0.040 nats" in harm.sentence
    assert "lowers the test accuracy by 4.97 points" in harm.sentence
    assert "in 12 of 12 draws" in harm.sentence
    unclear = made_up([5 * wave for wave in WAVE], [5 * wave for wave in WAVE])
    assert {effect.verdict for effect in unclear.effects} == {Verdict.OPEN}
    assert "leaves open whether it changes the test loss" in unclear.sentence


def test_trainings_that_were_cut_short_decide_nothing() -> None:
    result = made_up([-0.04 + wave for wave in WAVE], WAVE, unfinished=True)
    assert {effect.verdict for effect in result.effects} == {Verdict.OPEN}
    assert "cut short by the limit of steps: none at 12 of 12 draws" in result.sentence


def test_validation_chooses_not_the_test_rows() -> None:
    assert set(made_up(WAVE, WAVE).table["candidate"]) == {0}


def test_over_new_rows_the_interval_is_wider() -> None:
    effect = made_up(WAVE, WAVE).effects[0]
    ratio = np.ptp(effect.for_new_rows[1:]) / np.ptp(effect.interval[1:])
    assert ratio == pytest.approx(math.sqrt((1 / 12 + 0.25) / (1 / 12)))


def test_names_that_are_html_stay_names(tmp_path: Path) -> None:
    result = made_up(WAVE, WAVE)
    named = replace(result.data, classes=("<script>alert(1)</script>", "b", "c"))
    write(replace(result, data=named), tmp_path / "page")
    assert "alert(1)</script>" not in (tmp_path / "page" / "index.html").read_text()
    assert "<strong>On your data" in result._repr_html_()
    assert len(result.plot().axes) == 2


def test_a_folder_of_other_things_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("dear to me")
    with pytest.raises(BenchError, match="give another --name"):
        write(made_up(WAVE, WAVE), tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "dear to me"


def test_what_is_kept_is_read_again_only_whole(tmp_path: Path) -> None:
    assert Kept(tmp_path / "none").get("0" * 32) is None
    (tmp_path / "a.json").write_text("[]")
    assert Kept(tmp_path).get("a") is None
    assert LEAST == 10
