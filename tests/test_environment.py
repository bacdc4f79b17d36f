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


def test_the_environment_is_pinned_before_torch_is_loaded() -> None:
    """And all other libraries import without a warning after it."""
    code = (
        "import dropout_bench, os, torch, torchvision, torchmetrics, lightning;"
        "from dropout_bench import numerics;"
        "print(all(os.environ[k] == v for k, v in numerics.PINNED_ENVIRONMENT.items()),"
        "torch.backends.cpu.get_cpu_capability(), numerics.arithmetic())"
    )
    if numerics.is_pinned():
        assert python(code) == f"True AVX2 {numerics.PORTABLE}"


@pytest.mark.slow
def test_torch_loaded_first_is_no_portable_arithmetic() -> None:
    code = "import torch, dropout_bench; print(dropout_bench.numerics.arithmetic())"
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
