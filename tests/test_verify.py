"""A report that was tampered with is found out, and the file is named."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from project import DIGITS, INSIDE, contents, edit, git, run
from scipy import stats

from dropout_bench.params.file import Params
from dropout_bench.verify.draw import chance, distinct_runs, draw, seed_of


@pytest.fixture
def clone(committed: Path, tmp_path: Path) -> Path:
    """A fresh clone: no data, no weights, no cache."""
    git(tmp_path, "clone", str(committed), "clone")
    return tmp_path / "clone"


@pytest.mark.slow
def test_a_true_report_holds_and_nothing_is_written(clone: Path) -> None:
    before = contents(clone)
    said = json.loads(run(clone, "dropout-bench", "verify", "--json"))
    assert said["holds"]
    assert len(said["findings"]) == 12
    assert said["outcome"] == "holds"
    git(clone, "diff", "--exit-code")
    new = {name for name in contents(clone).keys() - before.keys() if ".dvc" not in name}
    assert not new


def _squash(root: Path) -> None:
    """Make one commit of all: then no claim was in Git before its runs."""
    git(root, "checkout", "--orphan", "squashed")
    git(root, "commit", "-m", "all at once")


def _results(root: Path, name: str) -> Path:
    return root / "reports" / "results" / "small" / name


OTHER = "a" * 32
TAMPERED: dict[str, tuple[Callable[[Path], object], str]] = {
    "a number in a table": (
        lambda root: edit(
            _results(root, "runs.csv"), lambda text: re.sub(r"0\.(\d)", r"0.9\1", text, count=1)
        ),
        "reports/results/small/runs.csv",
    ),
    "a picture": (
        lambda root: shutil.copyfile(
            root / "reports/figures/ledger.png", root / "reports/figures/small-curves.png"
        ),
        "reports/figures/small-curves.png",
    ),
    "a picture more": (
        lambda root: shutil.copyfile(
            root / "reports/figures/ledger.png", root / "reports/figures/more.png"
        ),
        "reports/figures/more.png",
    ),
    "the report": (
        lambda root: edit(root / "reports/report.md", lambda text: text.replace("lower", "higher")),
        "reports/report.md",
    ),
    "a parameter": (
        lambda root: edit(
            root / "params.yaml", lambda text: text.replace("epochs: 2", "epochs: 3")
        ),
        "params.yaml",
    ),
    "the code": (
        lambda root: edit(
            root / "src/dropout_bench/evaluation/metrics.py", lambda text: text + "\n# more\n"
        ),
        "src/dropout_bench",
    ),
    "dvc.lock": (
        lambda root: edit(
            root / "dvc.lock",
            lambda text: re.sub(r"(runs\.csv\n +hash: md5\n +md5: )\w+", rf"\g<1>{OTHER}", text),
        ),
        "reports/results/small/runs.csv",
    ),
    "dvc.lock, in conflict": (
        lambda root: edit(root / "dvc.lock", lambda text: "<<<<<<< HEAD\n" + text),
        "dvc.lock",
    ),
    "a margin": (
        lambda root: edit(root / "claims.yaml", lambda text: text.replace("margin: ", "margin: 1")),
        "claims.yaml",
    ),
    "when a claim was written": (
        _squash,
        "reports/registered.json",
    ),
    "a key": (
        lambda root: edit(
            _results(root, "runs.csv"),
            lambda text: re.sub(r",[0-9a-f]{32},", f",{OTHER},", text),
        ),
        "reports/results/small/runs.csv",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", TAMPERED)
def test_tampering_is_found_and_the_file_named(what: str, clone: Path) -> None:
    tamper, place = TAMPERED[what]
    tamper(clone)
    said = run(clone, "dropout-bench", "verify", "--json", status=1)
    told = json.loads(said[: said.rindex("}") + 1])
    wrong = [finding["place"] for finding in told["findings"] if not finding["holds"]]
    assert not told["holds"]
    assert any(place in where for where in wrong), wrong


@pytest.mark.slow
def test_times_are_no_part_of_what_is_compared(clone: Path) -> None:
    for folder in (clone / "timings", clone / "reports" / "timings"):
        folder.mkdir()
        (folder / "small.csv").write_text("of another training\n")
    (clone / "reports" / "timings.md").write_text("Of another training.\n")
    run(clone, "dropout-bench", "verify")


FORGED = (
    ("small", "runs.csv", "test/accuracy", "0.999", "runs.csv, test/accuracy: 0.999, not"),
    ("small", "runs.csv", "parameters", "7", "runs.csv, parameters: 7, not"),
    ("small", "curves.csv", "val/loss", "0.01", "curves.csv, val/loss: 0.01, not"),
    ("small", "pictures.csv", "right_with", "0", "small/pictures.csv"),
    ("inside", "runs.csv", "test/loss", "0.01", "runs.csv, test/loss: 0.01, not"),
    ("inside", "measures.csv", "value", "0.999", "measures.csv, value: 0.999, not"),
    ("inside", "confusion.csv", "images", "77", "inside/confusion.csv"),
)


@pytest.mark.slow
def test_what_was_never_produced_is_found_by_training_again(
    committed: Path, tmp_path: Path, workers: dict[str, str]
) -> None:
    root = Path(shutil.copytree(committed, tmp_path / "copy", symlinks=True))
    said = run(root, "dropout-bench", "verify", "--whole", workers=workers)
    assert said.count("trained again, bit by bit") == 8, "four runs, each in both experiments"
    assert said.count("made again") == 4, "confusions and pictures of both"
    # A forger who is thorough: table, lock and report agree.
    for experiment, file, column, value, _ in FORGED:
        path = root / "reports" / "results" / experiment / file
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        table.loc[2, column] = value
        table.to_csv(path, index=False, lineterminator="\n")
    run(root, "dvc", "commit", "--force", "evaluate@small", "evaluate@inside")
    run(root, "dvc", "repro")
    said = run(root, "dropout-bench", "verify", status=1)
    assert "measures.csv" not in said, "of these without training nothing is known"
    said = run(root, "dropout-bench", "verify", "--whole", status=1, workers=workers)
    assert all(told in said for *_, told in FORGED), said


def small_params(**experiments: object) -> Params:
    suites = {"big": {"apart": DIGITS | {"hidden": [64]}}}
    return Params.model_validate({"experiments": experiments, "suites": suites})


def test_each_distinct_run_is_drawn_once_and_compared_wherever_it_stands() -> None:
    params = small_params(one=DIGITS, same=INSIDE, other=DIGITS | {"epochs": 3})
    places = distinct_runs([params.suites[""]])
    assert len(places) == 8, "the runs of two experiments are the same"
    assert {len(each) for each in places.values()} == {1, 2}
    assert sum(len(each) for each in places.values()) == 12
    assert draw(places, None, seed=1).keys() == places.keys()
    assert draw(places, 2, seed=1) == draw(places, 2, seed=1)
    assert seed_of("a" * 40) != seed_of("b" * 40)
    assert len({next(iter(draw(places, 2, seed))) for seed in range(20)}) > 4
    assert len(distinct_runs(params.suites.values())) == 12


def test_the_chance_that_is_told_is_that_of_the_draw() -> None:
    """Experiments of different sizes; all runs of the small one are forged."""
    seeds = [{"seeds": list(range(count))} for count in (2, 3, 25)]
    few, some, many = (DIGITS | {"epochs": n + 2} | each for n, each in enumerate(seeds))
    params = small_params(few=few, some=some, many=many)
    places = distinct_runs(params.suites.values())
    forged = set(distinct_runs([params.suites[""]])) & set(params.experiments["few"].runs())
    told = chance(len(places), 8, len(forged))
    assert told == pytest.approx(1 - stats.hypergeom(len(places), len(forged), 8).pmf(0))
    draws = 3000
    found = np.mean([not forged.isdisjoint(draw(places, 8, seed)) for seed in range(draws)])
    assert abs(found - told) < 4 * np.sqrt(told * (1 - told) / draws)


def test_the_chance_that_a_forged_run_is_found() -> None:
    assert chance(10, 10, 1) == 1
    assert chance(10, 3, 1) == pytest.approx(0.3)
    assert chance(10, 2, 5) == pytest.approx(1 - (5 * 4) / (10 * 9))
