"""The laws of drawing and choosing: what arms share, what is balanced, what is never looked at."""

import hashlib
import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import experiment, make_dataset
from project import bench, write_project
from ruamel.yaml import YAML
from test_stage import Full, evaluate

from dropout_bench.data.modules import subset_of
from dropout_bench.errors import BenchError
from dropout_bench.params.draws import BLOCK, PARTS, Drawn, Range, WholeRange, place
from dropout_bench.params.experiment import SETTING, Experiment
from dropout_bench.params.file import Params, load_params, validated
from dropout_bench.params.run import Run
from dropout_bench.tables.read import read_table
from dropout_bench.tables.write import Trained, best_of
from dropout_bench.training.keys import Identity, library_versions

PROJECT = Path(__file__).parents[1]
DRAW: dict[str, Any] = {
    "dataset": ["mnist", "fashion-mnist"],
    "train_size": {"low": 300, "high": 3000},
    "normalise": ["unit", "symmetric", "standardised"],
    "hidden": [[64, 64], [128, 64], [64, 32], [32, 32]],
    "batch_size": [32, 64, 128],
    "learning_rate": {"low": 5e-4, "high": 2e-3},
}
ARMS: dict[str, Any] = {
    "none": {"choose": {"times_learning_rate": [1.0, 0.5]}},
    "dropout": {"variant": "dropout", "choose": {"dropout": [0.2, 0.5]}},
    "decay": {"choose": {"weight_decay": [0.1, 1.0]}},
}
SETTINGS: dict[str, Any] = {
    "draw": DRAW,
    "draws": 4,
    "validation_images": 1000,
    "steps": 1000,
    "patience_steps": 300,
    "checkpoint": "best",
    "arms": ARMS,
}


def drawn(**changes: Any) -> Experiment:
    """Return an experiment that draws its settings; what is None is left out."""
    content = {k: v for k, v in (SETTINGS | changes).items() if v is not None}
    return Experiment.model_validate(content)


def fault(**changes: Any) -> str:
    content = {k: v for k, v in (SETTINGS | changes).items() if v is not None}
    with pytest.raises(BenchError) as caught:
        validated(Params, {"experiments": {"a-question": content}}, Path("params.yaml"))
    return str(caught.value)


def shared(run: Run) -> dict[str, Any]:
    """What all arms of a draw have in common."""
    names = {"seed", "classes", "validation", "epochs", *SETTING} - {"learning_rate"}
    return run.model_dump(include=names)


def test_arms_share_the_draw_and_so_do_candidates_and_experiments() -> None:
    jobs = drawn().jobs()
    by_seed = {seed: [job for job in jobs if job.run.seed == seed] for seed in range(4)}
    for seed, of_draw in by_seed.items():
        assert len(of_draw) == 3 * 2
        first = shared(of_draw[0].run)
        assert all(shared(job.run) == first for job in of_draw)
        steps = {job.candidate or job.cell.label: job.run.learning_rate for job in of_draw}
        step = steps.pop("times_learning_rate=1.0")
        assert steps.pop("times_learning_rate=0.5") == pytest.approx(step / 2)
        assert set(steps.values()) == {step}
        setting = drawn().setting(seed)
        assert (setting.dataset, setting.hidden) == (first["dataset"], first["hidden"])
    assert len({json.dumps(shared(those[0].run), default=str) for those in by_seed.values()}) == 4
    other = drawn(arms={"only": {"variant": "standout", "dropout": 0.3}})
    for job in other.jobs():
        assert shared(job.run) == shared(by_seed[job.run.seed][0].run)


def test_experiments_of_the_project_share_their_draws() -> None:
    experiments = load_params(PROJECT / "params.yaml").experiments
    together = [each for each in experiments.values() if each.draws and each.draw.names]
    assert len(together) > 5
    for seed in range(12):
        values: dict[tuple[str, str], set[str]] = {}
        for each in together:
            for name, value in each.setting(seed).drawn.items():
                from_these = str(getattr(each.draw, name))
                values.setdefault((name, from_these), set()).add(str(value))
        assert all(len(found) == 1 for found in values.values())
    plain = {
        name: {
            job.run
            for job in experiments[name].jobs()
            if job.cell.arm.variant == "dropout" and job.run.dropout == (0.5, 0.5)
        }
        for name in ("rates", "inside")
    }
    assert plain["rates"] == plain["inside"] != set()


