"""The pipeline in one go: workers that stages share, and what it says of itself meanwhile."""

import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from conftest import experiment
from dvc.repo import Repo
from dvc.repo.reproduce import get_active_graph, plan_repro
from project import PROJECT, bench, contents, run
from ruamel.yaml import YAML

from dropout_bench import engine, sharing
from dropout_bench.data.arrays import verified_digest
from dropout_bench.errors import BenchError
from dropout_bench.params.file import Params, load_params
from dropout_bench.pipeline import Outlook, duration, place, stages
from dropout_bench.sharing import Lender, Shared, asked
from dropout_bench.training.keys import Identity
from dropout_bench.training.result import CURVES, LAST, RunResult
from dropout_bench.training.store import RunStore


def test_workers_are_started_when_the_first_one_asks_and_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    starts: list[Shared] = []
    over = threading.Event()

    def start() -> Shared:
        starts.append(Shared("tls://127.0.0.1:1", ("authority", "certificate", "key")))
        return starts[0]

    lender = Lender()
    serving = threading.Thread(target=lender.serve, args=(start, over.is_set))
    serving.start()
    lender.wake()  # nobody asks: nothing is over either
    monkeypatch.setenv(sharing.VARIABLE, lender.address)
    assert asked(None) == asked(lender.address) == starts[0]
    assert asked("tcp://127.0.0.1:2") == Shared("tcp://127.0.0.1:2"), "one's own goes first"
    word, _, place = lender.address.removeprefix("ask://").partition("@")
    with pytest.raises(BenchError, match="is gone"):
        asked(f"ask://{'0' * len(word)}@{place}")
    monkeypatch.setattr(sharing, "_code", lambda: "of another day")
    assert asked(None) is None
    assert "the code has changed" in capsys.readouterr().out
    over.set()
    lender.wake()
    serving.join(timeout=10)
    assert not serving.is_alive()
    assert len(starts) == 1
    lender.close()
    with pytest.raises(BenchError, match=r"is gone, and they with it.*repeat it"):
        asked(None)
    monkeypatch.delenv(sharing.VARIABLE)
    assert asked(None) is None


def test_where_nothing_is_to_do_no_worker_starts_and_the_status_is_that_of_dvc(
    tmp_path: Path,
) -> None:
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").write_text("[core]\n    no_scm = True\n    analytics = False\n")
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    script = (
        "import sys; from pathlib import Path; from dropout_bench.pipeline import repro;"
        "print(repro(Path('.'), [*sys.argv[1:]]), 'distributed' in sys.modules)"
    )
    command = [sys.executable, "-c", script]
    assert run(tmp_path, *command).split()[-2:] == ["0", "False"]


@pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")
def test_stages_are_numbered_as_dvc_takes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    params = load_params(PROJECT / Params.file)
    repo = Repo(str(PROJECT))
    graph = get_active_graph(repo.index.graph)
    assert stages(params) == [stage.addressing for stage in plan_repro(graph)]
    repo.close()
    assert place(params) == ""
    monkeypatch.setenv("DVC_STAGE", "../dvc.yaml:code")
    assert place(params) == f"[1 of {len(stages(params))}] "
    monkeypatch.setenv("DVC_STAGE", "something of one's own")
    assert place(params) == ""


def test_an_experiment_is_evaluated_as_soon_as_it_is_trained() -> None:
    params = Params(experiments={"one": experiment(), "other": experiment(dataset="digits")})
    told = stages(params)
    assert told[-5:] == ["train@one", "evaluate@one", "train@other", "evaluate@other", "report"]


def test_the_line_tells_place_and_what_is_left_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.Progress, "place", "[7 of 28] ")
    monkeypatch.setattr(engine.Progress, "outlook", lambda workers: f" · for {workers}")
    progress = engine.Progress("train kinds", 3)
    progress.started(2)
    progress.count(failed=False)
    (line,) = progress.get_renderables()
    assert line.plain.startswith("[7 of 28] train kinds: 1 done, 2 running")
    assert line.plain.endswith("s left · for 2")


