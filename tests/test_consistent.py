"""Forged tables, pipelines and folders are found without data and without training."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from dvc.repo import Repo
from project import DIGITS, INSIDE, edit, pipeline_of_digits
from ruamel.yaml import YAML

from dropout_bench.data.download import Source, download
from dropout_bench.evaluation.pictures import examples
from dropout_bench.init.project import write as write_project
from dropout_bench.params.file import Params, load_params
from dropout_bench.tables.write import Told, write_tables
from dropout_bench.training.keys import library_versions
from dropout_bench.verify import consistent, expected, near
from dropout_bench.verify.draw import distinct_runs
from dropout_bench.verify.findings import Finding, Outcome, as_json, outcome
from dropout_bench.verify.trained_again import Machine, _again, _otherwise, _source

EXPERIMENTS = {"small": DIGITS, "inside": INSIDE}
PORTABLE = "CPU, oneDNN-AVX2"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with the tables of two experiments that share their runs; not to be changed."""
    root = tmp_path_factory.mktemp("made")
    YAML().dump({"experiments": EXPERIMENTS}, root / "params.yaml")
    raw = root / "data" / "raw"
    download("digits", raw, say=lambda _: None)
    source = Source.of("digits", root)
    suite = load_params(root / "params.yaml").suites[""]
    told: dict[str, list[Told]] = {name: [] for name in suite.experiments}
    for places in distinct_runs([suite]).values():
        for place, again in zip(places, _again(places, source, None), strict=True):
            assert again.evaluation is not None
            told[place.name].append(Told(again.trained, again.evaluation))
    about = {"data": f"digits {source.digest}", "device": PORTABLE, "torchvision": "0.28.0"}
    for name, experiment in suite.experiments.items():
        folder = root / "reports" / "results" / name
        folder.mkdir(parents=True)
        predicted = {one.trained.job: one.evaluation.predicted for one in told[name]}
        pictures = list(examples(experiment, predicted, raw))
        trained = [one.trained for one in told[name]]
        versions = about | library_versions()
        write_tables(folder, name, experiment, trained, told[name], pictures, versions)
    return root


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    """The same without data, to be changed."""
    shutil.copytree(made / "reports", tmp_path / "reports")
    shutil.copy(made / "params.yaml", tmp_path)
    return tmp_path


def differing(findings: Iterator[Finding]) -> list[str]:
    return [f"{finding.place}: {finding.told}" for finding in findings if not finding.holds]


def of_tables(root: Path) -> list[str]:
    return differing(consistent.tables(root, [load_params(root / "params.yaml").suites[""]]))


def of_versions(root: Path) -> list[str]:
    return differing(expected.versions(root, [load_params(root / "params.yaml").suites[""]]))


def of_files(root: Path) -> list[str]:
    suites = load_params(root / "params.yaml").suites.values()
    return differing(expected.files(root, next(iter(suites)), suites, lambda path: False))


def test_true_tables_hold(root: Path) -> None:
    assert not of_tables(root)
    assert not of_versions(root)
    assert not of_files(root)


def cell(table: str, column: str, value: object, row: int = 2, name: str = "small") -> object:
    def forge(root: Path) -> None:
        path = root / "reports" / "results" / name / f"{table}.csv"
        rows = pd.read_csv(path, dtype=str, keep_default_na=False)
        rows.loc[row, column] = str(value)
        rows.to_csv(path, index=False, lineterminator="\n")

    return forge


def swap_confusion(root: Path) -> None:
    """An image more on the diagonal, one fewer beside it: its row keeps its sum."""
    path = root / "reports" / "results" / "small" / "confusion.csv"
    rows = pd.read_csv(path)
    wrong = rows[(rows["true"] != rows["predicted"]) & (rows["images"] > 0)].index[0]
    right = rows[(rows["true"] == rows["true"][wrong]) & (rows["true"] == rows["predicted"])].index
    rows.loc[wrong, "images"] -= 1
    rows.loc[right[0], "images"] += 1
    rows.to_csv(path, index=False)


