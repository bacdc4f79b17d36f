"""``claims.yaml``: what is wrong is named with its place and its remedy."""

import re
from pathlib import Path
from typing import Any

import pytest
from conftest import experiment
from ruamel.yaml import YAML

from dropout_bench.analysis.claims import load_claims
from dropout_bench.errors import BenchError
from dropout_bench.params.experiment import Experiment
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


def on(**changes: Any) -> dict[str, Any]:
    return {"checks": [CHECK | changes]}


def load(
    tmp_path: Path, claim: dict[str, Any], asked: Experiment | None = None, **sections: Any
) -> None:
    content = {"sources": {"someone": "Someone"}, "claims": {"helps": claim}} | sections
    YAML().dump(content, tmp_path / "claims.yaml")
    asked = asked or experiment(measures=["gradients"])
    load_claims(tmp_path / "claims.yaml", {"question": asked})


def test_the_project_s_own_claims_are_valid_and_many() -> None:
    claims = load_claims(
        PROJECT / "claims.yaml", load_params(PROJECT / "params.yaml").all_experiments
    )
    assert len({**claims.claims, **claims.must_hold}) >= 34
    assert claims.must_hold
    assert {claim.source for claim in claims.claims.values()} == set(claims.sources)
    assert claims.timed


@pytest.mark.parametrize(
    "check",
    [
        {},
        {"metric": "train/loss", "epoch": 2},
        {"metric": "gradients/norm", "at": 2},
        {"metric": "epochs-to/val/loss", "at": 0.123},
        {"metric": "deviation/gap/loss"},
        {"is": "steadier"},
        {"is": "steadier", "than": None, "metric": "gradients/norm", "at": 1, "than_at": 2},
        {"often": True},
        {"often": True, "margin": -0.005, "is": "lower"},
        {"often": True, "margin": 0.005, "is": "equal"},
    ],
)
def test_a_valid_claim_loads(check: dict[str, Any], tmp_path: Path) -> None:
    load(tmp_path, CLAIM | on(**check))


@pytest.mark.parametrize("metric", ["val/loss", "deviation/val/loss", "swing/val/accuracy"])
def test_without_a_validation_split_nothing_is_claimed_of_it(metric: str, tmp_path: Path) -> None:
    """Its columns are empty, and a p of nothing was 0."""
    with pytest.raises(BenchError, match=rf"checks\[0\]\.metric: {metric} .*: validation: 0\.1"):
        load(tmp_path, CLAIM | on(metric=metric), experiment(validation=0.0, epochs=5))
    load(tmp_path, CLAIM | on(metric=metric), experiment(epochs=5))


def test_test_figures_by_epoch_need_the_weights_of_each(tmp_path: Path) -> None:
    at_epoch = on(metric="test/loss", epoch=1)
    load(tmp_path, CLAIM | at_epoch, experiment(keep_every_epoch=True))
    figures = [{"cell": "standard", "metric": "test/loss", "by_epoch": [0.5, 0.4]}]
    published = {"title": "A question", "source": "someone", "says": "Yes.", "figures": figures}
    with pytest.raises(BenchError, match=r"figures\[0\]\.metric: .*keep_every_epoch: true"):
        load(tmp_path, CLAIM, published={"question": published})
    load(tmp_path, CLAIM, experiment(keep_every_epoch=True), published={"question": published})


def test_one_seed_is_no_ground_for_a_verdict(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"claims\.helps\.experiment: question has 1 seed"):
        load(tmp_path, CLAIM, experiment(seeds=[0]))


def test_times_are_judged_apart(tmp_path: Path) -> None:
    times = CLAIM | on(metric="log-seconds")
    load(tmp_path, CLAIM, timed={"faster": times})


ALONG = {"of": ["standard", "dropout 0.5", "standard"], "is": "rising", "than": None}


def test_a_slope_is_over_what_the_cells_differ_in(tmp_path: Path) -> None:
    asked = experiment(dropout=[0.0, 0.2, 0.5, "0.5/0.3"])
    of = ["standard", "dropout 0.2", "dropout 0.5"]
    for over in ("rate", "place"):
        load(tmp_path, CLAIM | on(**ALONG | {"of": of}, over=over, margin=0.01, often=True), asked)
    with pytest.raises(BenchError, match=r"over: dropout 0\.5/0\.3 has a rate for each layer"):
        load(tmp_path, CLAIM | on(**ALONG | {"of": [*of, "dropout 0.5/0.3"]}, over="rate"), asked)
    grid = experiment(
        dropout=[0.0], train_size=[100, 200, 300], hidden=[[16], [16, 8], [8, 8, 8]], validation=0.0
    )
    for over, told in (("size", "size"), ("depth", "depth"), ("width", "width")):
        widths = ("16", "16-8", "8-8-8")
        of = [f"standard, {w}, {n} images" for w, n in zip(widths, (100, 200, 300), strict=True)]
        load(tmp_path, CLAIM | on(**ALONG | {"of": of}, over=over), grid)
        same = ["standard, 16, 100 images"] * 3
        with pytest.raises(BenchError, match="at one place"):
            load(tmp_path, CLAIM | on(**ALONG | {"of": same}, over=told), grid)


