"""A newcomer on the draws of the known kinds: by the command, and by Python."""

import json
import os
import re
import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest
from outsiders import LAYER, RATES, VARIANT, write, write_kinds
from project import bench, run

from dropout_bench import trial as trial_of
from dropout_bench.errors import BenchError
from dropout_bench.models.variants.dropout import DropoutMLP
from dropout_bench.trials import place
from dropout_bench.trials.known import known, with_arms
from dropout_bench.trials.newcomer import find
from dropout_bench.trials.result import Trial
from dropout_bench.trials.session import Asked, session

TRY = ("--rates", "0.2,0.5", "--draws", "3")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, workers: dict[str, str]) -> Path:
    """A project with tables; not to be changed."""
    return write_kinds(tmp_path_factory.mktemp("kinds"), workers)


@pytest.fixture
def root(
    made: Path, workers: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A project of one's own, which one stands in."""
    shutil.copytree(made, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    for name, value in workers.items():
        monkeypatch.setenv(name, value)
    return tmp_path / "project"


def tried(path: Path, draws: int = 3) -> Trial:
    """Try a file in this process, by the workers that are shared."""
    asked = Asked((0.2, 0.5), draws, scheduler=os.environ["DROPOUT_BENCH_SCHEDULER"])
    trial, page = session(lambda: find(str(path)), asked, lambda _: None)
    assert page.is_file()
    return trial


def test_a_copy_of_dropout_has_dropout_s_figures(root: Path) -> None:
    """To the last digit of the tables: it is trained, chosen and evaluated as all others are."""
    path = write(root / "mine", same=VARIANT)
    said = bench(root, "try", str(path), *TRY, "--json")
    start, end = said.index("{\n"), said.rindex("\n}") + 2
    trial = Trial.model_validate_json(said[start:end])
    assert "nothing drawn from numpy.random" in said[:start] + said[end:]  # beside the JSON
    for one in trial.against("dropout").values():
        assert set(one.differences) == {0.0}
        assert one.draws == (0, 1, 2)
    assert any(one.mean for one in trial.against("none").values())
    assert trial.trained == len(RATES) * 3 + 2
    assert re.fullmatch(r"none at draw \d and dropout at draw \d", trial.checked)
    assert not trial.again

    table = pd.read_csv(root / "reports" / "results" / "kinds" / "runs.csv")
    theirs = table[table["arm"] == "dropout"].set_index("seed")
    assert [row["weights"] for row in trial.figures] == [*theirs["weights"]]

    assert tried(path).trained == 0
    page = root / "trials" / "same"
    assert sorted(file.name for file in page.iterdir()) == [
        "README.md", "differences.png", "index.html", "trial.json",
    ]  # fmt: skip
    text = (page / "README.md").read_text()
    assert "same against dropout: test loss +0.000 (+0.000 to +0.000) nats" in text
    assert 'src="data:image/png' in (page / "index.html").read_text()
    kept = Trial.model_validate_json((page / "trial.json").read_text())
    assert kept.differences == trial.differences


def test_tables_of_other_weights_are_not_compared_with(root: Path) -> None:
    table = root / "reports" / "results" / "kinds" / "runs.csv"
    lines = table.read_text().splitlines()
    changed = [line[:-4] + ("beef" if number else line[-4:]) for number, line in enumerate(lines)]
    table.write_text("\n".join(changed) + "\n")
    trial = tried(write(root, same=VARIANT))
    assert "two runs of the tables, trained here again, have other weights" in trial.again
    assert not trial.checked
    assert set(trial.against("dropout")["test/loss"].differences) == {0.0}  # of runs from here


def test_draws_that_the_tables_lack_are_trained(root: Path) -> None:
    trial = tried(write(root, same=VARIANT), 4)
    one = trial.against("dropout")["test/loss"]
    assert one.draws == (0, 1, 2, 3)
    assert set(one.differences) == {0.0}
    assert trial.trained == len(RATES) * 4 + 2 + 2 * len(RATES)  # and both kinds at one draw


def test_a_newcomer_that_diverges_is_told_in_words(root: Path) -> None:
    wild = LAYER.replace("(1 - self.p)", "(0 if self.p > 0.4 else 1)")
    trial = tried(write(root, my=wild))
    assert len(trial.diverged) == 3
    assert all("dropout=0.5: the training loss is" in each for each in trial.diverged)
    assert len(trial.figures) == 3
    assert [law.law for law in trial.laws if law.holds == "no"] == ["finite values and gradients"]
    wilder = LAYER.replace("(1 - self.p)", "0")
    trial = tried(write(root, my=wilder))
    assert not trial.differences
    assert "is not compared" in repr(trial)
    assert "3 of 3" in repr(trial)


def test_what_cannot_be_tried_is_told_and_leaves_no_page(root: Path) -> None:
    path = write(root, dropout=LAYER.replace("MyDropout", "Dropout"))
    with pytest.raises(BenchError, match="the name of a known kind; give it another: --name"):
        tried(path)
    for asked, told in (
        (Asked((0.2, 1.0)), "above 0 and below 1"),
        (Asked((0.2, 0.2)), "one is there twice"),
        (Asked(draws=1), "draws 1: at least 2"),
    ):
        with pytest.raises(BenchError, match=told):
            session(lambda: find(str(path)), asked, lambda _: None)
    said = bench(root, "try", "dropout.py", "--rates", "0.2,x", status=1)
    assert said == 'dropout-bench: rates "0.2,x": write numbers with commas between: 0.2,0.5\n'
    assert not (root / "trials").exists()


def test_a_failure_in_training_is_told_once(root: Path) -> None:
    late = LAYER.replace("return x *", "[0][len(x) == 32]\n        return x *")
    with pytest.raises(BenchError, match="train my-dropout: 6 of 6 runs failed") as caught:
        tried(write(root, my=late))
    assert "IndexError: list index out of range (dropout=0.2/seed=0" in str(caught.value)
    assert "and 5 more" in str(caught.value)
    assert "Traceback" not in str(caught.value)


IN_A_SCRIPT = """
import sys
import torch
from torch import nn
from dropout_bench import trial

threads, SCALE = torch.get_num_threads(), 1.0

def scaled(x, p):
    return SCALE * x / (1 - p)

class Mine(nn.Module):
    def __init__(self, p):
        super().__init__()
        self.p = p
    def forward(self, x):
        if not self.training or self.p == 0:
            return x
        return scaled(x * (torch.rand_like(x) >= self.p), self.p)

result = trial(Mine, rates=(0.2, 0.5), draws=3)
print(result)
print(len(result.table), list(result.table.columns)[:3], result._repr_html_().count("<tr>"))
print(type(result.plot()).__name__, torch.get_num_threads() == threads)
"""


def test_a_class_of_a_script_is_tried_from_python(root: Path) -> None:
    """Without a guard: the script itself is not run again, in no process."""
    (root / "script.py").write_text(IN_A_SCRIPT)
    said = run(root, sys.executable, "script.py")
    assert said.count("mine against dropout: test loss") == 1
    assert "4 ['than', 'metric', 'mean'] 3" in said
    assert "Figure True" in said


def test_what_python_is_given_is_checked(root: Path) -> None:
    with pytest.raises(BenchError, match="MLP is no class"):
        trial_of(DropoutMLP(4, 2, (3,), 0.5))  # type: ignore[call-overload]
    with pytest.raises(BenchError, match="there is no such file"):
        trial_of("nowhere.py")


def test_other_versions_are_told(root: Path) -> None:
    place = root / "reports" / "results" / "kinds"
    versions = json.loads((place / "versions.json").read_text())
    (place / "versions.json").write_text(json.dumps(versions | {"numpy": "1.0"}))
    table = place / "runs.csv"
    table.write_text(re.sub(r"[0-9a-f]{32}(?=,[0-9a-f]{32}$)", lambda m: m[0][::-1],
                            table.read_text(), flags=re.M))  # fmt: skip
    candidates = place / "candidates.csv"
    candidates.write_text(re.sub(r"[0-9a-f]{32}(?=,[0-9a-f]{32}$)", lambda m: m[0][::-1],
                                 candidates.read_text(), flags=re.M))  # fmt: skip
    trial = tried(write(root, same=VARIANT))
    assert re.search(r"numpy \S+, not 1\.0", trial.again)


def test_known_kinds_are_those_of_the_tables(made: Path) -> None:
    those = known(made)
    assert those.experiment.draws == 3
    more = with_arms(those.experiment, 5, those.experiment.arms)
    assert [job.run for job in more.jobs() if job.run.seed < 3] == [
        job.run for job in those.experiment.jobs()
    ]


def test_without_tables_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(place, "_PACKAGE", tmp_path / "src" / "dropout_bench")
    monkeypatch.setattr(place, "_CARRIED", tmp_path / "carried")
    with pytest.raises(BenchError, match="no tables to compare with"):
        place.tables()
    assert not [*tmp_path.iterdir()]