FORGED: dict[str, tuple[object, str]] = {
    "an accuracy": (cell("runs", "test/accuracy", 0.9999), "small/confusion.csv: "),
    "an accuracy that no images give": (cell("runs", "val/accuracy", 0.77), "not so many of"),
    "a loss": (cell("runs", "test/loss", 0.01), "test/loss differs within weights"),
    "no epochs": (cell("runs", "epochs", ""), "small/runs.csv: damaged"),
    "a thousand million epochs": (cell("runs", "epochs", 10**9), "small/runs.csv: damaged"),
    "a limit": (cell("runs", "limit", 1), "params.yaml gives 2"),
    "parameters": (cell("runs", "parameters", 7), "1266 are right"),
    "a rate": (cell("runs", "dropout", "0.7"), "dropout is 0.7 in row 3"),
    "weights": (cell("runs", "weights", "a" * 32), "small/curves.csv|small/runs.csv"),
    "a curve": (cell("curves", "val/loss", 0.01), "lowest val/loss is not at the best epoch"),
    "a curve's accuracy": (
        cell("curves", "test/accuracy", 0.12345),
        "small/curves.csv: test/accuracy is 0.12345",
    ),
    "a curve of two": (cell("curves", "train/loss", 0.01), "train/loss differs within key"),
    "a number that is none": (cell("curves", "val/loss", "nan"), "curves.csv: damaged"),
    "a confusion": (swap_confusion, "are on the diagonal, accuracy is"),
    "an image more": (cell("confusion", "images", 77), "test images of class 0, not"),
    "a picture": (cell("pictures", "right_with", 0, row=0), "in another order"),
}


@pytest.mark.parametrize("what", FORGED)
def test_a_forged_table_is_found(what: str, root: Path) -> None:
    forge, told = FORGED[what]
    assert callable(forge)
    forge(root)
    found = of_tables(root)
    assert any(re.search(told, each) for each in found), found


def version(what: str, value: str) -> Callable[[Path], None]:
    def forge(root: Path) -> None:
        path = root / "reports" / "results" / "inside" / "versions.json"
        told = json.loads(path.read_text())
        path.write_text(json.dumps(told | {what: value}))

    return forge


def locked(root: Path) -> None:
    (root / "requirements.lock").write_text("torch==2.12.0\n")


@pytest.mark.parametrize(
    ("forge", "told"),
    [
        (version("torch", "2.12.0"), "torch is 2.12.0, elsewhere"),
        (version("device", "NVIDIA H100, native"), "device is NVIDIA H100"),
        (version("data", "digits " + "0" * 64), "digits is 000.*elsewhere"),
        (version("data", "mnist " + "0" * 64), "mnist is 000.*as published c2027925"),
        (locked, "torch is .*elsewhere 2.12.0"),
    ],
)
def test_other_versions_arithmetic_or_data_are_found(
    forge: Callable[[Path], None], told: str, root: Path
) -> None:
    forge(root)
    assert any(re.search(told, each) for each in of_versions(root)), of_versions(root)


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("more.txt", "no part of a report"),
        ("timings/zero", "no part of a report"),
        ("results/other/runs.csv", "no part of a report"),
        ("results/small/more.csv", "no part of a report"),
        ("report.md", "a link"),
        ("figures", "a link"),
    ],
)
def test_what_does_not_belong_into_reports_is_found(place: str, told: str, root: Path) -> None:
    path = root / "reports" / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to("/dev/zero") if told == "a link" else path.write_text("more")
    assert any(f"{place}: {told}" in each for each in of_files(root)), of_files(root)


FORGED_PIPELINES = (
    (pipeline_of_digits(), "stages: {}\n", "no stage code"),
    ("        - runs/${key}\n", "", "evaluate@small does not depend on runs/small"),
    ("            - evaluate.${key}\n", "            - train.${key}\n", "code.json:evaluate.small"),
    ("  report:\n", "  report:\n    frozen: true\n", "stage report is frozen"),
    ("cmd: dropout-bench report", "cmd: 'true'", "stage report calls true"),
    ("        - reports/results/${key}/runs.csv:\n            cache: false\n", "", "not make"),
)


def of_pipeline(folder: Path, params: Params) -> list[str]:
    with Repo(str(folder)) as repo:
        return differing(expected.pipeline(repo.index.stages, params, folder))


def test_a_pipeline_that_is_not_ours_is_found(root: Path) -> None:
    Repo.init(str(root), no_scm=True).close()
    params = load_params(root / "params.yaml")
    (root / "reports" / "code.json").write_text("{}")
    place, ours = root / "dvc.yaml", pipeline_of_digits()
    place.write_text(ours)
    assert not of_pipeline(root, params)
    for part, other, told in FORGED_PIPELINES:
        assert part in ours
        place.write_text(ours.replace(part, other))
        found = of_pipeline(root, params)
        assert any(told in each for each in found), (told, found)
    place.unlink()
    assert any("no stage code" in each for each in of_pipeline(root, params))


def test_a_project_of_one_s_own_has_its_own_pipeline(tmp_path: Path) -> None:
    write_project(tmp_path / "mine")
    Repo.init(str(tmp_path / "mine"), no_scm=True).close()
    params = load_params(tmp_path / "mine" / "params.yaml")
    (tmp_path / "mine" / "reports").mkdir()
    (tmp_path / "mine" / "reports" / "code.json").write_text("{}")
    assert not of_pipeline(tmp_path / "mine", params)
    edit(
        tmp_path / "mine" / "dvc.yaml",
        lambda text: text.replace("- requirements.txt", "- claims.yaml"),
    )
    found = of_pipeline(tmp_path / "mine", params)
    assert any("stage code does not depend on requirements.txt" in each for each in found), found


