"""Other systems, Pythons and machines: what CI does there, the container, and what may write."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from project import PROJECT
from ruamel.yaml import YAML

WORKFLOWS = sorted((PROJECT / ".github" / "workflows").glob("*.yml"))
LOADED: dict[str, Any] = {path.name: YAML(typ="safe").load(path) for path in WORKFLOWS}
JOBS = {f"{file}: {name}": job for file, one in LOADED.items() for name, job in one["jobs"].items()}
ELSEWHERE = LOADED["ci.yml"]["jobs"]["elsewhere"]["strategy"]["matrix"]
METADATA = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]


def steps(job: Any, action: str) -> list[Any]:
    return [step for step in job["steps"] if step.get("uses", "").startswith(f"actions/{action}@")]


def test_every_action_is_pinned_to_a_commit_with_its_version_beside_it() -> None:
    used = [line for path in WORKFLOWS for line in path.read_text().splitlines() if "uses:" in line]
    assert len(used) >= len(JOBS)
    for line in used:
        assert re.search(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line


def test_no_pull_request_starts_what_may_write() -> None:
    for file, workflow in LOADED.items():
        assert workflow["permissions"] == {}, f"{file}: each job asks for what it needs"
        started = set(workflow["on"])
        assert started <= {"push", "pull_request", "schedule", "workflow_dispatch"}, file
        if started & {"push", "pull_request"}:
            assert [job["permissions"] for job in workflow["jobs"].values()] == [
                {"contents": "read"}
            ] * len(workflow["jobs"])


def test_who_may_write_runs_nothing_of_a_clone() -> None:
    writing = [job for job in JOBS.values() if "write" in job["permissions"].values()]
    assert len(writing) == 1
    for job in writing:
        assert not steps(job, "checkout")
        assert not [step for step in job["steps"] if "run" in step]
    for name, job in JOBS.items():
        assert job["timeout-minutes"] < 360, name
        for step in steps(job, "checkout"):
            assert step["with"]["persist-credentials"] is False, name


def test_the_pythons_of_ci_are_those_of_the_metadata() -> None:
    told = [name.rpartition(" :: ")[2] for name in METADATA["classifiers"] if ":: 3." in name]
    assert told == ELSEWHERE["python"]
    assert METADATA["requires-python"] == f">={told[0]}"
    main = LOADED["ci.yml"]["jobs"]["check"]
    assert [step["with"]["python-version"] for step in steps(main, "setup-python")] == told[:1]
    excluded = {"os": main["runs-on"], "python": told[0]}
    assert ELSEWHERE["exclude"] == [excluded], "all others are in the matrix"


@pytest.mark.parametrize("status", range(4))
@pytest.mark.parametrize("place", [*ELSEWHERE["include"], {"os": "the whole report"}], ids=str)
def test_only_x86_64_linux_must_give_the_same_bits(
    place: dict[str, Any], status: int, tmp_path: Path
) -> None:
    accepted = place.get("accepted") or JOBS["weekly.yml: whole"]["env"]["ACCEPTED"]
    ours = tmp_path / "dropout-bench"
    ours.write_text(f"#!/bin/sh\necho '{{}}'\nexit {status}\n")
    ours.chmod(0o755)
    words = ["bash", str(PROJECT / ".ci" / "verified"), str(tmp_path / "verify.json"), "--whole"]
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "ACCEPTED": accepted}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    same_bits = place["os"] in {"ubuntu-24.04", "the whole report"}
    assert (done.returncode == 0) == (status in ({0} if same_bits else {0, 3}))
    assert f"status {status}" in done.stdout + done.stderr
    assert (tmp_path / "verify.json").read_text() == "{}\n"


@pytest.mark.parametrize("name", JOBS)
def test_what_ci_calls_is_there(name: str) -> None:
    makefile = (PROJECT / "Makefile").read_text()
    for step in JOBS[name]["steps"]:
        for script in re.findall(r"bash (\.ci/\w+)", told := step.get("run", "")):
            assert (PROJECT / script).is_file()
            subprocess.run(["bash", "-n", PROJECT / script], check=True)
        for target in re.findall(r"^make (\S+)", told, flags=re.MULTILINE):
            assert f"\n{target}:" in makefile


def test_what_is_published_says_of_when_and_of_which_commit_it_is(tmp_path: Path) -> None:
    subprocess.run(["bash", str(PROJECT / ".ci" / "site"), str(tmp_path)], check=True)
    page = (tmp_path / "index.html").read_text()
    told = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=PROJECT, capture_output=True, text=True, check=False
    ).stdout
    assert re.search(r'<time datetime="20\d\d-\d\d-\d\d">\d+ [A-Z][a-z]+ 20\d\d</time>', page)
    assert f"<code>{told[:12]}</code>" in page
    for folder in ("", "paper/"):
        theirs = (PROJECT / "reports" / folder / "report.html").read_bytes()
        assert (tmp_path / folder / "report.html").read_bytes() == theirs
    weekly = (PROJECT / ".github" / "workflows" / "weekly.yml").read_text()
    for link in re.findall(r'href="([^"]+)"', page):
        assert (tmp_path / link).is_file() or f"logs/site/{link}" in weekly, link


ZIZMOR = Path(sys.executable).with_name("zizmor")


@pytest.mark.skipif(not ZIZMOR.is_file(), reason="no zizmor here: make setup installs it")
def test_zizmor_finds_nothing_in_the_workflows() -> None:
    words = [str(ZIZMOR), "--offline", "--no-progress", "--persona=auditor", ".github"]
    done = subprocess.run(words, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


DOCKERFILE = (PROJECT / "Dockerfile").read_text()


def test_the_container_has_the_oldest_python_that_is_promised() -> None:
    (image,) = re.findall(r"^FROM python:([\d.]+)-slim AS tools$", DOCKERFILE, re.MULTILINE)
    assert METADATA["requires-python"] == f">={image}"
    assert 'CMD ["make", "repro"]' in DOCKERFILE


def test_the_container_s_torch_is_the_pinned_one_without_cuda() -> None:
    assert "ENV CPU=1\n" in DOCKERFILE

    def installed(*settings: str) -> list[str]:
        words = ["make", "--dry-run", "--always-make", "setup", *settings]
        done = subprocess.run(words, cwd=PROJECT, capture_output=True, text=True, check=True)
        return [line for line in done.stdout.splitlines() if "pip install" in line]

    first, *others = installed("CPU=1")
    assert first.endswith("whl/cpu \"$(grep '^torch==' requirements.lock)\"")
    assert others == installed()
    assert len(re.findall("^torch==", (PROJECT / "requirements.lock").read_text(), re.M)) == 1


def test_what_the_dev_container_names_is_there() -> None:
    place = PROJECT / ".devcontainer" / "devcontainer.json"
    told = json.loads(place.read_text())
    build = told["build"]
    assert (place.parent / build["dockerfile"]).resolve() == PROJECT / "Dockerfile"
    assert (place.parent / build["context"]).resolve() == PROJECT
    assert f" AS {build['target']}\n" in DOCKERFILE
    tool, target = told["postCreateCommand"].split()
    assert tool == "make"
    assert f"\n{target}:" in (PROJECT / "Makefile").read_text()


def test_what_git_ignores_is_not_sent_to_the_container() -> None:
    def listed(*files: str) -> set[str]:
        lines = [line for file in files for line in (PROJECT / file).read_text().splitlines()]
        return {line.strip("/") for line in lines if line and not line.startswith("#")}

    sent = listed(".dockerignore")
    patterns = {pattern.removeprefix("**/") for pattern in sent}
    for name in listed(".gitignore"):
        assert name in patterns or name.endswith("_cache"), name
    assert "**/.*_cache" in sent
    assert ".git" not in sent, "verify reads the history"
    assert not sent & {"data", "reports", "src", "data/archives"}


WITHOUT_FORKS = """
import multiprocessing, multiprocessing.context, multiprocessing.reduction, os, sys
multiprocessing.reduction.HAVE_SEND_HANDLE = False  # as under Windows
multiprocessing.context._concrete_contexts.pop("forkserver")
from dropout_bench import engine
if __name__ == "__main__":
    with engine.workers("dropout_bench.streams", count=1) as client:
        assert engine.ask(client, os.getpid) != os.getpid()
    from multiprocessing import forkserver
    assert forkserver._forkserver._forkserver_pid is None
    print("worked")
"""


def test_where_there_is_no_server_of_forks_workers_are_started_without(tmp_path: Path) -> None:
    script = tmp_path / "spawned.py"
    script.write_text(WITHOUT_FORKS)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert done.stdout == "worked\n", done.stderr


def test_actionlint_is_run_where_it_can_be_had() -> None:
    """It comes from PyPI as a download of GitHub's, so that it is no dependency of ours."""
    if tool := shutil.which("actionlint"):
        done = subprocess.run([tool], cwd=PROJECT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
    told = [step.get("run", "") for step in JOBS["ci.yml: check"]["steps"]]
    assert any("/actionlint" in each for each in told)
