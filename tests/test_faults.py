"""Whatever dies, and whenever: what was finished is kept, and the end has the same bytes."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from conftest import experiment, one_run
from project import SETTINGS, bench, contents, run, wait_for, write_project
from ruamel.yaml import YAML

from dropout_bench import engine
from dropout_bench.data.download import Source
from dropout_bench.errors import BenchError
from dropout_bench.training.keys import Identity
from dropout_bench.training.store import RunStore
from dropout_bench.training.sweep import _train, sweep

# Eight runs of a second or so: long enough to be killed in the middle.
LONG = SETTINGS | {"epochs": 60, "seeds": [0, 1, 2, 3], "keep_every_epoch": False}
COUNTS = re.compile(r"(\d+) done, 0 running, (\d+) failed, (\d+) reused, of 8")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """All bytes of a sweep that nothing disturbed."""
    root = write_project(tmp_path_factory.mktemp("undisturbed"), long=LONG)
    bench(root, "train", "long")
    return contents(root / "runs")


def stored(root: Path) -> int:
    return len(list((root / "run-store").glob("[!.]*/entry.json")))


@contextmanager
def started(root: Path, *words: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Start a command in a process group of its own, as a shell does."""
    process = subprocess.Popen(
        words,
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env=os.environ | environment,
    )
    try:
        yield process
    finally:
        for one in family(process):
            one.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def family(process: subprocess.Popen[str]) -> list[psutil.Process]:
    if process.poll() is not None:
        return []
    one = psutil.Process(process.pid)
    return [one, *one.children(recursive=True)]


def said_by(process: subprocess.Popen[str]) -> str:
    return process.communicate(timeout=300)[0]


def finish(root: Path) -> tuple[int, int]:
    """Train what is missing; return how many were trained and how many reused."""
    match = COUNTS.findall(bench(root, "train", "long"))[-1]
    assert match[1] == "0"
    return int(match[0]), int(match[2])


def end(
    process: subprocess.Popen[str],
    how: signal.Signals,
    members: Sequence[psutil.Process],
    alone: bool,
) -> str:
    """Send a signal to a process alone, or to its whole group; return what it said.

    It ends as the signal has it, and leaves none of the members of its family behind.
    """
    if alone:
        process.send_signal(how)
    else:
        os.killpg(process.pid, how)
    said = said_by(process)
    _, alive = psutil.wait_procs(members, timeout=60)
    assert not alive, "processes left behind"
    assert process.returncode == (128 + how if how != signal.SIGKILL else -how)
    return said


@pytest.mark.slow
@pytest.mark.parametrize("whom", ["the driver", "its whole group, as Ctrl-C does"])
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_sweep_that_is_stopped_goes_on_where_it_was(
    how: signal.Signals, whom: str, tmp_path: Path, undisturbed: dict[str, str]
) -> None:
    root = write_project(tmp_path / "p", long=LONG)
    with started(root, "dropout-bench", "train", "long") as process:
        wait_for(lambda: stored(root) >= 2)
        members = family(process)
        assert len(members) >= 3, "no workers"
        said = end(process, how, members, alone=whom == "the driver")
    if how != signal.SIGKILL:
        assert f"dropout-bench: stopped by {how.name}" in said
    assert "Traceback" not in said
    assert not (root / "runs").exists() or not list((root / "runs").glob("[!.]*"))

    kept = stored(root)
    assert 2 <= kept < 8
    assert finish(root) == (8 - kept, kept)
    assert contents(root / "runs") == undisturbed


@pytest.mark.slow
def test_a_sweep_in_the_background_outlives_its_shell(
    tmp_path: Path, undisturbed: dict[str, str]
) -> None:
    root = write_project(tmp_path / "p", long=LONG)
    (log := root / "nohup.out").touch()
    with started(root, "sh", "-c", f"nohup dropout-bench train long > {log} 2>&1 &") as shell:
        assert shell.wait(timeout=60) == 0
    wait_for(lambda: "8 done, 0 running, 0 failed" in log.read_text(), seconds=120)
    wait_for(lambda: (root / "runs" / "long").is_dir())
    assert contents(root / "runs") == undisturbed