def test_code_that_is_not_what_the_stages_were_run_with_is_found(root: Path) -> None:
    from dropout_bench.stages import code_digests

    params = load_params(root / "params.yaml")
    place = root / "reports" / "code.json"
    assert any("cannot be read" in each for each in differing(expected.code(root, params)))
    place.write_text(json.dumps(code_digests(params)))
    assert not differing(expected.code(root, params))
    edit(place, lambda text: re.sub(r'("evaluate": \{"small": )"\w+"', rf'\1"{"0" * 32}"', text))
    assert any("evaluate@small" in each for each in differing(expected.code(root, params)))


def test_data_that_are_not_as_published_are_refused(raw: Path, tmp_path: Path) -> None:
    shutil.copytree(raw, tmp_path / "data" / "raw")
    with pytest.raises(Exception, match="not mnist as it was published"):
        _source("mnist", tmp_path)


def test_only_the_same_bits_have_the_status_of_success() -> None:
    same, close = Finding("a", "b", True), Finding("a", "b", True, same=False)
    wrong = Finding("a", "b", False)
    assert [outcome(each).status for each in ([], [same], [same, close], [close, wrong])] == [
        0, 0, 3, 1,
    ]  # fmt: skip
    assert not json.loads(as_json([same, close], {}))["holds"]
    assert outcome([close]) is Outcome.NEAR


def test_what_could_have_been_computed_here_is_no_matter_of_tolerance() -> None:
    here = {"device": PORTABLE, **library_versions()}
    machine = Machine(PORTABLE, "some processor", pinned=True)
    torch = here["torch"]
    assert _otherwise(here, machine, {}) == ("", False)
    assert _otherwise(here | {"torch": "1.0"}, machine, {"torch": torch})[1]
    assert not _otherwise(here | {"torch": "1.0"}, machine, {"torch": "1.0"})[1]
    assert _otherwise(here, machine._replace(device="some GPU"), {})[1]
    assert not _otherwise(here | {"device": "some GPU"}, machine, {})[1]


def rewritten(root: Path, folder: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Path:
    """Copy the tables of an experiment, with other accuracies."""
    copy = Path(shutil.copytree(root / "reports" / "results" / "small", folder))
    change(pd.read_csv(copy / "runs.csv")).to_csv(copy / "runs.csv", index=False)
    return copy


def many(root: Path, folder: Path, noise: float, shift: float) -> Path:
    """Tables of twelve seeds whose accuracies scatter; those of one cell are shifted."""
    random = np.random.default_rng(len(folder.name))

    def change(rows: pd.DataFrame) -> pd.DataFrame:
        seeds = [rows[rows["seed"] == 0].assign(seed=seed) for seed in range(12)]
        every = pd.concat(seeds, ignore_index=True)
        every["test/accuracy"] = 0.9 + np.sin(every["seed"]) / 10
        every["test/accuracy"] += noise * random.standard_normal(len(every))
        every.loc[every["arm"] != "standard", "test/accuracy"] += shift
        return every

    return rewritten(root, folder, change)


def test_tolerance_is_of_means_by_cell(root: Path, tmp_path: Path) -> None:
    one = many(root, tmp_path / "one", noise=1e-3, shift=0.0)
    honest = many(root, tmp_path / "another", noise=1e-3, shift=0.0)
    forged = many(root, tmp_path / "a-forged", noise=1e-3, shift=0.012)
    assert not any(near.cells(one, honest).values())
    found = near.cells(one, forged)
    assert not found["standard"]
    assert any("test/accuracy" in told for told in found["dropout 0.5"]), "1.2 points of 10"


@pytest.mark.parametrize("table", ["runs", "curves", "measures"])
def test_what_is_no_number_is_never_within_tolerance(
    table: str, root: Path, tmp_path: Path
) -> None:
    ours = root / "reports" / "results" / "small"
    assert not any(near.cells(ours, ours).values())
    theirs = Path(shutil.copytree(ours, tmp_path / "theirs"))
    rows = pd.read_csv(theirs / f"{table}.csv")
    rows.loc[1, "value" if table == "measures" else "test/loss"] = np.nan
    rows.to_csv(theirs / f"{table}.csv", index=False)
    assert any(near.cells(theirs, ours).values())


def test_a_beginning_is_that_of_the_whole_training(made: Path) -> None:
    suite = load_params(made / "params.yaml").suites[""]
    places = next(iter(distinct_runs([suite]).values()))
    source = Source.of("digits", made)
    whole, begun = (_again(places, source, first)[0].trained for first in (None, 1))
    assert len(begun.curves) == 1 < len(whole.curves)
    assert begun.curves[0] == whole.curves[0]
