"""Small projects, and what tests do with them."""

import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from conftest import make_dataset
from ruamel.yaml import YAML

PROJECT = Path(__file__).parents[1]

Environment = Mapping[str, str]
"""What a command is to find in its environment: see ``workers`` in conftest.py."""

SETTINGS = {
    "dataset": "mnist",
    "train_size": 200,
    "validation": 0.2,
    "hidden": [16, 8],
    "variants": ["dropout"],
    "dropout": [0.0, 0.5],
    "learning_rate": 1e-2,
    "batch_size": 32,
    "epochs": 2,
    "seeds": [0, 1],
    "keep_every_epoch": True,
}
LAYERWISE = SETTINGS | {"dropout": [0.0, "0.5/0.3"], "keep_every_epoch": False}
PUBLISHED = {
    "title": "A small question",
    "source": "nobody",
    "says": "Nothing.",
    "figures": [
        {"cell": "standard", "metric": "test/accuracy", "by_epoch": [0.0, 1.0]},
        {"cell": "dropout 0.5", "metric": "test/loss", "value": 1.0},
        {"cell": "dropout 0.5", "metric": "seconds", "value": 1.0},
    ],
}

COMPARED = {"of": "dropout 0.5", "than": "standard"}
CLAIMS = {
    "published": {"small": PUBLISHED},
    "sources": {"nobody": "a made-up source"},
    "claims": {
        "fits-less": {
            "source": "nobody",
            "says": "With dropout the training loss stays higher.",
            "experiment": "small",
            "contradicts": ["fits-more"],
            "checks": [COMPARED | {"metric": "train/loss", "is": "higher"}],
        },
        "fits-more": {
            "source": "nobody",
            "says": "With dropout the training loss is lower.",
            "experiment": "small",
            "checks": [COMPARED | {"metric": "train/loss", "epoch": 1, "is": "lower"}],
        },
    },
    "timed": {
        "as-fast": {
            "source": "nobody",
            "says": "It takes as long.",
            "experiment": "small",
            "checks": [COMPARED | {"metric": "log-seconds", "is": "equal", "margin": 2.0}],
        }
    },
}


DIGITS = SETTINGS | {
    "dataset": "digits",
    "train_size": 300,
    "checkpoint": "best",
    "measures": ["reliability", "examples"],
}
INSIDE = DIGITS | {
    "checkpoint": "last", "keep_every_epoch": False, "measures": ["activations", "examples"],
}  # fmt: skip
"""Runs that it shares with the one before, evaluated otherwise."""


def write_project(root: Path, **experiments: object) -> Path:
    """Make a project with data, parameters and claims, for the commands; it has no DVC."""
    (root / "data" / "raw").mkdir(parents=True)
    make_dataset(root / "data" / "raw" / "mnist")
    named = {name.replace("_", "-"): settings for name, settings in experiments.items()}
    YAML().dump({"experiments": named}, root / "params.yaml")
    YAML().dump(CLAIMS if "small" in experiments else {}, root / "claims.yaml")
    return root


def commit_a_report(root: Path, name: str, workers: Environment, **others: object) -> None:
    """Make a project with a pipeline like ours, run it and commit; ``name`` is what claims say."""
    YAML().dump({"experiments": {name: DIGITS, **others}}, root / "params.yaml")
    text = io.StringIO()
    YAML().dump(CLAIMS, text)
    (root / "claims.yaml").write_text(re.sub(r"\bsmall\b(?! question)", name, text.getvalue()))
    (root / "data" / "archives" / "Digits").mkdir(parents=True)
    (root / "data" / "archives" / "Digits" / "none").touch()
    (root / "dvc.yaml").write_text(pipeline_of_digits())
    shutil.copy(PROJECT / "requirements.lock", root)
    shutil.copytree(
        PROJECT / "src", root / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
    )
    for file in (".gitignore", ".dvcignore"):
        shutil.copy(PROJECT / file, root)
    git(root, "init", "--initial-branch", "main")
    run(root, "dvc", "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-m", "claims, before their runs")
    run(root, "dvc", "repro", workers=workers)
    git(root, "add", "-A")
    git(root, "commit", "-m", "a report")


def pipeline_of_digits() -> str:
    """Our pipeline, with the digits for its only data."""
    pipeline = (PROJECT / "dvc.yaml").read_text()
    pipeline = re.sub(r"foreach: \{ mnist: .*", "foreach: { digits: Digits }", pipeline)
    pipeline = pipeline.replace("        - data/raw/fashion-mnist\n", "")
    pipeline = pipeline.replace("data/raw/mnist", "data/raw/digits")
    return pipeline.partition("# What `dvc plots show`")[0]


@contextmanager
def shared_workers() -> Iterator[dict[str, str]]:
    """Start worker processes for commands to share; say where, as an environment for these."""
    code = (
        "import sys, threading; from dropout_bench import engine, sharing\n"
        "lender, over = sharing.Lender(), threading.Event()\n"
        "def wait(): sys.stdin.read(); over.set(); lender.wake()\n"
        'with engine.workers("dropout_bench.training.run", count=2) as client:\n'
        "    print(lender.address, flush=True)\n"
        "    threading.Thread(target=wait).start()\n"
        "    lender.serve(lambda: engine.shared_by(client), over.is_set)\n"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield {"DROPOUT_BENCH_SCHEDULER": process.stdout.readline().strip()}
        finally:
            process.stdin.close()  # it ends


def run(root: Path, *words: str, status: int = 0, workers: Environment | None = None) -> str:
    """Run a command to its end, by shared workers or by its own; return what it said."""
    done = subprocess.run(
        words,
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, **(workers or {})},
    )
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def bench(root: Path, *words: str, status: int = 0, workers: Environment | None = None) -> str:
    """Run one of our commands."""
    return run(root, "dropout-bench", *words, status=status, workers=workers)


def git(root: Path, *words: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *words],
        cwd=root,
        check=True,
        capture_output=True,
    )


def contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def edit(path: Path, change: Callable[[str], str]) -> None:
    before = path.read_text()
    after = change(before)
    assert after != before
    path.write_text(after)


def wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
