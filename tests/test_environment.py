"""What importing the package does, and what it does not."""

import subprocess
import sys

import pytest

from dropout_bench import numerics


def python(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        env={"PATH": "", **environment},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_environment_is_pinned_where_that_is_asked_for_before_torch_is_loaded() -> None:
    """And all other libraries import without a warning after it."""
    code = (
        "import dropout_bench; dropout_bench.pin_environment();"
        "import os, torch, torchvision, torchmetrics, lightning;"
        "from dropout_bench import numerics;"
        "print(all(os.environ[k] == v for k, v in numerics.PINNED_ENVIRONMENT.items()),"
        "torch.backends.cpu.get_cpu_capability(), numerics.arithmetic())"
    )
    if numerics.is_pinned():
        assert python(code) == f"True AVX2 {numerics.PORTABLE}"


def test_importing_the_package_changes_nothing_of_the_process() -> None:
    code = (
        "import logging, os, sys, threading, warnings\n"
        "def state():\n"
        "    loggers = sorted(logging.root.manager.loggerDict), logging.root.handlers[:]\n"
        "    return dict(os.environ), loggers, threading.active_count(), warnings.filters[:]\n"
        "before = state()\n"
        "import dropout_bench\n"
        "print(state() == before, 'torch' in sys.modules)"
    )
    assert python(code) == "True False"


def test_what_it_offers_leaves_threads_and_arithmetic_of_torch_as_they_are() -> None:
    told = "import os, torch; print(torch.get_num_threads(), {key: os.environ.get(key) for key in"
    told += f" {list(numerics.PINNED_ENVIRONMENT)}}}, torch.backends.cpu.get_cpu_capability())"
    ours = f"from dropout_bench import check_variant, load_run, trial; {told}"
    assert python(ours) == python(told)


@pytest.mark.slow
def test_torch_loaded_first_is_no_portable_arithmetic() -> None:
    code = (
        "import torch, dropout_bench; dropout_bench.pin_environment();"
        "print(dropout_bench.numerics.arithmetic())"
    )
    assert python(code) == numerics.NATIVE


@pytest.mark.slow
@pytest.mark.parametrize("library", ["torchvision", "torchmetrics", "lightning"])
def test_libraries_import_cleanly_after_the_package(library: str) -> None:
    assert python(f"import dropout_bench, {library}; print('ok')") == "ok"


PARTS = (
    "cli", "training.store", "analysis.claims", "report.render", "training.sweep",
    "evaluation.stage", "verify", "compare", "tensorboard.board",
)  # fmt: skip


def test_these_parts_never_load_torch() -> None:
    code = (
        "import importlib, sys\n"
        f"for part in {PARTS}:\n"
        "    importlib.import_module(f'dropout_bench.{part}')\n"
        "    if 'torch' in sys.modules: print(part)"
    )
    assert python(code) == ""