DRAWN = {"train_size": {"low": 50, "high": 200}, "hidden": [[16, 8], [8]]}


def test_what_each_draw_draws_is_no_place_of_an_arm(tmp_path: Path) -> None:
    arms: dict[str, dict[str, Any]] = {
        "none": {},
        "mild": {"variant": "dropout", "dropout": 0.2},
        "chosen": {"variant": "dropout", "choose": {"dropout": [0.2, 0.5]}},
    }
    settings = {
        "dataset": "mnist", "draw": DRAWN, "draws": 12, "validation_images": 50, "arms": arms,
        "learning_rate": 0.01, "batch_size": 32, "epochs": 2,
    }  # fmt: skip
    for name, arm in list(arms.items())[:2]:  # as many candidates for all
        arms[name] = arm | {"choose": {"times_learning_rate": [1.0, 3.0]}}
    asked = Experiment.model_validate(settings)
    of = {"of": list(arms)}
    load(tmp_path, CLAIM | on(**ALONG | of, over="place"), asked)
    for over, told in (
        ("size", "none has another number of images at each draw"),
        ("depth", "none has other hidden layers at each draw"),
        ("width", "none has other hidden layers at each draw"),
        ("rate", "chosen chooses its rate on validation"),
    ):
        with pytest.raises(BenchError, match=rf"checks\[0\]\.over: {told}"):
            load(tmp_path, CLAIM | on(**ALONG | of, over=over), asked)


def test_what_must_hold_is_checked_as_claims_are(tmp_path: Path) -> None:
    load(tmp_path, CLAIM, must_hold={"identity": CLAIM})
    with pytest.raises(
        BenchError, match=r'must_hold\.identity\.checks\[0\]: no cell "dropout 0.6"'
    ):
        load(tmp_path, CLAIM, must_hold={"identity": CLAIM | on(of="dropout 0.6")})
    claims = load_claims(tmp_path / "claims.yaml", {"question": experiment()}, lambda _: None)
    assert not claims.must_hold
    load(tmp_path, CLAIM, must_hold={"identity": CLAIM})
    claims = load_claims(tmp_path / "claims.yaml", {"question": experiment()})
    assert list(claims.about(["question"]).must_hold) == ["identity"]
    assert not claims.about([]).must_hold


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
        (
            {"checks": [CHECK | {"metric": "train/loss", "epoch": 3}]},
            "epoch 3, and question trains for 2",
        ),
        ({"checks": [CHECK | {"gain": True}]}, '"standard" has no cell without dropout'),
        ({"checks": [CHECK | {"margin": float("nan")}]}, "finite"),
        (
            {"checks": [CHECK | {"of": ["standard", "dropout 0.5", "standard"], "is": "rising"}]},
            "has none",
        ),
        (on(over="rate"), "only a trend"),
        (on(**ALONG, margin=0.1), "as a slope; say over what"),
        (on(**ALONG, often=True), "as a slope; say over what"),
        (on(**ALONG, over="rates"), "over"),
        (on(**ALONG, over="size"), r"checks\[0\]\.over: .* at one place; name cells that differ"),
        (on(**{"is": "steadier", "than": None}), "steadier than"),
        (on(**{"is": "steadier", "than": 0.5}), "steadier than"),
        (on(**{"is": "steadier", "margin": 0.1}), "steadier has none"),
        (on(**{"is": "steadier", "often": True}), "steadier has none"),
        (on(metric="test/los"), r'checks\[0\]\.metric: no quantity "test/los"; did.*"test/loss"'),
        (on(metric="key"), 'no quantity "key"'),
        (on(metric="hidden"), 'no quantity "hidden"'),
        (on(metric="masks/loss"), r"\.at: masks/loss needs one: number of sampled masks"),
        (on(metric="epochs-to/train/loss"), r"\.at: .* needs one: training loss to reach"),
        (on(at=1), r"\.at: test/accuracy has no place; drop at"),
        (on(metric="gap/loss", at=1), "gap/loss has no place"),
        (on(metric="masks/loss", at=3), r"\.at: no masks/loss at 3; possible: 0, 1, 2, 5"),
        (on(metric="masks/loss", at=1, than_at=4), r"\.than_at: no masks/loss at 4"),
        (on(metric="gradients/norm", at=3), "no gradients/norm at 3; possible: 1, 2$"),
        (on(than=0.5, than_at=1), "than_at: the other side is a number"),
        (on(metric="gap/loss", epoch=1), r"\.epoch: gap/loss is of .*; drop epoch"),
        (on(metric="deviation/test/loss", epoch=1), "drop epoch"),
        (on(metric="test/ece", epoch=1), "drop epoch"),
        (on(metric="masks/loss", at=1, epoch=1), "drop epoch"),
        (
            on(metric="masks/loss", at=1),
            r"question does not measure masks/loss; .* question: measures: \[gradients, masks\]",
        ),
        (on(metric="swing/train/loss"), "needs 5 epochs, and question trains for 2"),
        (on(epoch=1), r"test/accuracy by epoch needs .* keep_every_epoch: true"),
        (on(metric="epochs-to/test/loss", at=0.5), "keep_every_epoch: true"),
        (on(metric="log-seconds"), "move the claim to timed"),
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
