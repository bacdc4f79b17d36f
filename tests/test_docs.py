"""The documents say what the code does."""

import doctest
import re
import runpy
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from dropout_bench.params.file import load_params

PROJECT = Path(__file__).parents[1]


def test_the_list_of_keys_is_that_of_the_schema() -> None:
    words = [sys.executable, "docs/reference.py"]
    done = subprocess.run(words, cwd=PROJECT, capture_output=True, text=True, check=True)
    assert (PROJECT / "docs" / "keys.md").read_text() == done.stdout, "run: make docs"


@pytest.mark.parametrize("mark", ["coverage", pytest.param("simulation", marks=pytest.mark.slow)])
def test_the_tables_of_simulated_data_are_those_of_the_code(mark: str) -> None:
    ours = runpy.run_path(str(PROJECT / "docs" / "simulated.py"))
    page = (PROJECT / "docs" / "method.md").read_text()
    assert f"<!-- {mark} -->" in page
    assert ours["with_table"](page, mark, ours[f"{mark}_table"]()) == page, "run: make docs"


def test_the_picture_of_the_pipeline_is_that_of_the_pipeline(tmp_path: Path) -> None:
    ours = runpy.run_path(str(PROJECT / "docs" / "pipeline.py"))
    pipeline = ours["pipeline"](PROJECT)
    assert pipeline.counts["train"] == len(load_params(PROJECT / "params.yaml").experiments)
    assert {("train", "evaluate"), ("evaluate", "report")} <= pipeline.edges
    ours["draw"](pipeline, tmp_path / "pipeline.svg")
    drawn = ours["PICTURE"].read_text()
    assert _shown(drawn) == _shown((tmp_path / "pipeline.svg").read_text()), "run: make docs"
    texts, arrows = _shown(drawn)
    assert {*pipeline.labels().values()} < texts
    assert arrows == {f"{one}-to-{other}" for one, other in pipeline.edges}


def _shown(svg: str) -> tuple[set[str], set[str]]:
    """Return the texts and the arrows of the picture."""
    texts = re.findall(r"<text[^>]*>([^<]+)</text>", svg)
    return set(texts), set(re.findall(r'id="(\w+-to-\w+)"', svg))


def test_examples_in_docstrings_run() -> None:
    source = PROJECT / "src"
    files = [path for path in source.rglob("*.py") if ">>> " in path.read_text()]
    for path in files:
        name = ".".join(path.relative_to(source).with_suffix("").parts)
        found = doctest.testmod(import_module(name))
        assert found.attempted > 0, name
        assert found.failed == 0, name
    assert files


def test_links_between_documents_lead_somewhere() -> None:
    for page in (PROJECT / "README.md", *(PROJECT / "docs").glob("*.md")):
        for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
            if not target.startswith("http"):
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_fault_has_a_test() -> None:
    text = (PROJECT / "docs" / "faults.md").read_text()
    named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", text)
    assert len(named) > 30
    for file, test in named:
        assert f"def {test}(" in (PROJECT / "tests" / file).read_text(), f"{file}::{test}"
    faults = text.partition("## Tampering")[0]
    rows = [line for line in faults.splitlines() if line.startswith("| ") and "::" not in line]
    kinds = len(re.findall("^## ", faults, flags=re.MULTILINE))
    assert len(rows) == kinds, "a row without a test"
