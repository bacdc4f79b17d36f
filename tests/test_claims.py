"""``claims.yaml``: what is wrong is named with its place and its remedy."""

import re
from pathlib import Path
from typing import Any

import pytest
from conftest import experiment
from ruamel.yaml import YAML

from dropout_bench.analysis.claims import load_claims
from dropout_bench.errors import BenchError
from dropout_bench.params.file import load_params

PROJECT = Path(__file__).parents[1]
CHECK: dict[str, Any] = {
    "metric": "test/accuracy",
    "of": "dropout 0.5",
    "is": "higher",
    "than": "standard",
}
CLAIM: dict[str, Any] = {
    "source": "someone",
    "says": "Dropout helps.",
    "experiment": "question",
    "checks": [CHECK],
}


def load(tmp_path: Path, claim: dict[str, Any], **sections: Any) -> None:
    content = {"sources": {"someone": "Someone"}, "claims": {"helps": claim}} | sections
    YAML().dump(content, tmp_path / "claims.yaml")
    load_claims(tmp_path / "claims.yaml", {"question": experiment()})


def test_the_project_s_own_claims_are_valid_and_many() -> None:
    claims = load_claims(
        PROJECT / "claims.yaml", load_params(PROJECT / "params.yaml").all_experiments
    )
    assert len(claims.claims) >= 34
    assert {claim.source for claim in claims.claims.values()} == set(claims.sources)
    assert claims.timed


def test_a_valid_claim_loads(tmp_path: Path) -> None:
    load(tmp_path, CLAIM)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"soruce": "x"}, 'did you mean "source"'),
        ({"source": "somone"}, r'claims\.helps\.source: no source "somone".*"someone"'),
        ({"experiment": "qestion"}, r'claims\.helps\.experiment: no experiment "qestion"'),
        ({"checks": []}, r"claims\.helps\.checks.*at least 1"),
        ({"contradicts": ["hepls"]}, 'no claim "hepls".*"helps"'),
        ({"checks": [CHECK | {"of": "dropout 0.6"}]}, r'checks\[0\]: no cell "dropout 0.6"'),
        ({"checks": [CHECK | {"than": "standart"}]}, 'did you mean "standard"'),
        ({"checks": [CHECK | {"is": "better"}]}, r"checks\[0\]"),
        ({"checks": [CHECK | {"marign": 0.1}]}, 'did you mean "margin"'),
        ({"checks": [CHECK | {"is": "equal"}]}, "how far apart equals may be"),
        ({"checks": [CHECK | {"is": "rising"}]}, "three cells or more"),
        ({"checks": [CHECK | {"epoch": 3}]}, "epoch 3, and question trains for 2"),
        ({"checks": [CHECK | {"gain": True}]}, '"standard" has no cell without dropout'),
        ({"checks": [CHECK | {"margin": float("nan")}]}, "finite"),
        (
            {"checks": [CHECK | {"of": ["standard", "dropout 0.5", "standard"], "is": "rising"}]},
            "has neither",
        ),
    ],
)
def test_a_fault_is_named_with_its_place_and_its_remedy(
    changes: dict[str, Any], told: str, tmp_path: Path
) -> None:
    with pytest.raises(BenchError, match=r"claims\.yaml") as fault:
        load(tmp_path, CLAIM | changes)
    assert re.search(told, str(fault.value)), str(fault.value)


@pytest.mark.parametrize("level", [0.0, 1.0, -0.1])
def test_a_level_that_is_none_is_refused(level: float, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="level"):
        load(tmp_path, CLAIM, level=level)


LATE = [{"cell": "standard", "metric": "val/loss", "by_epoch": [0.3, 0.2, 0.1]}]


def test_a_trial_leaves_out_what_it_cannot_test(tmp_path: Path) -> None:
    figures = [{"cell": "standard", "metric": "test/loss", "value": 0.5}]
    published = {"title": "A question", "source": "someone", "says": "Yes.", "figures": figures}
    gone = CLAIM | {"checks": [CHECK, CHECK | {"of": "dropout 0.7"}]}
    content = {
        "sources": {"someone": "Someone"},
        "published": {"experiment-is-gone": published, "question": published},
        "claims": {"kept": CLAIM, "rate-is-gone": gone},
    }
    YAML().dump(content, tmp_path / "claims.yaml")
    told: list[str] = []
    asked = {"question": experiment()}
    claims = load_claims(tmp_path / "claims.yaml", asked, leave_out=told.append)
    assert list(claims.claims) == ["kept"]
    assert list(claims.published) == ["question"]
    assert len(told) == 2
    assert told[0].startswith(
        f"{tmp_path / 'claims.yaml'}: published.experiment-is-gone: "
        'no experiment "experiment-is-gone"; '
    )
    assert 'claims.rate-is-gone.checks[1]: no cell "dropout 0.7"' in told[1]
    with pytest.raises(BenchError, match="is-gone"):
        load_claims(tmp_path / "claims.yaml", asked)
    content["published"] = {"question": published | {"figures": figures * 2 + LATE}}
    YAML().dump(content, tmp_path / "claims.yaml")
    load_claims(tmp_path / "claims.yaml", asked, leave_out=told.append)
    late = r"claims.yaml: published.question.figures\[2\]: epoch 3, and question trains for 2"
    assert re.search(late, told[2])
    figures = [{"cell": "dropuot 0.5", "metric": "test/loss", "value": 0.5}]
    content["published"] = {"question": published | {"figures": figures}}
    YAML().dump(content, tmp_path / "claims.yaml")
    load_claims(tmp_path / "claims.yaml", asked, leave_out=told.append)
    place = f"{tmp_path / 'claims.yaml'}: published.question.figures[0].cell"
    assert told[4] == f'{place}: no cell "dropuot 0.5"; did you mean "dropout 0.5"?'