def test_what_is_left_is_told_by_what_is_finished(
    tmp_path: Path, raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data" / "raw").mkdir(parents=True)
    shutil.copytree(raw / "mnist", tmp_path / "data" / "raw" / "mnist")
    digest = verified_digest(raw / "mnist")
    small, twice, same = experiment(), experiment(epochs=4), experiment(dropout=[0.5])
    params = Params(experiments={"small": small, "twice": twice, "same": same})
    assert Outlook(tmp_path, params, "small")(1) == " · in all 8 trainings left"
    store = RunStore(tmp_path / "run-store")
    first = Identity.here(small.runs()[0], digest, "cpu")
    store.put(first, RunResult({CURVES: b"", LAST: b""}, "cpu", seconds=66.0))
    # Three of small, shared by another experiment, and four of twice as many epochs.
    left = " · in all 7 trainings left, about 12 min"
    assert Outlook(tmp_path, params, "small")(1) == left
    assert Outlook(tmp_path, params, "small")(2) == left.replace("12", "6")
    monkeypatch.setenv("DROPOUT_BENCH_TARGETS", "evaluate@small train@same")
    assert Outlook(tmp_path, params, "small")(1) == "", "its own line tells it"
    monkeypatch.setenv("DROPOUT_BENCH_TARGETS", "report")
    assert Outlook(tmp_path, params, "small")(1) == left


@pytest.mark.parametrize(
    ("seconds", "told"), [(0.4, "0 s"), (89, "89 s"), (725, "12 min"), (7501, "2 h 05 min")]
)
def test_a_time_is_told_as_one_tells_it(seconds: float, told: str) -> None:
    assert duration(seconds) == told


@pytest.mark.slow
def test_the_whole_pipeline_with_one_start_of_workers_gives_the_same_bytes(
    committed: Path, tmp_path: Path
) -> None:
    root = tmp_path / "p"
    shutil.copytree(committed, root)
    for kept in ("run-store", "runs"):  # or the store would adopt what lies in runs
        shutil.rmtree(root / kept)
    said = bench(root, "repro", "--force", "--workers", "1")
    assert contents(root / "reports") == contents(committed / "reports")
    assert contents(root / "runs") == contents(committed / "runs")
    lines = [line for line in said.splitlines() if re.match(r"\[\d of 7\] [a-z ]+$", line)]
    assert [line[:8] for line in lines] == [f"[{n} of 7]" for n in range(1, 8)]
    assert "[3 of 7] train small: 4 done, 0 running, 0 failed, 0 reused, of 4" in said
    assert "[5 of 7] train inside: 0 done, 0 running, 0 failed, 4 reused, of 4" in said
    assert said.index("small: dropout 0.5 − standard: ") < said.index("[5 of 7]")
    assert "Data and pipelines are up to date." in bench(root, "repro")


WHO = """
import os
from dropout_bench import engine
if __name__ == "__main__":
    with engine.workers("dropout_bench.errors", count=1) as client:
        print("worker", engine.ask(client, os.getpid))
"""


@pytest.mark.slow
def test_two_stages_have_the_same_worker_unless_the_code_changes_between(tmp_path: Path) -> None:
    package = tmp_path / "src" / "dropout_bench"
    shutil.copytree(
        PROJECT / "src" / "dropout_bench", package, ignore=shutil.ignore_patterns("__pycache__")
    )
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "src")}
    (tmp_path / "who.py").write_text(WHO)
    (tmp_path / "params.yaml").write_text("experiments: {}\n")
    run(tmp_path, "dvc", "init", "--no-scm", "-q")
    who, change = f"{sys.executable} who.py", f"echo >> {package / 'errors.py'}"
    commands = {"a": who, "b": who, "c": change, "d": who}
    YAML().dump({"stages": {k: {"cmd": v} for k, v in commands.items()}}, tmp_path / "dvc.yaml")
    script = (
        "import sys; from pathlib import Path; from dropout_bench.pipeline import repro;"
        "sys.exit(repro(Path(), [], 1))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    first, second, third = re.findall(r"worker (\d+)", done.stdout)
    assert first == second != third
    assert done.stdout.count("the code has changed") == 1
