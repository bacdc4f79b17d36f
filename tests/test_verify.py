"""A report that was tampered with is found out, and the file is named."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from project import DIGITS, contents, edit, git, run

from dropout_bench.params.file import Params
from dropout_bench.verify import chance, draw, sections


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
    assert len(said["findings"]) == 3
    git(clone, "diff", "--exit-code")
    new = {name for name in contents(clone).keys() - before.keys() if ".dvc" not in name}
    assert not new


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
        "src/dropout_bench/evaluation",
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
def test_a_result_that_was_never_produced_is_found_by_training_again(
    committed: Path, tmp_path: Path
) -> None:
    root = tmp_path / "copy"
    shutil.copytree(committed, root, symlinks=True)
    said = run(root, "dropout-bench", "verify", "--sample", "3", "--draw", "7")
    assert "3 of 4 runs are trained again, drawn by --draw 7" in said
    assert said.count("trained again, bit by bit") == 3
    # A forger who is thorough: table, lock and report agree.
    path = _results(root, "runs.csv")
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    table.loc[2, "test/accuracy"] = "0.999"
    table.to_csv(path, index=False, lineterminator="\n")
    run(root, "dvc", "commit", "--force", "evaluate@small")
    run(root, "dvc", "repro")
    assert "DIFFERS" not in run(root, "dropout-bench", "verify")
    said = run(root, "dropout-bench", "verify", "--whole", status=1)
    assert said.count("DIFFERS") == 1
    assert "test/accuracy: 0.999, not" in said


def test_runs_are_drawn_over_all_experiments_and_each_once() -> None:
    experiments = {"one": DIGITS, "same": DIGITS, "other": DIGITS | {"epochs": 3}}
    params = Params.model_validate({"experiments": experiments})
    all_sections = sections(Path(), params)
    everything, count = draw(all_sections, None, seed=1)
    assert count == len(everything) == 8, "the runs of two experiments are the same"
    chosen, _ = draw(all_sections, 2, seed=1)
    assert {each.name for each in chosen} == {"one", "other"}
    assert chosen == draw(all_sections, 2, seed=1)[0]
    assert len({draw(all_sections, 2, seed)[0][0].place for seed in range(20)}) > 4


def test_the_large_network_is_trained_again_with_the_whole_alone() -> None:
    params = Params.model_validate({"experiments": {"one": DIGITS}, "paper": {"big": DIGITS}})
    assert [list(each.experiments) for each in sections(Path(), params)] == [["one"], ["big"]]
    assert [list(each.experiments) for each in sections(Path(), params, paper=False)] == [["one"]]


def test_the_chance_that_a_forged_run_is_found() -> None:
    assert chance(10, 10, 1) == 1
    assert chance(10, 3, 1) == pytest.approx(0.3)
    assert chance(10, 2, 5) == pytest.approx(1 - (5 * 4) / (10 * 9))
