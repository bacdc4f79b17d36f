"""Several commands at once, and the same command twice: no harm, and the same bytes."""

import shutil
import subprocess
from pathlib import Path

import pytest
from project import contents, edit, git, run

pytestmark = pytest.mark.slow


@pytest.fixture
def project(committed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(committed, tmp_path / "project", symlinks=True))


def start(root: Path, *words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        words, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def reported(root: Path) -> dict[str, str]:
    """What must repeat: the lock and the reports, times apart."""
    files = contents(root / "reports") | {"dvc.lock": (root / "dvc.lock").read_text()}
    return {name: content for name, content in files.items() if "timings" not in name}


def more_epochs(root: Path) -> None:
    edit(root / "params.yaml", lambda text: text.replace("epochs: 2", "epochs: 3"))


def test_forced_lock_and_reports_are_the_same(project: Path, workers: dict[str, str]) -> None:
    before = reported(project)
    for these in (workers, None):
        shutil.rmtree(project / "run-store")
        run(project, "dvc", "repro", "--force", workers=these)
        assert reported(project) == before


def test_two_pipelines_at_once_do_no_harm(
    project: Path, committed: Path, tmp_path: Path, workers: dict[str, str]
) -> None:
    alone = Path(shutil.copytree(committed, tmp_path / "alone", symlinks=True))
    for root in (project, alone):
        more_epochs(root)
    run(alone, "dvc", "repro", workers=workers)
    both = [start(project, "dvc", "repro") for _ in range(2)]
    said = [process.communicate(timeout=300)[0] for process in both]
    assert 0 in [process.returncode for process in both], said
    assert not any("Traceback" in text for text in said), said
    run(project, "dvc", "repro", workers=workers)
    assert reported(project) == reported(alone)


def test_two_sweeps_at_once_do_no_harm(
    project: Path, committed: Path, tmp_path: Path, workers: dict[str, str]
) -> None:
    alone = Path(shutil.copytree(committed, tmp_path / "alone", symlinks=True))
    for root in (project, alone):
        more_epochs(root)
    run(alone, "dropout-bench", "train", "small", workers=workers)
    both = [start(project, "dropout-bench", "train", "small") for _ in range(2)]
    said = [process.communicate(timeout=300)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sum("another sweep of it is under way here; waiting" in text for text in said) == 1
    assert sum("4 done, 0 running, 0 failed, 0 reused, of 4" in text for text in said) == 1
    assert sum("0 done, 0 running, 0 failed, 4 reused, of 4" in text for text in said) == 1
    assert contents(project / "runs") == contents(alone / "runs")


def test_a_sweep_beside_verify_does_no_harm(project: Path) -> None:
    before = reported(project)
    shutil.rmtree(project / "run-store")
    words = ("dropout-bench", "verify", "--sample", "2")
    both = [start(project, "dropout-bench", "train", "small"), start(project, *words)]
    said = [process.communicate(timeout=300)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert reported(project) == before


def test_what_the_cache_of_dvc_lost_is_made_again(project: Path, workers: dict[str, str]) -> None:
    before = reported(project)
    for folder in (".dvc/cache", "runs", "data/raw"):
        shutil.rmtree(project / folder)
    said = run(project, "dvc", "repro", workers=workers)
    assert "0 done, 0 running, 0 failed, 4 reused, of 4" in said
    assert reported(project) == before


def test_after_a_pull_an_added_rate_trains_its_own_alone(
    project: Path, tmp_path: Path, workers: dict[str, str]
) -> None:
    run(project, "dvc", "remote", "add", "--default", "shared", str(tmp_path / "remote"))
    run(project, "dvc", "push")
    git(project, "commit", "-am", "a remote")
    git(tmp_path, "clone", str(project), "clone")
    clone = tmp_path / "clone"
    run(clone, "dvc", "pull")
    edit(clone / "params.yaml", lambda text: text.replace("- 0.5\n", "- 0.5\n    - 0.2\n"))
    said = run(clone, "dvc", "repro", workers=workers)
    assert "train small: 2 done, 0 running, 0 failed, 4 reused, of 6" in said
    assert "train inside: 0 done, 0 running, 0 failed, 6 reused, of 6" in said


def test_a_lock_file_with_conflicts_stops_the_pipeline(project: Path) -> None:
    edit(project / "dvc.lock", lambda text: "<<<<<<< HEAD\n" + text)
    said = run(project, "dvc", "repro", status=255)
    assert "dvc.lock" in said