@pytest.mark.slow
@pytest.mark.parametrize("shell", ["/bin/sh", "/bin/bash"])
def test_a_dvc_that_is_killed_takes_its_command_along(tmp_path: Path, shell: str) -> None:
    root = write_project(tmp_path / "p", long=LONG | {"epochs": 600})
    run(root, "dvc", "init", "--no-scm", "-q")
    YAML().dump({"stages": {"train": {"cmd": "dropout-bench train long"}}}, root / "dvc.yaml")
    with started(root, "dvc", "repro", SHELL=shell) as process:
        wait_for(lambda: stored(root) >= 1)
        members = family(process)[1:]
        process.kill()
        _, alive = psutil.wait_procs(members, timeout=60)
    assert not alive, "processes left behind"
    assert stored(root) < 8


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "whom"),
    [
        (signal.SIGTERM, "the parent"),
        (signal.SIGKILL, "the parent"),
        (signal.SIGINT, "its whole group, as Ctrl-C does"),
        (signal.SIGKILL, "its whole group"),
    ],
)
def test_shared_workers_and_the_stage_they_work_for_end_with_their_parent(
    how: signal.Signals, whom: str, tmp_path: Path
) -> None:
    root = write_project(tmp_path / "p", long=LONG | {"epochs": 600})
    run(root, "dvc", "init", "--no-scm", "-q")
    YAML().dump({"stages": {"train": {"cmd": "dropout-bench train long"}}}, root / "dvc.yaml")
    with started(root, "dropout-bench", "repro", "--workers", "1") as process:
        wait_for(lambda: stored(root) >= 1)
        members = family(process)
        assert len(members) >= 5, "DVC, its stage, a worker"
        said = end(process, how, members, alone=whom == "the parent")
    assert "Traceback" not in said
    if how == signal.SIGKILL and whom == "the parent":
        assert "the Dask scheduler is gone; what is finished is kept" in said
    assert 1 <= stored(root) < 8


@pytest.mark.slow
def test_ctrl_c_twice_ends_at_once_and_without_a_trace(tmp_path: Path) -> None:
    root = write_project(tmp_path / "p", long=LONG | {"epochs": 600})
    with started(root, "dropout-bench", "train", "long") as process:
        wait_for(lambda: len(family(process)) >= 3)  # workers are being started
        members = family(process)
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        # A line of progress may have come before.
        assert any("stopped by SIGINT" in line for line in iter(process.stdout.readline, ""))
        process.send_signal(signal.SIGINT)
        said = said_by(process)
        _, alive = psutil.wait_procs(members, timeout=60)
    assert process.returncode == 128 + signal.SIGINT
    assert "Traceback" not in said
    assert not alive, "processes left behind"


@pytest.mark.slow
@pytest.mark.parametrize("which", ["worker", "what workers are forked from"])
def test_a_killed_worker_costs_nothing_but_time(
    which: str, tmp_path: Path, undisturbed: dict[str, str]
) -> None:
    root = write_project(tmp_path / "p", long=LONG)
    with started(root, "dropout-bench", "train", "long", "--workers", "2") as process:
        wait_for(lambda: stored(root) >= 2)
        (forked_from,) = (one for one in psutil.Process(process.pid).children() if one.children())
        killed = forked_from.children()[0] if which == "worker" else forked_from
        killed.kill()
        said = said_by(process)
    assert process.returncode == 0, said
    assert "8 done, 0 running, 0 failed" in said
    assert contents(root / "runs") == undisturbed


@pytest.mark.slow
def test_a_job_that_always_kills_its_worker_fails_alone() -> None:
    def job(deadly: bool) -> str:
        if deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        return "done"

    jobs = {"deadly": (True,), "first": (False,), "second": (False,)}
    with engine.workers("dropout_bench.errors", count=2) as client:
        progress = engine.Progress("test", len(jobs))
        outcomes = dict(engine.done(client, job, jobs, progress))
    assert outcomes["first"] == outcomes["second"] == "done"
    assert isinstance(outcomes["deadly"], BaseException)
    assert "ended the worker process 4 times" in engine.told(outcomes["deadly"])
    assert (progress.done, progress.failed) == (2, 1)


