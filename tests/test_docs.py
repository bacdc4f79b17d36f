"""The documents say what the code does."""

import doctest
import json
import re
import runpy
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from dropout_bench.params.file import load_params
from dropout_bench.report.figures.style import HUES, NEUTRAL, VERMILION

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


@pytest.fixture(scope="module")
def plots(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What ``dvc plots show`` writes."""
    folder = tmp_path_factory.mktemp("plots")
    words = [sys.executable, "-m", "dvc", "plots", "show", "--out", str(folder)]
    subprocess.run(words, cwd=PROJECT, capture_output=True, check=True)
    return (folder / "index.html").read_text(encoding="utf-8")


def test_plots_of_dvc_need_no_network(plots: str) -> None:
    ours = runpy.run_path(str(PROJECT / "docs" / "plots_page.py"))
    outside = re.sub(r"(<script[^>]*>).*?</script>", r"\1", plots, flags=re.DOTALL)
    assert not re.findall(r"(?:src|href|url|import)\b", outside)
    assert ours["PAGE"].stat().st_size < 1_000_000
    for name, version in ours["VERSIONS"].items():
        assert f"\n/* {name} {version}, " in plots, "run: make plots-page"
    assert plots.count("Redistributions of source code must retain the above copyright") == 3


DRAW = """
const page = require("fs").readFileSync(0, "utf8"), specs = []
const scripts = [...page.matchAll(/<script[^>]*>([^]*?)<\\/script>/g)].map(found => found[1])
const vm = require("vm"), run = code => vm.runInThisContext(code)
delete globalThis.module, delete globalThis.exports, delete globalThis.require
scripts.slice(0, 3).forEach(run)
if (typeof vegaEmbed !== "function") throw "no vegaEmbed"
globalThis.vegaEmbed = (place, spec) => specs.push(spec)
scripts.slice(3).forEach(run)
const draw = spec => new vega.View(vega.parse(vegaLite.compile(spec).spec)).toSVG()
Promise.all(specs.map(draw)).then(drawn => console.log(JSON.stringify(drawn)))
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node here")
def test_plots_of_dvc_are_drawn_by_what_their_page_has(plots: str) -> None:
    words = ["node", "--eval", DRAW]
    done = subprocess.run(words, input=plots, capture_output=True, text=True, check=True)
    drawn = json.loads(done.stdout)
    assert len(drawn) == len(YAML(typ="safe").load(PROJECT / "dvc.yaml")["plots"])
    palette = {colour.lower() for colour in (NEUTRAL, VERMILION, *HUES)}
    for picture in drawn:
        seen = {colour.lower() for colour in re.findall(r'="(#[0-9A-Fa-f]{6})"', picture)}
        assert {NEUTRAL, VERMILION.lower()} <= seen, "without dropout and with it"
        assert {colour for colour in seen if len({*colour[1:]}) > 1} <= palette, "the report's"


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
