"""Bad parameters stop before anything trains, with the place and the remedy."""

from pathlib import Path
from typing import Any

import pytest
from conftest import experiment

from dropout_bench.errors import BenchError
from dropout_bench.params.file import Params, load_params, read_yaml, validated

PROJECT = Path(__file__).parents[1]
GOOD: dict[str, Any] = {
    "dataset": "fashion-mnist",
    "classes": [0, 2, 4],
    "hidden": [256, 128],
    "variants": ["dropout"],
    "dropout": [0.0, 0.5, "0.5/0.3"],
    "learning_rate": 1e-3,
    "batch_size": 64,
    "epochs": 2,
    "seeds": [0, 1],
}


def check(changes: dict[str, Any]) -> Params:
    content = {"experiments": {"a-question": GOOD | changes}}
    return validated(Params, content, Path("params.yaml"))


def test_the_project_s_own_parameters_are_valid() -> None:
    params = load_params(PROJECT / "params.yaml")
    assert {"fashion-tutorial", "mnist-tutorial", "mnist-layerwise"} <= set(params.experiments)


@pytest.mark.parametrize(
    ("changes", "place", "remedy"),
    [
        ({"learnig_rate": 0.1}, "a-question", 'did you mean "learning_rate"'),
        ({"dropout": [0.0, 1.0]}, r"dropout\[1\]", "less than 1"),
        ({"dropout": [-0.5]}, r"dropout\[0\]", "greater than or equal to 0"),
        ({"dropout": ["0.5/x"]}, r"dropout\[0\]", "valid number"),
        ({"dropout": []}, "dropout", "at least 1"),
        ({"dropout": [0.5, 0.5]}, "dropout", "listed twice"),
        ({"dropout": ["0.5/0.3/0.1"]}, "dropout", "3 rates for 2 hidden layers"),
        ({"dropout": [[0.5, 0.3, 0.1]]}, "dropout", "3 rates for 2 hidden layers"),
        ({"input_dropout": [1.5]}, r"input_dropout\[0\]", "less than 1"),
        ({"classes": [0, 2, 10]}, "classes", "no class 10; possible: 0 T-shirt/top"),
        ({"classes": [0, 0]}, "classes", "listed twice"),
        ({"classes": [1]}, "classes", "at least 2"),
        ({"train_size": 18_001}, "train_size", "18000 training images"),
        ({"train_size": 0}, "train_size", "greater than 0"),
        ({"seeds": []}, "seeds", "missing; give one of them"),
        ({"seeds": [3, 3]}, "seeds", "listed twice: 3"),
        ({"seeds": [-1]}, r"seeds\[0\]", "greater than or equal to 0"),
        ({"seeds": ["a"]}, r"seeds\[0\]", "valid integer"),
        ({"dataset": "minst"}, "dataset", 'did you mean "mnist"'),
        ({"variants": ["dropuot"]}, "variants", 'did you mean "dropout"'),
        ({"variants": ["standard"]}, "a-question", "takes no dropout"),
        ({"hidden": []}, "hidden", "missing; give it, or draw it: draw.hidden"),
        ({"hidden": [0]}, r"hidden\[0\]", "greater than 0"),
        ({"validation": 1.0}, "validation", "less than 1"),
        ({"validation": 0.1, "train_size": 10}, "a-question", "one image of each"),
        ({"checkpoint": "best"}, "a-question", "validation above 0"),
        ({"checkpoint": "first", "validation": 0.1}, "checkpoint", "'last' or 'best'"),
        ({"learning_rate": float("nan")}, "learning_rate", "finite|greater than 0"),
        ({"normalise": {"mean": 0.5, "sd": 0.0}}, r"normalise\.sd: ", "greater than 0"),
        ({"normalise": "unti"}, "normalise", "'unit', 'symmetric' or 'standardised'"),
        ({"epochs": 1.5}, "epochs", "integer"),
        ({"batch_size": None}, "batch_size", "missing; give it"),
        ({"hidden": [[256, 128], []]}, r"hidden\[1\]", "at least 1"),
        ({"hidden": [[256, 128], [64]]}, "dropout", "2 rates for 1 hidden layers"),
        ({"train_size": [500, 500]}, "train_size", "listed twice"),
        ({"train_size": [500, 18_001]}, "a-question", "18000 training images"),
        ({"l2": -1.0}, "l2", "greater than or equal to 0"),
        ({"l2": 0.1, "weight_decay": 0.1}, "a-question", "choose one"),
        ({"optimiser": "adma"}, "optimiser", 'did you mean "adam"'),
        ({"optimiser": "adamw", "l2": 0.1}, "l2", "AdamW does not have it; use weight_decay"),
        ({"optimiser": "sgd", "weight_decay": 0.1}, "weight_decay", "does not have it; use l2"),
        ({"own": {"beta": []}}, "own", "valid"),
        ({"patience": 3}, "a-question", "validation above 0"),
        ({"shift": 9}, "shift", "less than 8"),
        ({"max_norm": 0.0}, "max_norm", "greater than 0"),
        ({"with": {"a": {"l22": 0.1}}}, "with.a", 'did you mean "l2"'),
        ({"with": {"a": {"patience": 3}}}, "a-question", r"with\.a\.patience"),
        ({"with": {"A 1": {}}}, "with", "match pattern"),
        ({"combinations": {}}, "a-question", "unknown key"),
        ({"measures": ["mask"]}, "measures", 'did you mean "masks"'),
    ],
)
def test_a_fault_is_named_with_its_place_and_its_remedy(
    changes: dict[str, Any], place: str, remedy: str
) -> None:
    with pytest.raises(BenchError, match=f"params.yaml: experiments.a-question.*{remedy}") as fault:
        check(changes)
    with pytest.raises(BenchError, match=place):
        check(changes)
    assert "Value error" not in str(fault.value)


