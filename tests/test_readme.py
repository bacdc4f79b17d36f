"""What the README tells to type can be typed."""

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from project import PROJECT, commit_a_report, contents, edit, git, run, wait_for

README = (PROJECT / "README.md").read_text()


def commands(heading: str = "") -> list[str]:
    """List the commands in the README's blocks, of one section or of all."""
    sections = re.split(r"^## ", README, flags=re.MULTILINE)
    chosen = [section for section in sections if section.startswith(heading)]
    blocks = re.findall(r"```(bash|console)\n(.*?)```", "".join(chosen), flags=re.DOTALL)
    lines = [
        line.removeprefix("$ ").partition(" #")[0].strip()
        for kind, block in blocks
        for line in block.splitlines()
        if kind == "bash" or line.startswith("$ ")
    ]
    return [line for line in lines if line]


ELSEWHERE = {
    "make repro": "below",
    "make test": "make coverage, in .ci/run",
    "dropout-bench try examples/uniform_noise.py --draws 24": "python -m examples",
    "dropout-bench try --data wine.csv --target class": "tests/test_trials_table.py",
    "dask scheduler --host 127.0.0.1 --port 8786": "tests/test_faults.py",
    "dask worker tcp://127.0.0.1:8786 --nthreads 1 --nworkers 2": "tests/test_faults.py",
    "DROPOUT_BENCH_SCHEDULER=tcp://127.0.0.1:8786 dvc repro": "tests/test_faults.py",
}
"""Where the commands are tried that are not tried here."""

CHANGE = "Change something, compare"
SHARE = "Share what was trained"


def test_the_layer_that_it_shows_is_the_one_that_was_tried() -> None:
    """But for types and docstrings; and its picture is there."""
    shown = re.search(r"```python\n[^`]*?(class UniformNoise.*?)```", README, flags=re.DOTALL)
    assert shown
    tried = ast.parse((PROJECT / "examples" / "uniform_noise.py").read_text(encoding="utf-8"))
    (layer,) = (node for node in tried.body if isinstance(node, ast.ClassDef))
    for node in ast.walk(layer):
        if isinstance(node, ast.FunctionDef):
            node.returns = None
            for argument in node.args.args:
                argument.annotation = None
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node):
            del node.body[0]
    assert ast.unparse(layer) == ast.unparse(ast.parse(shown[1]))
    assert (PROJECT / "examples" / "results" / "uniform_noise.png").is_file()


def test_every_command_is_tried_somewhere() -> None:
    assert len(commands(CHANGE)) >= 9
    assert len(commands(SHARE)) == 6
    assert set(commands()) - {*commands(CHANGE), *commands(SHARE)} == set(ELSEWHERE)
    assert "\nmake coverage" in (PROJECT / ".ci" / "run").read_text()
    assert "$(MAKE) --no-print-directory test test-slow" in (PROJECT / "Makefile").read_text()