@pytest.mark.parametrize("count", [PARTS, 2 * PARTS, BLOCK])
@pytest.mark.parametrize("block", [0, 1, 21])
def test_the_first_draws_of_a_block_are_balanced_in_every_quantity(count: int, block: int) -> None:
    draws = range(block * BLOCK, block * BLOCK + count)
    draw = Drawn.model_validate(DRAW)
    settings = [draw.at(number) for number in draws]
    for name in draw.names:
        where = [place(name, number) for number in draws]
        assert sorted(int(count * each) for each in where) == list(range(count)), name
        values = getattr(draw, name)
        if isinstance(values, Range):
            parts = [
                int(count * math.log(one[name] / values.low) / math.log(values.high / values.low))
                for one in settings
            ]
            if isinstance(values, WholeRange):  # rounded: at a part's end it may fall beside it
                assert np.abs(np.sort(parts) - np.arange(count)).max() <= 1
            assert all(values.low <= one[name] <= values.high for one in settings)
        else:
            told = Counter(str(one[name]) for one in settings)
            assert set(told) == {str(value) for value in values}
            assert set(told.values()) == {count / len(values)}


FIRST: list[dict[str, Any]] = [
    {
        "dataset": "mnist", "train_size": 357, "normalise": "unit", "hidden": (64, 32),
        "batch_size": 32, "learning_rate": 0.000511,
    },
    {
        "dataset": "fashion-mnist", "train_size": 2721, "normalise": "unit", "hidden": (128, 64),
        "batch_size": 64, "learning_rate": 0.00186,
    },
    {
        "dataset": "mnist", "train_size": 488, "normalise": "standardised", "hidden": (64, 64),
        "batch_size": 64, "learning_rate": 0.0017,
    },
]  # fmt: skip
LATER = [0.202116, 0.611503, 0.46719]


def test_draws_are_what_they_were() -> None:
    """Frozen: a change here makes every committed run another one."""
    draw = Drawn.model_validate(DRAW)
    assert [draw.at(number) for number in (0, 1, 2)] == FIRST
    assert [round(place("learning_rate", number), 6) for number in (47, 48, 1008)] == LATER


def test_a_draw_does_not_depend_on_how_many_there_are() -> None:
    few, many = drawn(draws=3), drawn(draws=60)
    assert [few.setting(n) for n in few.seeds] == [many.setting(n) for n in few.seeds]
    keys = {job.name: Identity.here(job.run, "data", "CPU").key for job in few.jobs()}
    more = {job.name: Identity.here(job.run, "data", "CPU").key for job in many.jobs()}
    assert keys.items() <= more.items()
    assert len({*more.values()}) == len(more) == 60 * 6
    later = drawn(draws=2, first_draw=1)
    assert later.seeds == (1, 2)
    assert {job.run for job in later.jobs()} < {job.run for job in few.jobs()}


def test_a_draw_is_the_same_whatever_else_is_drawn() -> None:
    whole = Drawn.model_validate(DRAW)
    for name in DRAW:
        alone = Drawn.model_validate({name: DRAW[name]})
        assert [alone.at(n)[name] for n in range(30)] == [whole.at(n)[name] for n in range(30)]
    fixed = {name: values for name, values in DRAW.items() if name != "hidden"}
    other = drawn(draw=fixed, hidden=[[8], [8, 8]])
    assert other.setting(3).train_size == drawn().setting(3).train_size


@pytest.mark.parametrize("values", [["unit"], [32, 48, 64, 96, 128], list(range(1, 9))])
def test_a_list_that_cannot_be_balanced_is_an_error(values: list[Any]) -> None:
    name = "normalise" if isinstance(values[0], str) else "batch_size"
    told = fault(draw=DRAW | {name: values})
    assert f"draw.{name}" in told
    assert ("cannot be balanced over 12 draws" if len(values) > 1 else "at least 2") in told


FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"seeds": [0, 1]}, "seeds, draws: both are given; drop one"),
    ({"draws": None}, "seeds, draws: missing; give one of them"),
    ({"epochs": 3}, "epochs, steps: both are given; drop one"),
    ({"steps": None}, "epochs, steps: missing; give one of them"),
    ({"dataset": "mnist"}, "dataset: it is drawn too, by draw.dataset; drop one of them"),
    ({"variants": ["dropout"]}, "variants: it makes a grid, and arms are given; drop one"),
    ({"dropout": [0.5]}, "dropout: it makes a grid, and arms are given; drop one"),
    ({"with": {"a": {}}}, "it makes a grid, and arms are given; drop one"),
    ({"arms": None}, "variants, arms: missing; what is to be compared?"),
    ({"draw": {"dataset": ["mnist", "fashion-mnist"]}}, "hidden: missing; give it, or draw it"),
    ({"draw": DRAW | {"dataset": ["mnist", "digts"]}}, 'no dataset "digts"; did you mean "digits"'),
    ({"draw": DRAW | {"normalise": ["unit", "unti"]}}, 'no scale "unti"; did you mean "unit"'),
    ({"draw": DRAW | {"train_size": {"low": 9, "high": 3}}}, "train_size: low: 9 is not below"),
    ({"draw": DRAW | {"train_size": {"low": 1, "high": 59_500}}}, "59500 images are asked for"),
    ({"validation": 0.1}, "validation, validation_images: both are given; drop one"),
    ({"validation_images": 9}, "validation_images: 9 are fewer than the 10 classes"),
    ({"validation_images": None}, "needs a validation split"),
    ({"keep_every_epoch": True}, "keep_every_epoch needs a fixed number of epochs"),
    ({"measures": ["examples"]}, "examples are of one dataset, and datasets are drawn"),
    ({"arms": ARMS | {"more": {"choose": {"l2": [0.1, 0.2, 0.3]}}}}, "none 2, .*more 3.*give all"),
    ({"arms": ARMS | {"plain": {}}}, "plain 1.* more choice is an advantage"),
    ({"arms": {"a": {"choose": {"l2": [0.1]}}}}, "nothing to choose among 1"),
    ({"arms": {"a": {"choose": {"l2": [0.1, 0.1]}}}}, "listed twice"),
    ({"arms": {"a": {"choose": {"variant": ["selu", "dropout"]}}}}, '"variant" cannot be chosen'),
    ({"arms": {"a": {"choose": {"dropuot": [0.1, 0.2]}}}}, 'did you mean "dropout"'),
    ({"arms": {"a": {"choose": {"dropout": [0.1, 0.2]}}}}, '"standard" takes no dropout'),
    ({"arms": {"a": {"choose": {"l2": [0.1, -1.0]}}}}, "greater than or equal to 0"),
    ({"arms": {"a": {"variant": "selu", "dropout": 0.5}}}, '"selu" takes no dropout'),
    ({"arms": {"a": {"variant": "dropout", "dropout": "0.5/0.3/0.1"}}}, "3 rates for 2 hidden"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "told"), FAULTS)
def test_what_does_not_fit_together_is_an_error(changes: dict[str, Any], told: str) -> None:
    import re

    said = fault(**changes)
    assert said.startswith("params.yaml: experiments.a-question")
    assert re.search(told, said), said


def test_epochs_and_patience_are_steps_in_whole_epochs() -> None:
    for job in drawn(draws=12).jobs():
        run = job.run
        images = run.train_size - 1000
        per_epoch = math.ceil(images / run.batch_size)
        assert run.epochs == math.ceil(1000 / per_epoch)
        assert run.model_dump()["patience"] == math.ceil(300 / per_epoch)
    longer = drawn(patience=20)
    for job, short in zip(longer.jobs(), drawn().jobs(), strict=True):
        told, in_steps = job.run.model_dump()["patience"], short.run.model_dump()["patience"]
        assert told == max(20, in_steps)
    with_fraction = experiment(epochs=None, steps=100, train_size=300, validation=0.2)
    assert {run.epochs for run in with_fraction.runs()} == {math.ceil(100 / math.ceil(240 / 32))}


@pytest.mark.parametrize("size", [50, 101, 250, 333])
@pytest.mark.parametrize("held_out", [10, 51, 67])
def test_images_for_validation_are_beside_those_for_training(
    size: int, held_out: int, raw: Path
) -> None:
    asked = experiment(train_size=size, validation=0.0, validation_images=held_out)
    data = subset_of(asked.runs()[0], raw)
    data.prepare_data()
    data.setup("fit")
    labels = [
        np.concatenate([labels.numpy() for _, labels in loader])
        for loader in (data.train_dataloader(), data.val_dataloader())
    ]
    assert [len(those) for those in labels] == [size, held_out]
    for those in labels:
        counts = np.bincount(those, minlength=10)
        assert counts.max() - counts.min() <= 1, "every class has as many, but for the rest"