def test_a_missing_key_is_named() -> None:
    content = {"experiments": {"a-question": {k: v for k, v in GOOD.items() if k != "epochs"}}}
    with pytest.raises(BenchError, match=r"a-question: epochs, steps: missing; give one of them"):
        validated(Params, content, Path("params.yaml"))


@pytest.mark.parametrize("name", ["Upper", "with.dot", "with1", "../up", ""])
def test_names_that_dvc_would_drop_are_refused(name: str) -> None:
    with pytest.raises(BenchError, match="experiments"):
        validated(Params, {"experiments": {name: GOOD}}, Path("params.yaml"))


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(BenchError) as fault:
        check({"epochs": 0, "batch_size": 0})
    assert len(str(fault.value).splitlines()) == 2


@pytest.mark.parametrize("content", ["a: [", "a: 1\na: 2", "\0", "- 1", "", "!!python/object:x {}"])
def test_what_is_no_parameter_file_is_one_error(content: str, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(content)
    with pytest.raises(BenchError, match=r"params\.yaml"):
        load_params(tmp_path / "params.yaml")


def test_numbers_are_those_of_yaml_1_2(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("a: 1e-3\nb: 010\nc: no\n")
    assert read_yaml(tmp_path / "p.yaml") == {"a": 1e-3, "b": 10, "c": "no"}


def test_an_unknown_experiment_is_named_with_the_closest() -> None:
    with pytest.raises(BenchError, match='did you mean "a-question"'):
        check({}).experiment("a-queston")


def test_a_grid_of_cells_times_seeds_with_the_baseline_once() -> None:
    grid = experiment(
        variants=["dropout", "pre-activation-dropout"],
        dropout=[0.0, 0.5, "0.5/0.3"],
        input_dropout=[0.0, 0.2],
    )
    labels = [cell.label for cell in grid.cells()]
    assert labels == [
        "standard",
        "dropout 0.5",
        "dropout 0.5/0.3",
        "dropout input 0.2",
        "dropout input 0.2 0.5",
        "dropout input 0.2 0.5/0.3",
        "pre-activation-dropout 0.5",
        "pre-activation-dropout 0.5/0.3",
        "pre-activation-dropout input 0.2",
        "pre-activation-dropout input 0.2 0.5",
        "pre-activation-dropout input 0.2 0.5/0.3",
    ]
    names = [job.name for job in grid.jobs()]
    assert len(set(names)) == len(names) == 2 * len(labels)


def test_every_list_is_an_axis_of_the_grid() -> None:
    grid = experiment(
        hidden=[[16, 8], [4]],
        train_size=[200, 400],
        **{"with": {"nothing": {}, "decay": {"weight_decay": 0.1}}},
    )
    cells = grid.cells()
    assert len(cells) == 2**4
    assert len({cell.label for cell in cells}) == len(cells)
    assert cells[0].label == "standard, 16-8, 200 images, nothing"
    assert len({job.name for job in grid.jobs()}) == len({*grid.runs()}) == 2 * len(cells)
    decayed = [job.run for job in grid.jobs() if job.cell.options == "decay"]
    assert {run.model_dump()["weight_decay"] for run in decayed} == {0.1}
    for cell in cells:
        without = grid.without_dropout(cell)
        if any(cell.dropout):
            assert without is not None
            assert (without.variant, without.hidden, without.options) == (
                "standard",
                cell.hidden,
                cell.options,
            )
        else:
            assert without is None


def test_without_dropout_a_variant_is_the_network_that_it_adds_dropout_to() -> None:
    grid = experiment(variants=["dropout", "batch-norm-dropout", "dropout-batch-norm"])
    labels = [cell.label for cell in grid.cells()]
    assert labels == [
        "standard",
        "dropout 0.5",
        "batch-norm",
        "batch-norm-dropout 0.5",
        "dropout-batch-norm 0.5",
    ]


def test_two_ways_to_write_a_run_are_one_run() -> None:
    one = experiment(dropout=[0.0, 0.5], classes="all").runs()
    two = experiment(dropout=["0.0/0.0", [0.5, 0.5]], classes=list(range(10))).runs()
    assert one == two


def test_experiments_share_their_baseline() -> None:
    params = load_params(PROJECT / "params.yaml")
    one, two = (params.experiments[f"mnist-{name}"].runs() for name in ("tutorial", "layerwise"))
    assert len(set(one) & set(two)) == 10
