"""Whatever ``params.yaml`` and ``claims.yaml`` hold: they are valid, or one error names the file.

Each example is a valid document that has every key of the schema, with some damage done to it: to
its values and keys, or to its text. Examples are drawn the same way each time.
"""

import copy
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from dropout_bench.analysis.claims import Check, Claim, Claims, Figure, Published, load_claims
from dropout_bench.errors import BenchError
from dropout_bench.params.arms import Arm
from dropout_bench.params.draws import Drawn, Range
from dropout_bench.params.experiment import Experiment
from dropout_bench.params.file import Params, load_params
from dropout_bench.params.options import Options
from dropout_bench.params.values import Normalise

EXPERIMENT: dict[str, Any] = {
    "question": "Does it help?",
    "dataset": "mnist",
    "classes": [0, 1, 2],
    "train_size": [300, "all"],
    "validation": 0.2,
    "normalise": {"mean": 0.5, "sd": 0.5},
    "hidden": [[16, 8], [8, 4]],
    "variants": ["dropout", "alpha-dropout"],
    "dropout": [0.0, 0.5, "0.5/0.3"],
    "input_dropout": [0.0, 0.2],
    "with": {
        "nothing": {},
        "all": {
            "weight_decay": 0.0,
            "l2": 1e-4,
            "l1": 1e-5,
            "max_norm": 2.0,
            "patience": 3,
            "input_noise": 0.4,
            "shift": 2,
            "learning_rate_decay": "linear",
            "wrong_labels": 0.1,
            "rare": 3,
        },
    },
    "learning_rate": 1e-3,
    "batch_size": 64,
    "epochs": 5,
    "seeds": [0, 1],
    "measures": ["masks"],
    "optimiser": "adam",
    "own": {},
    "checkpoint": "best",
    "keep_every_epoch": False,
}
DRAWN: dict[str, Any] = {
    "draw": {
        "dataset": ["mnist", "fashion-mnist"],
        "train_size": {"low": 300, "high": 3000},
        "normalise": ["unit", "symmetric", "standardised"],
        "hidden": [[64, 64], [128, 64]],
        "batch_size": [32, 64],
        "learning_rate": {"low": 5e-4, "high": 2e-3},
    },
    "draws": 12,
    "first_draw": 0,
    "validation_images": 1000,
    "steps": 1000,
    "patience_steps": 300,
    "arms": {
        "none": {"choose": {"times_learning_rate": [1.0, 0.5]}},
        "fixed": {"checkpoint": "best", "times_learning_rate": 0.5, "choose": {"l2": [0.1, 0.2]}},
        "dropout": {"variant": "dropout", "input_dropout": 0.1, "choose": {"dropout": [0.2, 0.5]}},
    },
}
PARAMS: dict[str, Any] = {
    "defaults": {"common": {"epochs": 5}},
    "experiments": {"question": EXPERIMENT, "drawn": DRAWN},
    "suites": {
        "demo": {"other": {k: v for k, v in EXPERIMENT.items() if k != "with"} | {"max_norm": 2.0}},
        "paper": {},
    },
}
CELLS = [f"standard, {widths}, 300 images, nothing" for widths in ("16-8", "8-4")]
CHECK = {
    "metric": "masks/accuracy",
    "of": CELLS[0],
    "than": CELLS[1],
    "is": "higher",
    "margin": 0.01,
    "at": 1.0,
    "than_at": 2.0,
    "gain": False,
    "often": True,
}
TREND = {
    "metric": "train/loss",
    "epoch": 1,
    "of": [*CELLS, CELLS[0]],
    "is": "rising",
    "over": "width",
}
ALONG = {"metric": "train/loss", "of": "dropout", "is": "rising", "along": "test/loss"}
CLAIM = {
    "source": "someone",
    "says": "It helps.",
    "experiment": "question",
    "checks": [CHECK, TREND],
    "because": "so",
    "contradicts": ["harms"],
}
CLAIMS: dict[str, Any] = {
    "level": 0.05,
    "smallest": {"test/accuracy": 0.005},
    "sources": {"someone": "Someone 2014"},
    "references": {"someone": "[Something](https://example.org), 2014"},
    "published": {
        "question": {
            "title": "A question",
            "source": "someone",
            "says": "Yes.",
            "figures": [
                {"cell": CELLS[0], "metric": "train/loss", "value": 0.1, "epoch": 1, "of": "run 1"},
                {"cell": CELLS[1], "metric": "val/loss", "by_epoch": [0.2, 0.1]},
            ],
        }
    },
    "claims": {
        "helps": CLAIM,
        "harms": CLAIM | {"contradicts": []},
        "grows": CLAIM | {"contradicts": [], "experiment": "drawn", "checks": [ALONG]},
    },
    "untested": {"art": {"source": "someone", "says": "It is art.", "why": "no measure"}},
    "must_hold": {"identity": CLAIM | {"contradicts": []}},
    "timed": {"slower": CLAIM | {"contradicts": []}},
}


