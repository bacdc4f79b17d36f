"""The command line teaches: help, hints and completion."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from project import PROJECT, bench
from typer.testing import CliRunner

from dropout_bench import __version__
from dropout_bench.cli import app

COMMANDS = (
    "repro", "download", "train", "evaluate", "report", "timings", "claims", "explain",
    "deepen", "compare", "verify", "runs", "tensorboard", "suite",
    "try", "init",
)  # fmt: skip


def complete(line: str, folder: Path) -> set[str]:
    """What bash would offer for the last word of a line."""
    words = line.split(" ")
    settings = {
        "_DROPOUT_BENCH_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    done = subprocess.run(
        ["dropout-bench"],
        cwd=folder,
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=True,
    )
    assert not done.stderr
    return set(done.stdout.split())


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shutil.copy(PROJECT / "params.yaml", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("dropout-bench ver", {"verify"}),
        ("dropout-bench train mnist-", {"mnist-tutorial", "mnist-layerwise"}),
        ("dropout-bench evaluate fash", {"fashion-tutorial"}),
        ("dropout-bench download fash", {"fashion-mnist"}),
        ("dropout-bench verify --wh", {"--whole"}),
        ("dropout-bench suite de", {"demo"}),
    ],
)
def test_a_shell_completes_commands_options_and_names(
    line: str, offered: set[str], project: Path
) -> None:
    assert complete(line, project) == offered


def test_outside_a_project_there_is_no_experiment_to_complete(tmp_path: Path) -> None:
    assert complete("dropout-bench train m", tmp_path) == set()


def test_help_and_the_release_are_told_without_what_commands_need() -> None:
    script = (
        "import sys; from dropout_bench import cli\n"
        "try: cli.app(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "heavy = {'pydantic', 'pandas', 'torch', 'dvc', 'distributed', 'matplotlib'}\n"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    for words, told in (("--version", f"dropout-bench {__version__}"), ("--help", "repro")):
        done = subprocess.run(
            [sys.executable, "-c", script, words], capture_output=True, text=True, check=True
        )
        assert told in done.stdout
        assert done.stdout.splitlines()[-1] == "[]", "imported before it is needed"


def test_help_lists_every_command_in_the_order_of_the_pipeline(tmp_path: Path) -> None:
    said = bench(tmp_path, "--help")
    places = [said.index(f"│ {command} ") for command in COMMANDS]
    assert places == sorted(places)
    assert "dvc repro" in said


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_what_it_does(command: str) -> None:
    said = CliRunner().invoke(app, [command, "--help"], prog_name="dropout-bench").output
    assert f"dropout-bench {command}" in said
    assert len(said.splitlines()) > 8


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("trian",), "train"),
        (("verify", "--sampel", "3"), "--sample"),
        (("verify", "--sample", "-3"), "0"),
        (("train",), "experiment"),
    ],
)
def test_a_misspelled_command_is_answered_with_a_hint(words: tuple[str, ...], hint: str) -> None:
    done = CliRunner().invoke(app, words, prog_name="dropout-bench")
    assert done.exit_code == 2
    assert hint in done.output
    assert "--help" in done.output
