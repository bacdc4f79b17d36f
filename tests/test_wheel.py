"""The wheel, installed outside the clone, is enough to try one's own data."""

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import numpy as np
import pytest
from project import PROJECT

from dropout_bench.errors import BenchError
from dropout_bench.trials import place


def test_in_the_clone_its_own_tables_are_compared_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT / "docs")
    assert place.tables() == PROJECT
    assert place.home() == PROJECT


def test_outside_the_wheels_own_tables_are_found_and_the_users_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    carried = tmp_path / "lib" / "site" / "dropout_bench" / "carried"
    monkeypatch.setattr(place, "_PACKAGE", carried.parent)
    monkeypatch.setattr(place, "_CARRIED", carried)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text("lr: 0.1\n")  # another project's
    assert place.home() == tmp_path / "cache" / "dropout-bench"
    with pytest.raises(BenchError, match="install dropout-bench again"):
        place.tables()
    (carried / place.KINDS).mkdir(parents=True)
    (carried / place.KINDS / "runs.csv").touch()
    (carried / "params.yaml").touch()
    assert place.tables() == carried


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    words = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    _call(folder, sys.executable, "-m", "pip", *words, "-w", ".", str(PROJECT))
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def outside(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment with the wheel, which sees the libraries that are installed here."""
    root = tmp_path_factory.mktemp("outside")
    _call(root, sys.executable, "-m", "venv", "--without-pip", "venv")
    site = Path(sysconfig.get_path("purelib", vars={"base": str(root / "venv")}))
    libraries = [path for path in sys.path if path.endswith("site-packages")]
    (site / "libraries.pth").write_text("".join(f"{path}\n" for path in libraries))
    words = ["--python", "venv/bin/python", "install", "--quiet", "--no-deps", "--no-index"]
    _call(root, sys.executable, "-m", "pip", *words, str(wheel))
    return root


def _call(folder: Path, *words: str) -> str:
    """Run a command that finds nothing of the clone in its environment."""
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    clean |= {"HOME": str(folder), "XDG_CACHE_HOME": str(folder / "cache")}
    done = subprocess.run(
        words, cwd=folder, env=clean, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_it_carries_what_is_compared_with_and_no_test(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (about,) = (name for name in names if name.endswith("METADATA"))
        told = archive.read(about).decode()
    carried = {name.partition("carried/")[2] for name in names if "/carried/" in name}
    kinds = {f"reports/results/kinds/{p.name}" for p in (PROJECT / place.KINDS).iterdir()}
    assert carried == {"params.yaml", "claims.yaml", *kinds}
    assert {"dropout_bench/py.typed", "dropout_bench/init/template/my_dropout.py.in"} <= names
    assert {name.partition("/")[0] for name in names} == {"dropout_bench", about.partition("/")[0]}
    assert "Requires-Dist: torch>=" in told
    assert "License-Expression: MIT" in told
    assert "Typing :: Typed" in told
    assert wheel.stat().st_size < 2**20


@pytest.mark.slow
def test_from_any_folder_a_table_is_tried_and_a_project_begun(outside: Path) -> None:
    python, command = (str(outside / "venv" / "bin" / name) for name in ("python", "dropout-bench"))
    where = "import dropout_bench.trials.place as p; print(p.__file__); print(p.tables())"
    file, tables = _call(outside, python, "-c", where).split()
    assert file.startswith(str(outside / "venv"))
    assert tables.startswith(str(outside / "venv"))
    random = np.random.default_rng(0)
    y = np.arange(60) % 2
    np.savez(outside / "mine.npz", X=random.normal(size=(60, 3)) + y[:, None], y=y)
    words = ("--data", "mine.npz", "--hidden", "8", "--rates", "0.5", "--draws", "2")
    said = _call(outside, command, "try", *words)
    assert "On your data dropout 0.5" in said.replace("\n", " ")
    assert (outside / "trials" / "mine" / "index.html").is_file()
    assert len(list((outside / "cache" / "dropout-bench").rglob("*.json"))) == 4
    _call(outside, command, "init", "project")
    _call(outside / "project", command, "download", "digits")
    assert (outside / "project" / "data" / "raw" / "digits").is_dir()