def keys_of(content: Any) -> set[str]:
    if isinstance(content, dict):
        return set(content).union(*map(keys_of, content.values()))
    return set().union(*map(keys_of, content)) if isinstance(content, list) else set()


def test_the_valid_documents_have_every_key_of_the_schema(tmp_path: Path) -> None:
    for content, models in (
        (PARAMS, (Params, Experiment, Arm, Drawn, Range, Normalise, Options)),
        (CLAIMS, (Claims, Published, Figure, Claim, Check)),
    ):
        fields = {f.alias or name for m in models for name, f in m.model_fields.items()}
        assert fields <= keys_of(content)
    accept_params(text_of(PARAMS), tmp_path)
    accept_claims(text_of(CLAIMS), tmp_path)


DEEP = 3000
JUNK = [
    "", "~", "null", "true", "no", "0", "-1", "1", "2", "010", "0x10", "1_000", "9" * 400,
    "9" * 5000,
    "-" + "9" * 5000, "0.0", "-0.0", "0.999", "1.0", "1e-320", "1e308", "1e999", ".nan", ".inf",
    "-.inf", "0.5/", "/", "0.5/nan", "0.5/0.3/0.1", "０.５", "all", "x", "'no'", "a: b", "- a",
    "../../up", "/etc/passwd", r'"a\/b"', "..", r'"\0"', r'"\e[31m"', r'"\ud800"', r'"a\nb"', "é",
    "\u202e", "\U0001d54f", "a" * 1000, "{{ x }}", "${experiments}", "%s", "[]", "[[]]", "{}",
    "[{}]",
    "[~]", "{1: 2}", "{~: ~}", "{true: a}", "{2.5: []}", "{? [a, b] : c}", "{? {a: b} : c}",
    "{a: 1, a: 2}", "[0.5, 0.5]", "[dropout, dropout]", "[1, [2, x]]", "&a [*a]", "&a {b: *a}",
    "*nothing", "&a", "{<<: 3}", "{<<: [3]}", "{<<: {epochs: 1}}", "{<<: &a {<<: *a}}",
    "2020-01-01", "2020-13-45", "2020-01-01T00:00:00Z", "2020-01-01T99:99:99Z", "!!binary 'x'",
    "!!binary aGVsbG8=", "!!set {a, b}", "!!omap [a: 1]", "!!int x", "!!float x", "!!bool x",
    "!!timestamp x", "!!null x", "!!python/object/apply:os.getcwd []", "!!python/name:os.system",
    "!mine x", "!<tag:x> y", "! x", "[" * DEEP, "[" * DEEP + "]" * DEEP,
    "{a: " * DEEP + "}" * DEEP,
    "|\n x", ">\n x", "'", '"', "#", "@", "`", "%YAML 1.1", "---", "...", "\t", "\0", "\x85",
    "\ufeff",
    "\ud7ff", "[a, b", "{a", "a]", "? a", ": a", "&", "*", "!", "!!", "<<", "<<: *a", "=",
    "&x [a,a,a,a,a]", "[&b [c, c], *b, *b]",
]  # fmt: skip
"""YAML for a value or a key that nobody should write."""

Place = tuple[Any, Any]


def places(content: Any) -> list[Place]:
    """All (container, key) of nested data."""
    if isinstance(content, dict):
        here = [(content, key) for key in content]
    else:
        here = [(content, place) for place in range(len(content))]
    below = [value for container, key in here if isinstance(value := container[key], dict | list)]
    return [*here, *(place for each in below for place in places(each))]


def text_of(content: Any) -> str:
    text = io.StringIO()
    YAML(typ="safe", pure=True).dump(content, text)
    return text.getvalue()