@pytest.mark.slow
def test_a_result_that_is_lost_before_it_is_fetched_is_computed_again(tmp_path: Path) -> None:
    def job(name: str) -> str:
        again = (tmp_path / name).exists()
        with (tmp_path / name).open("a") as file:
            file.write(f"{os.getpid()}\n")
        time.sleep(2 if again else 0)
        return name

    jobs = {name: (name,) for name in ("first", "second")}
    with engine.workers("dropout_bench.errors", count=2) as client:
        outcomes = engine.done(client, job, jobs, engine.Progress("test", len(jobs)))
        fetched, _ = next(outcomes)
        (other,) = set(jobs) - {fetched}
        wait_for(lambda: {state.status for state in client.futures.values()} == {"finished"})
        time.sleep(0.5)  # told to whoever waits for it
        os.kill(int((tmp_path / other).read_text()), signal.SIGKILL)
        wait_for(lambda: len((tmp_path / other).read_text().split()) == 2)
        assert list(outcomes) == [(other, other)]


@pytest.mark.slow
@pytest.mark.skipif(
    shutil.which("unshare") is None
    or subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode != 0,
    reason="a small disk of one's own needs user namespaces",
)
def test_a_full_disk_stops_the_sweep_and_loses_nothing(
    tmp_path: Path, undisturbed: dict[str, str]
) -> None:
    """The store is on a disk with room for a few runs; what fits is moved to a larger one."""
    root = write_project(tmp_path / "p", long=LONG)
    (disk := root / "run-store").mkdir()
    kept = tmp_path / "kept"
    script = (
        f"mount -t tmpfs -o size=400k none '{disk}' && dropout-bench train long; status=$?; "
        f"cp -r '{disk}' '{kept}'; exit $status"
    )
    with started(root, "unshare", "-rm", "sh", "-c", script) as process:
        said = said_by(process)
    assert process.returncode == 1, said
    assert "No space left on device" in said
    assert "Traceback" not in said
    assert not list(kept.glob(".*")), "something half-written is left"
    disk.rmdir()
    kept.rename(disk)
    count = stored(root)
    assert 0 < count < 8
    assert finish(root) == (8 - count, count)
    assert contents(root / "runs") == undisturbed


@contextmanager
def cluster(tmp_path: Path, workers: list[list[str]]) -> Iterator[tuple[str, list[int]]]:
    """A scheduler and workers started from the command line, as on two nodes."""
    told = tmp_path / "scheduler.json"
    scheduler = ["dask", "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
                 "--scheduler-file", str(told)]  # fmt: skip
    ids = []
    with started(tmp_path, *scheduler) as process:
        wait_for(lambda: told.exists() and bool(told.read_text()))
        address = json.loads(told.read_text())["address"]
        worker = ["dask", "worker", address, "--host", "127.0.0.1", "--no-dashboard"]
        processes = []
        for number, options in enumerate(workers):
            (folder := tmp_path / f"node{number}").mkdir()
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            processes.append(
                subprocess.Popen([*worker, *options], cwd=folder, start_new_session=True, **quiet)  # type: ignore[call-overload]
            )
        ids = [process.pid, *(one.pid for one in processes)]
        try:
            yield address, ids
        finally:
            for one in processes:
                os.killpg(one.pid, signal.SIGKILL)
                one.wait()


def worker_process(pid: int) -> psutil.Process:
    """The process that computes, of a ``dask worker`` command and its nanny."""
    return max(psutil.Process(pid).children(recursive=True), key=lambda one: one.memory_info().rss)


@pytest.mark.slow
def test_two_workers_beside_a_scheduler_give_the_same_bytes_and_one_may_be_killed(
    tmp_path: Path, undisturbed: dict[str, str]
) -> None:
    root = write_project(tmp_path / "p", long=LONG)
    one_thread = ["--nthreads", "1"]
    with (
        cluster(tmp_path, [one_thread, one_thread]) as (address, (_, first, _)),
        started(root, "dropout-bench", "train", "long", "--scheduler", address) as process,
    ):
        wait_for(lambda: stored(root) >= 2)
        worker_process(first).kill()
        said = said_by(process)
    assert process.returncode == 0, said
    assert "8 done, 0 running, 0 failed" in said
    assert contents(root / "runs") == undisturbed


