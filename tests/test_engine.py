"""How far a sweep is, told in one line."""

import os
import pty
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from dropout_bench import engine

SWEEP = """
import time
from dropout_bench import engine
engine._LOG_EVERY, engine._PULSE = 0.1, 0.5
with engine.Progress("train x", 5, reused=1) as progress:
    progress.started(2)
    for number in range(4):
        time.sleep(0.25)
        progress.count(failed=number == 1)
    time.sleep(1.2)
"""


def test_a_log_has_plain_lines_and_signs_of_life() -> None:
    said = subprocess.run([sys.executable, "-c", SWEEP], capture_output=True, text=True, check=True)
    lines = said.stdout.splitlines()
    assert "\x1b" not in said.stdout
    assert "\r" not in said.stdout
    assert lines[0].startswith("train x: 0 done, ")
    assert re.search(
        r"1 done, 2 running, 1 failed, 1 reused, of 5 · [0-9.]+ runs/s · \d s left", said.stdout
    )
    last = re.compile(
        r"train x: 3 done, 0 running, 1 failed, 1 reused, of 5 · [0-9.]+ runs/s · \d s"
    )
    assert last.fullmatch(lines[-1].rstrip())
    assert sum(bool(last.match(line)) for line in lines) >= 3, "told again while nothing happens"


def test_a_terminal_has_one_line_that_is_kept_in_place() -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", SWEEP], stdout=theirs, env=os.environ | {"TERM": "xterm"}
    ):
        os.close(theirs)
        said = b""
        try:
            while block := os.read(ours, 65536):
                said += block
        except OSError:  # the other end is closed
            pass
    os.close(ours)
    text = said.decode()
    assert text.count("\n") == 1
    assert text.count("\r\x1b[2K") > 3, "written over"
    assert "3 done, 0 running, 1 failed, 1 reused, of 5" in text


@pytest.mark.slow
def test_nobody_runs_anything_in_local_workers_but_who_has_their_keys() -> None:
    stranger = (
        "import sys; from dropout_bench import engine\n"
        "with engine.workers('json', sys.argv[1]) as client: print(engine.ask(client, int))"
    )
    with engine.workers("json", count=1) as client:
        shared = engine.shared_by(client)
        assert len(shared.keys) == 3
        for address in (shared.scheduler, shared.scheduler.replace("tls://", "tcp://")):
            done = subprocess.run(
                [sys.executable, "-c", stranger, address], capture_output=True, text=True
            )
            assert "no Dask scheduler answers at" in done.stderr
            assert done.returncode, "as another user's process"
        with engine.workers("json", shared.scheduler) as ours:
            assert engine.ask(ours, int) == 0


def test_before_workers_are_there_nothing_is_promised() -> None:
    (line,) = engine.Progress("train x", 5).get_renderables()
    assert line.plain == "train x: 0 done, 0 running, 0 failed, 0 reused, of 5"


def test_only_what_dvc_called_is_watched() -> None:
    """A parent starts a child that watches, and is gone; the child says whether it still lives."""
    with ThreadPoolExecutor() as both:
        said = dict(zip(VARIABLES, both.map(orphan_says, VARIABLES), strict=True))
    assert said == {"DVC_STAGE": "here", "OTHER": "here still here"}


VARIABLES = ("DVC_STAGE", "OTHER")


def orphan_says(variable: str) -> str:
    child = (
        "import time; from dropout_bench import engine; engine._stop_with_dvc();"
        "print('here', flush=True); time.sleep(3); print('still here')"
    )
    parent = (
        f"import os, subprocess, sys; os.environ[{variable!r}] = 'train';"
        f"child = subprocess.Popen([sys.executable, '-c', {child!r}], stdout=subprocess.PIPE);"
        "print(child.stdout.readline().decode(), flush=True);"
        "subprocess.Popen(['cat'], stdin=child.stdout); os._exit(0)"
    )
    done = subprocess.run([sys.executable, "-c", parent], capture_output=True, text=True)
    return " ".join(done.stdout.split())