@st.composite
def damaged(draw: st.DrawFn, document: dict[str, Any]) -> str:
    """The text of the document, with its data or its text, or both, damaged in a few places."""
    content = copy.deepcopy(document)
    keys = sorted(keys_of(document))
    junk: list[str] = []

    def mark() -> str:
        junk.append(draw(st.sampled_from(JUNK)))
        return f"MARK{len(junk):03}"

    for _ in range(draw(st.integers(0, 3))):
        container, key = draw(st.sampled_from(places(content)))
        match draw(st.sampled_from(("drop", "junk", "junk", "key", "wrap", "twice", "swap"))):
            case "drop":
                del container[key]
            case "junk":
                container[key] = mark()
            case "key" if isinstance(container, dict):
                container[draw(st.sampled_from(keys)) if draw(st.booleans()) else mark()] = (
                    container.pop(key)
                )
            case "wrap":
                inner = container[key]
                container[key] = [inner] if draw(st.booleans()) else {"a": inner}
            case "twice" if isinstance(container, list):
                container.append(container[key])
            case _:
                other, place = draw(st.sampled_from(places(content)))
                container[key] = copy.deepcopy(other[place])
    text = text_of(content)
    for number, what in enumerate(junk, start=1):
        text = text.replace(f"MARK{number:03}", what)
    for _ in range(draw(st.integers(0 if junk else 1, 2))):
        at, length = draw(st.integers(0, len(text))), draw(st.integers(0, 30))
        match draw(st.sampled_from(("cut out", "insert", "cut off", "repeat"))):
            case "cut out":
                text = text[:at] + text[at + length :]
            case "insert":
                text = text[:at] + draw(st.sampled_from(JUNK)) + text[at:]
            case "cut off":
                text = text[:at]
            case _:
                text = text[:at] + text[at : at + length] + text[at:]
    return text


def accept_params(text: str, folder: Path) -> None:
    """Read them; where they are valid, the runs they ask for have places inside the project."""
    path = folder / "params.yaml"
    path.write_text(text, encoding="utf-8", newline="")
    for experiment in load_params(path).all_experiments.values():
        jobs = experiment.jobs()
        assert len({job.name for job in jobs}) == len(jobs)
        for job in jobs:
            assert not {"..", "", "."} & set(job.name.split("/"))
            job.run.model_dump_json()


def accept_claims(text: str, folder: Path) -> None:
    path = folder / "claims.yaml"
    path.write_text(text, encoding="utf-8", newline="")
    load_claims(path, EXPERIMENTS)


EXPERIMENTS = Params.model_validate(PARAMS).experiments

EXAMPLES = (
    pytest.param(60, id="60 examples"),
    pytest.param(500, id="500 examples", marks=pytest.mark.slow),
)


@pytest.mark.parametrize("examples", EXAMPLES)
@pytest.mark.parametrize(
    ("document", "accept"),
    [
        pytest.param(PARAMS, accept_params, id="params.yaml"),
        pytest.param(CLAIMS, accept_claims, id="claims.yaml"),
    ],
)
def test_a_malformed_file_is_one_error_that_names_it(
    document: dict[str, Any],
    accept: Callable[[str, Path], None],
    examples: int,
    tmp_path: Path,
) -> None:
    refused = 0

    @settings(max_examples=examples, derandomize=True, deadline=None, database=None)
    @given(text=damaged(document))
    def examine(text: str) -> None:
        nonlocal refused
        try:
            accept(text, tmp_path)
        except BenchError as error:
            refused += 1
            told = str(error)
            assert told.startswith(str(tmp_path)), told
            assert len(told) < 5000, "nobody reads that"

    examine()
    assert refused > examples / 4


@pytest.mark.parametrize(
    "text",
    [
        "!!bool x: 1",
        "a: !!int ''",
        "a: !!float ''",
        "a: !!timestamp x",
        "? [[]]\n: 1",
        "a: " + "[" * DEEP,
        r'"\ud800": 1',
        "a: &x 1\nb: &x 2",
        "defaults: &a {b: *a}",
        "9: " + "9" * 5000,
        "a: 2020-13-45",
    ],
)
def test_what_the_yaml_reader_stumbles_over(text: str, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"params\.yaml: "):
        accept_params(text, tmp_path)
