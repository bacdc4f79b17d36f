"""A project of one's own, as ``dropout-bench init`` writes it."""

import subprocess
from importlib import util
from pathlib import Path

import pytest
from project import Environment, bench, contents, edit, git, run
from ruamel.yaml import YAML

from dropout_bench._version import __version__
from dropout_bench.analysis.claims import load_claims
from dropout_bench.errors import BenchError
from dropout_bench.init.project import write
from dropout_bench.params.file import load_params


def test_its_files_fit_each_other(tmp_path: Path) -> None:
    write(tmp_path / "mine")
    root = tmp_path / "mine"
    params = load_params(root / "params.yaml")
    claims = load_claims(root / "claims.yaml", params.all_experiments)
    assert claims.claims.keys() == {"dropout-helps"}
    pipeline = YAML(typ="safe").load(root / "dvc.yaml")["stages"]
    datasets = {name for one in params.experiments.values() for name in one.datasets}
    assert set(pipeline["download"]["foreach"]) == datasets
    for stage in ("train", "evaluate"):
        for name in datasets:
            assert f"data/raw/{name}" in pipeline[stage]["do"]["deps"]
    assert (root / "requirements.txt").read_text() == f"dropout-bench=={__version__}\n"
    assert (root / ".github" / "workflows" / "report.yml").is_file()
    assert "/run-store/" in (root / ".gitignore").read_text().splitlines()


def test_its_tables_are_those_that_ours_have(tmp_path: Path) -> None:
    """What ``evaluate`` writes is known to the project's pipeline as to ours."""
    write(tmp_path / "mine")
    theirs, ours = (
        YAML(typ="safe").load(path / "dvc.yaml")["stages"]["evaluate"]["do"]
        for path in (tmp_path / "mine", Path(__file__).parents[1])
    )
    for what in ("outs", "params", "cmd"):
        assert theirs[what] == ours[what]


def test_its_layer_keeps_the_laws(tmp_path: Path) -> None:
    import torch

    write(tmp_path / "mine")
    spec = util.spec_from_file_location("my_dropout", tmp_path / "mine" / "my_dropout.py")
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    x = torch.ones(100, 100)
    layer = module.MyDropout(0.25)
    assert layer(x).mean() == pytest.approx(1.0, abs=0.05)
    assert torch.equal(layer.eval()(x), x)
    assert torch.equal(module.MyDropout(0.0)(x), x)


@pytest.mark.parametrize("what", ["a file in it", "a hidden file in it", "a file of the name"])
def test_a_folder_that_has_something_is_left_as_it_is(what: str, tmp_path: Path) -> None:
    place = tmp_path / "mine"
    if what == "a file of the name":
        place.write_text("dear to me")
    else:
        place.mkdir()
        (place / (".hidden" if "hidden" in what else "seen")).write_text("dear to me")
    before = contents(tmp_path)
    with pytest.raises(BenchError, match="name a folder that is new, or empty"):
        write(place)
    assert contents(tmp_path) == before


def test_an_empty_folder_and_the_one_that_one_stands_in_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path / "mine")
    assert Path("params.yaml") in write(Path())
    assert (tmp_path / "mine" / "params.yaml").is_file()


@pytest.mark.slow
def test_in_it_dvc_makes_a_report_that_belongs_to_it(tmp_path: Path, workers: Environment) -> None:
    bench(tmp_path, "init", "mine")
    root = tmp_path / "mine"
    edit(root / "params.yaml", lambda text: text.replace("draws: 12", "draws: 2"))
    git(root, "init", "--initial-branch", "main")
    run(root, "dvc", "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-m", "a claim")
    run(root, "dvc", "repro", workers=workers)
    assert (
        "With few digits dropout raises the test accuracy"
        in (root / "reports" / "report.md").read_text()
    )
    git(root, "add", "-A")
    git(root, "commit", "-m", "a report")
    assert "DIFFERS" not in bench(root, "verify", "--sample", "1", workers=workers)
    status = subprocess.run(
        ["git", "status", "--short"], cwd=root, capture_output=True, text=True, check=True
    )
    assert status.stdout == ""
    assert "up to date" in run(root, "dvc", "repro")