@pytest.mark.slow
def test_a_worker_with_several_threads_trains_one_run_at_a_time(
    tmp_path: Path, undisturbed: dict[str, str]
) -> None:
    root = write_project(tmp_path / "p", long=LONG)
    with cluster(tmp_path, [["--nthreads", "4"]]) as (address, _):
        bench(root, "train", "long", "--scheduler", address)
    assert contents(root / "runs") == undisturbed


@pytest.mark.slow
def test_a_scheduler_that_dies_is_told_and_what_is_finished_is_kept(
    tmp_path: Path, undisturbed: dict[str, str]
) -> None:
    root = write_project(tmp_path / "p", long=LONG)
    with (
        cluster(tmp_path, [["--nthreads", "1"]]) as (address, (scheduler, _)),
        started(root, "dropout-bench", "train", "long", "--scheduler", address) as process,
    ):
        wait_for(lambda: stored(root) >= 1)
        os.kill(scheduler, signal.SIGKILL)
        said = said_by(process)
    assert process.returncode == 1, said
    assert "the Dask scheduler is gone" in said
    assert "Traceback" not in said
    kept = stored(root)
    assert finish(root) == (8 - kept, kept)
    assert contents(root / "runs") == undisturbed


@pytest.mark.slow
def test_no_scheduler_at_the_address_is_told(tmp_path: Path) -> None:
    root = write_project(tmp_path / "p", long=LONG)
    said = bench(root, "train", "long", "--scheduler", "tcp://127.0.0.1:9", status=1)
    assert "no Dask scheduler answers at tcp://127.0.0.1:9" in said


def test_options_that_a_variant_does_not_have_are_told_before_anything_trains(
    tmp_path: Path,
) -> None:
    settings = experiment(own={"beta": 1})
    with pytest.raises(BenchError) as caught:
        sweep("small", settings, tmp_path, {}, RunStore(tmp_path / "run-store"))
    assert "experiments.small.own, variant dropout: " in str(caught.value)
    assert 'unknown key "beta"' in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_worker_unlike_the_others_trains_nothing(raw: Path, tmp_path: Path) -> None:
    source = Source("mnist", raw, "digest")
    libraries = (("torch", "0.0"),)
    wanted = Identity(one_run(), "digest", "another device", "other code", libraries)
    with pytest.raises(BenchError, match=r"another device.*other code.*torch"):
        _train(wanted, source, False, "run", tmp_path, None)


def test_a_worker_without_the_data_gets_it_once_and_checks_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dropout_bench.data.download import download

    download("digits", tmp_path / "project" / "data" / "raw", lambda _: None)
    source = Source.of("digits", tmp_path / "project")
    assert source.at_hand() == tmp_path / "project" / "data" / "raw"

    (tmp_path / "project").rename(tmp_path / "on another machine")
    monkeypatch.setenv("DROPOUT_BENCH_DATA", str(tmp_path / "node"))
    assert source.at_hand() == tmp_path / "node"
    assert contents(tmp_path / "node" / "digits") == contents(
        tmp_path / "on another machine" / "data" / "raw" / "digits"
    )
    other = Source("digits", source.raw, "another digest")
    with pytest.raises(BenchError, match="not the dataset that the caller has"):
        other.at_hand()


@pytest.mark.slow
def test_runs_of_a_long_sweep_do_not_pile_up_in_memory(raw: Path) -> None:
    """Resident memory after the twelfth run is that after the fourth, within a few MB."""
    script = f"""
import psutil
from pathlib import Path
from conftest import experiment, one_run
from dropout_bench.engine import _do
from dropout_bench.training.run import train
sizes = []
for _ in range(12):
    _do(train, one_run(), Path({str(raw)!r}))
    sizes.append(psutil.Process().memory_info().rss / 2**20)
print(sizes[11] - sizes[3])
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert float(done.stdout) < 5