def test_the_fraction_of_any_number_of_images_is_that_number() -> None:
    """A split takes the fraction of all images, rounded up."""
    for size in (100, 300, 1000, 2999, 3000, 10_000, 59_000):
        for held_out in (10, 50, 999, 1000):
            asked = drawn(
                draw={k: v for k, v in DRAW.items() if k != "train_size"},
                train_size=size, validation_images=held_out, draws=1,
            )  # fmt: skip
            run = asked.runs()[0]
            assert run.train_size == size + held_out
            assert math.ceil(run.validation * run.train_size) == held_out


def trained(settings: Experiment, losses: dict[str, list[float]]) -> list[Trained]:
    """Runs whose validation losses are those, by candidate, epoch by epoch."""
    return [
        Trained(
            job, "a" * 32, "b" * 32,
            [
                {"epoch": epoch, "val/loss": loss, "val/accuracy": 0.5}
                for epoch, loss in enumerate(losses[job.candidate], start=1)
            ],
        )
        for job in settings.jobs()
    ]  # fmt: skip


def chosen_of(settings: Experiment, losses: dict[str, list[float]]) -> dict[str, str]:
    best = best_of(trained(settings, losses))
    assert len(best) == len(settings.cells()) * len(settings.seeds)
    assert all(job == one.job for job, one in best.items())
    return {job.cell.label: job.candidate for job in best}


def test_the_lowest_validation_loss_of_the_evaluated_weights_is_chosen() -> None:
    arms = {name: ARMS[name] for name in ("none", "dropout")}
    small, half = "times_learning_rate=0.5", "times_learning_rate=1.0"
    losses = {half: [3.0, 1.0, 2.0], small: [3.0, 1.5, 1.5]}
    losses |= {"dropout=0.2": [2.0, 2.0, 0.9], "dropout=0.5": [0.9, 3.0, 3.0]}
    best = drawn(arms=arms, checkpoint="best")
    assert chosen_of(best, losses) == {"none": half, "dropout": "dropout=0.2"}, (
        "of equals the first"
    )
    last = drawn(arms=arms, checkpoint="last")
    assert chosen_of(last, losses) == {"none": small, "dropout": "dropout=0.2"}
    of_arm = arms | {"none": arms["none"] | {"checkpoint": "last"}}
    assert chosen_of(drawn(arms=of_arm), losses)["none"] == small
    ties = {candidate: [1.0, 1.0] for candidate in losses}
    assert chosen_of(best, ties) == {"none": half, "dropout": "dropout=0.2"}


def test_the_order_of_draws_and_arms_does_not_matter_to_the_choice() -> None:
    settings = drawn()
    losses = {job.candidate: [float(n % 5)] for n, job in enumerate(settings.jobs())}
    runs = trained(settings, losses)
    assert best_of(runs).keys() == best_of(sorted(runs, key=lambda one: one.job.run.seed)).keys()


def left_by_training(root: Path, settings: Experiment, same: tuple[str, ...] = ()) -> None:
    """Write what training leaves: the second candidate is the better one at odd draws."""
    about = {"device": "CPU", "data": "d", "files": {}, **library_versions()}
    for job in settings.jobs():
        folder = root / "runs" / "small" / job.name
        folder.mkdir(parents=True)
        second = job.candidate == job.cell.arm.candidates()[1].text(job.cell.arm)
        loss = 0.5 if second == bool(job.run.seed % 2) else 0.7
        own = f"{job.cell.label} {job.run.seed}" + (job.candidate not in same) * job.candidate
        (folder / "run.json").write_text(json.dumps(about | {"key": key_of(job.name)}))
        (folder / "curves.csv").write_text(
            f"epoch,train/loss,val/loss,val/accuracy\n1,0.5,{loss},0.5\n2,0.4,0.9,0.5\n"
        )
        (folder / "best.safetensors").write_bytes(own.encode())


def key_of(name: str) -> str:
    return hashlib.md5(name.encode()).hexdigest()  # noqa: S324


SMALL: dict[str, Any] = {
    "draws": 3,
    "draw": {"learning_rate": {"low": 0.001, "high": 0.01}},
    "learning_rate": None,
    "checkpoint": "best",
    "patience": 2,
    "arms": ARMS,
}