def test_every_target_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z-]+)`", README)) <= targets


def queue_status(root: Path) -> str:
    words = ["dvc", "queue", "status"]
    return subprocess.run(words, cwd=root, capture_output=True, text=True, check=True).stdout


@pytest.mark.slow
def test_change_something_and_compare(tmp_path: Path, workers: dict[str, str]) -> None:
    root = tmp_path / "project"
    root.mkdir()
    commit_a_report(root, "fashion-tutorial", workers)
    params = root / "params.yaml"
    changed = params.read_text().replace("- 0.5", "- 0.2\n    - 0.5")
    assert changed != params.read_text()
    params.write_text(changed)
    git(root, "config", "user.name", "t")
    git(root, "config", "user.email", "t@example.org")
    said = {}
    for command in commands(CHANGE):
        if command.startswith("source"):
            continue
        words = shlex.split(command)
        environment = os.environ | workers
        done = subprocess.run(
            words, cwd=root, capture_output=True, text=True, check=False, env=environment
        )
        said[command] = done.stdout + done.stderr
        assert done.returncode == 0, said[command]
        if command == "dvc queue start":
            wait_for(lambda: "Success" in queue_status(root), seconds=240)
    assert "2 done, 0 running, 0 failed, 4 reused, of 6" in said["dvc repro"]
    assert "dropout 0.2" in said["dropout-bench compare"]
    assert "dropout" in said["dvc params diff"]
    mild = next(command for command in said if command.startswith("dvc exp run -n mild"))
    assert "reused, of 4" in said[mild]
    assert "left out in this trial" in said[mild]
    show = next(command for command in said if command.startswith("dvc exp show"))
    assert re.search(r"\[strong\] .*\['0', '0.8'\]", said[show])
    assert "experiments.fashion-tutorial.dropout" in said["dvc exp diff HEAD mild"]
    assert max(line.count("|") for line in said[show].splitlines()) <= 9, "fits a terminal"


@pytest.mark.slow
def test_share_what_was_trained(committed: Path, tmp_path: Path, workers: dict[str, str]) -> None:
    """One trains and pushes, another pulls; a third imports an archive."""
    here, there, third = (tmp_path / name for name in ("here", "there", "third"))
    shutil.copytree(committed, here, symlinks=True)

    def say(root: Path, command: str) -> str:
        mine = {"/mnt/team/dropout": str(tmp_path / "team"), "large-network": "small"}
        mine["paper.tar"] = str(tmp_path / "paper.tar")
        for ours, its in mine.items():
            command = command.replace(ours, its)
        return run(root, *shlex.split(command), workers=workers)

    remote, push, pull, repro, export, import_from = commands(SHARE)
    say(here, remote)
    git(here, "commit", "-am", "a remote")
    assert re.search(r"\d\d files pushed", say(here, push))
    git(tmp_path, "clone", str(here), str(there))
    say(there, pull)
    assert say(there, repro).endswith("Data and pipelines are up to date.\n")
    assert contents(there / "runs" / "small") == contents(here / "runs" / "small")
    assert "0 done, 0 running, 0 failed, 4 reused, of 4" in say(there, "dropout-bench train small")
    edit(there / "params.yaml", lambda text: text.replace("- 0.5", "- 0.2\n    - 0.5", 1))
    assert "train small: 2 done, 0 running, 0 failed, 4 reused, of 6" in say(there, repro)

    say(here, export)
    git(tmp_path, "clone", str(here), str(third))
    assert "4 of its 4 runs are needed by experiments here" in say(third, import_from)
    said = say(third, repro)
    assert "train small: 0 done, 0 running, 0 failed, 4 reused, of 4" in said
    assert "evaluate small: 0 done, 0 running, 0 failed, 4 reused, of 4" in said
    assert contents(third / "runs" / "small") == contents(here / "runs" / "small")
    status = subprocess.run(
        ["git", "status", "--short"], cwd=third, capture_output=True, text=True, check=True
    )
    assert status.stdout == "", "the committed report is the one that comes out"


@pytest.mark.slow
@pytest.mark.skipif(not (Path(sys.prefix) / ".ready").exists(), reason="not set up by make")
def test_make_repro_runs_the_pipeline_and_names_the_report(
    tmp_path: Path, workers: dict[str, str]
) -> None:
    commit_a_report(tmp_path, "small", workers)
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy2(PROJECT / name, tmp_path)
        os.utime(tmp_path / name, (0, 0))
    (tmp_path / ".venv").symlink_to(sys.prefix)
    shutil.rmtree(tmp_path / "reports" / "figures")

    def make_repro() -> list[str]:
        done = subprocess.run(["make", "repro"], cwd=tmp_path, capture_output=True, check=True)
        return done.stdout.decode().splitlines()

    said = make_repro()
    assert "Running stage 'report':" in said
    assert "report: reports/report.md" in said
    assert "Data and pipelines are up to date." in make_repro()