def small(**changes: Any) -> Experiment:
    content = {
        "dataset": "mnist", "train_size": 300, "validation": 0.2, "hidden": [16, 8],
        "batch_size": 32, "epochs": 2,
    } | SMALL | changes  # fmt: skip
    return Experiment.model_validate({k: v for k, v in content.items() if v is not None})


def test_what_was_not_chosen_is_never_evaluated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, asked = small(), set()

    def get_beside(self: Full, key: str, name: str) -> bytes:
        asked.add(key)
        return seen(self, key, name)

    seen = Full.get_beside
    monkeypatch.setattr(Full, "get_beside", get_beside)
    left_by_training(tmp_path, settings)
    evaluate(tmp_path, settings)
    better = {
        job.name: job.candidate
        for job in settings.jobs()
        if job.candidate == job.cell.arm.candidates()[job.run.seed % 2].text(job.cell.arm)
    }
    assert asked == {key_of(name) for name in better}
    assert len(better) == 3 * 3
    evaluated = {
        str(path.parent.relative_to(tmp_path / "evaluations" / "small"))
        for path in (tmp_path / "evaluations").rglob("evaluation.json")
    }
    assert evaluated == set(better)
    folder = tmp_path / "results" / "small"
    candidates, runs = (read_table(folder / f"{name}.csv") for name in ("candidates", "runs"))
    assert len(candidates) == 2 * len(runs) == 2 * 9
    assert not any("test/" in str(name) for name in candidates), "a column of test figures"
    told = candidates[candidates["chosen"] == 1]
    assert set(told["key"]) == set(runs["key"]) == asked
    for _, of_draw in candidates.groupby(["arm", "seed"]):
        assert of_draw.loc[of_draw["chosen"] == 1, "val/loss"].tolist() == [0.5]


def test_a_value_to_choose_from_that_changes_nothing_is_an_error(tmp_path: Path) -> None:
    arms = {
        "none": ARMS["none"],
        "norm": {"choose": {"max_norm": [1.0, 2.0]}},
    }
    settings = small(arms=arms)
    left_by_training(tmp_path, settings, same=("max_norm=1.0", "max_norm=2.0"))
    with pytest.raises(BenchError) as caught:
        evaluate(tmp_path, settings)
    told = str(caught.value)
    assert '"norm, max_norm=2.0" has the weights of "norm, max_norm=1.0" at every seed' in told
    assert "in params.yaml change arms.norm of small" in told
    assert not (tmp_path / "results").exists()


@pytest.mark.slow
def test_from_drawn_settings_to_a_report(tmp_path: Path, workers: dict[str, str]) -> None:
    content = {
        "draw": {
            "dataset": ["mnist", "fashion-mnist"],
            "train_size": [100, 150, 200],
            "learning_rate": {"low": 0.003, "high": 0.01},
        },
        "draws": 2,
        "validation_images": 50,
        "hidden": [16, 8],
        "batch_size": 32,
        "steps": 30,
        "patience_steps": 9,
        "checkpoint": "best",
        "arms": ARMS,
        "measures": ["reliability"],
    }
    root = write_project(tmp_path / "p", drawn=content)
    make_dataset(root / "data" / "raw" / "fashion-mnist")
    said = bench(root, "train", "drawn", workers=workers)
    assert "12 done, 0 running, 0 failed, 0 reused, of 12" in said
    said = bench(root, "evaluate", "drawn", workers=workers)
    assert "6 done, 0 running, 0 failed, 0 reused, of 6" in said
    folder = root / "reports" / "results" / "drawn"
    candidates, runs = (read_table(folder / f"{name}.csv") for name in ("candidates", "runs"))
    evaluated = {path.parent.name for path in (root / "run-store").glob("*/evaluation-*")}
    assert evaluated == set(runs["key"]) == set(candidates.loc[candidates["chosen"] == 1, "key"])
    assert set(runs["dataset"]) == {"mnist", "fashion-mnist"}
    data = json.loads((folder / "versions.json").read_text())["data"]
    assert [part.split()[0] for part in data.split(", ")] == ["fashion-mnist", "mnist"]
    assert "report: reports/report.md" in bench(root, "report")
    YAML().dump({"experiments": {"drawn": content | {"draws": 3}}}, root / "params.yaml")
    said = bench(root, "train", "drawn", workers=workers)
    assert "6 done, 0 running, 0 failed, 12 reused, of 18" in said
    said = bench(root, "evaluate", "drawn", workers=workers)
    assert "3 done, 0 running, 0 failed, 6 reused, of 9" in said
