"""Arms over draws: what they are compared with, what figures show of them, what is said."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import experiment
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.text import Annotation

from dropout_bench.analysis.claims import Claims
from dropout_bench.analysis.drawn import (
    compared,
    courses,
    dependence,
    drops,
    ended,
    main_arm,
    reference,
)
from dropout_bench.params.arms import Job
from dropout_bench.params.experiment import Experiment
from dropout_bench.quantities.derived.columns import CALIBRATION
from dropout_bench.report import text
from dropout_bench.report.figures import (
    arms,
    chosen,
    confusion,
    curves,
    length,
    rates,
    settings,
)
from dropout_bench.report.figures.kind import of_experiment
from dropout_bench.report.figures.style import NEUTRAL, Colours
from dropout_bench.report.render import render
from dropout_bench.tables.evaluation import Evaluation
from dropout_bench.tables.read import Results, read_results
from dropout_bench.tables.write import Told, Trained, best_of, write_tables

STEP = {"choose": {"times_learning_rate": [1.0, 0.5]}}
RATE = {"choose": {"dropout": [0.5, 0.2]}}
THREE = {
    "none": STEP,
    "dropout": {"variant": "dropout", **RATE},
    "decay": {"choose": {"weight_decay": [0.3, 1.0]}},
    "both": {"variant": "dropout", "dropout": 0.35, "choose": {"weight_decay": [0.3, 1.0]}},
}
TWO = {"none-last": {}, "dropout-last": {"variant": "dropout", "dropout": 0.5}}


def asked(**changes: Any) -> Experiment:
    """A small experiment that draws its setting."""
    drawn = {
        "dataset": ["mnist", "fashion-mnist"],
        "train_size": {"low": 300, "high": 3000},
        "normalise": ["unit", "symmetric", "standardised"],
    }
    settings: dict[str, Any] = {
        "draw": drawn, "draws": 12, "validation_images": 100, "hidden": [16], "batch_size": 64,
        "learning_rate": 1e-3, "steps": 300, "arms": THREE,
    }  # fmt: skip
    return Experiment.model_validate(settings | changes)


Of = Callable[[Job], float]


def written(
    folder: Path,
    made: Experiment,
    accuracy: Of = lambda _: 0.9,
    at_step: Callable[[Job, float], float] = lambda job, steps: 0.8,
    loss: Of = lambda job: 0.5,
    best: Of = lambda job: 1.0,
) -> Results:
    """Write tables and read them: test accuracy, validation accuracy at a step, lowest loss."""
    trained, told = [], {}
    for job in made.jobs():
        run = job.run
        per_epoch = math.ceil((run.train_size - (made.validation_images or 0)) / run.batch_size)
        ends = max(1, round(best(job) * run.epochs))
        rows = [
            {
                "epoch": float(epoch), "train/loss": 0.5, "train/accuracy": 0.95,
                "val/loss": loss(job) + abs(epoch - ends) / 100,
                "val/accuracy": at_step(job, epoch * per_epoch),
            }
            for epoch in range(1, run.epochs + 1)
        ]  # fmt: skip
        figures = {entry.name: 0.5 for entry in CALIBRATION}
        figures |= {name: value for name, value in rows[-1].items() if name != "epoch"}
        figures |= {"test/accuracy": accuracy(job), "test/loss": 1 - accuracy(job)}
        told[job] = Evaluation(1, figures, {}, [[1] * 10] * 10, [])
        trained.append(Trained(job, "a" * 32, "b" * 32, rows))
    runs = [Told(one, told[job]) for job, one in best_of(trained).items()]
    versions = dict.fromkeys(("data", "device", "torch", "lightning"), "made up")
    path = folder / "results" / "small"
    path.mkdir(parents=True)
    write_tables(path, "small", made, trained, runs, [], versions)
    return read_results(folder, "small", made)


def noise(job: Job) -> float:
    """Something that differs from run to run, around 0."""
    return math.sin(7 * job.run.seed + sum(map(ord, job.cell.label))) / 100


def colours_of(results: Results) -> Colours:
    return Colours([results.experiment])


def xs(line: Line2D) -> list[float]:
    return [float(x) for x in np.ravel(np.asarray(line.get_xdata()))]


def ys(line: Line2D) -> list[float]:
    return [float(y) for y in np.ravel(np.asarray(line.get_ydata()))]


def scattered(panel: Axes, count: int) -> list[Line2D]:
    """The lines of a panel that are dots, one a draw."""
    dots = [
        line for line in panel.lines if line.get_marker() == "o" and line.get_linestyle() == "None"
    ]
    return [line for line in dots if len(xs(line)) == count]


def titled(figure: Figure) -> tuple[str, str]:
    """The question of a figure, and what is found."""
    (found,) = figure.findobj(lambda it: isinstance(it, Annotation) and it.axes is None)
    assert isinstance(found, Annotation)
    return figure.get_suptitle().strip(), found.get_text().replace("\n", " ")


def references(made: Experiment) -> dict[str, str | None]:
    found = {cell.label: reference(made, cell) for cell in made.cells()}
    return {label: than.label if than else None for label, than in found.items()}


def test_every_arm_is_compared_with_the_plain_network() -> None:
    assert references(asked()) == {
        "none": None, "dropout": "none", "decay": "none", "both": "none",
    }  # fmt: skip


def test_but_of_the_same_images_and_the_same_checkpoint() -> None:
    wrong = {"wrong_labels": 0.2}
    drops = {"variant": "dropout", **RATE}
    noisy = {"none": STEP, "dropout": drops, "wrong": STEP | wrong, "both": drops | wrong}
    assert references(asked(arms=noisy)) == {
        "none": None, "dropout": "none", "wrong": None, "both": "wrong",
    }  # fmt: skip
    ends = {
        f"{name}-{end}": arm | {"checkpoint": end}
        for name, arm in (("none", {}), ("dropout", {"variant": "dropout", "dropout": 0.5}))
        for end in ("last", "best")
    }
    assert references(asked(arms=ends)) == {
        "none-last": None, "none-best": None,
        "dropout-last": "none-last", "dropout-best": "none-best",
    }  # fmt: skip


def test_without_a_standard_network_it_is_the_same_without_dropout() -> None:
    made = experiment(variants=["sigmoid-dropout"], dropout=[0.0, 0.2])
    assert references(made) == {"sigmoid": None, "sigmoid-dropout 0.2": "sigmoid"}
    sizes = asked(
        draw={"normalise": ["unit", "symmetric"]}, dataset="mnist", train_size=[300, 500], arms=TWO
    )
    assert references(sizes)["dropout-last, 500 images"] == "none-last, 500 images"


@pytest.mark.parametrize(
    ("changes", "label"),
    [
        ({}, "dropout"),
        ({"arms": TWO}, "dropout-last"),
        ({"arms": {}, "variants": ["dropout"], "dropout": [0.0, 0.2, 0.5]}, "dropout 0.5"),
        ({"arms": {}, "variants": ["dropout"], "dropout": [0.0, 0.2]}, "dropout 0.2"),
        ({"arms": {"none": STEP, "selu": {"variant": "selu", **STEP}}}, None),
        ({"hidden": [[8], [16]]}, None),
    ],
)
def test_the_arm_that_stands_for_dropout(changes: dict[str, Any], label: str | None) -> None:
    arm = main_arm(asked(**changes))
    assert (arm and arm.label) == label


GAINS = {"none": 0.0, "dropout": 0.05, "decay": -0.05, "both": 0.001}


def test_arms_are_drawn_by_their_gain_a_dot_a_draw(tmp_path: Path) -> None:
    results = written(tmp_path, asked(), lambda job: 0.9 + GAINS[job.cell.label] + noise(job))
    assert arms.KIND.applies(results)
    figure = arms.draw(results, colours_of(results))
    left, right = figure.axes
    names = [label.get_text() for label in left.get_yticklabels()]
    by_label = {pair.cell.label: pair for pair in compared(results)}
    assert names == sorted(by_label, key=lambda label: -by_label[label].accuracy.mean())
    assert names == ["dropout", "both", "decay"]
    cells = {cell.label: cell for cell in results.experiment.cells()}
    for place, name in enumerate(names):
        accuracy = [results.figures(cells[label], "test/accuracy") for label in (name, "none")]
        expected = 100 * (accuracy[0] - accuracy[1])
        dots = scattered(left, 12)[place]
        assert xs(dots) == pytest.approx(expected)
        assert {round(y) for y in ys(dots)} == {place}
        assert xs(scattered(right, 12)[place]) == pytest.approx(expected / 100, abs=1e-6)
    shares = [told.get_text() for told in left.texts if told.get_text().endswith("%")]
    assert shares == [f"{100 * np.mean(by_label[name].accuracy > 0):.0f} %" for name in names]
    assert left.get_xlabel() == "gain in test accuracy\nover none (points)"
    question, title = titled(figure)
    assert question == "Which of these are better than none?"
    assert title.startswith("1 of 3 arms are clearly better than none, most of all dropout (+")
    assert title.endswith("1 clearly worse: decay")


def test_arms_of_several_references_name_them(tmp_path: Path) -> None:
    ends = {
        f"{name}-{end}": arm | {"checkpoint": end}
        for name, arm in (("none", {}), ("dropout", {"variant": "dropout", "dropout": 0.5}))
        for end in ("last", "best")
    }
    results = written(tmp_path, asked(arms=ends), lambda job: 0.9 + noise(job))
    panel = arms.draw(results, colours_of(results)).axes[0]
    names = {label.get_text() for label in panel.get_yticklabels()}
    assert names == {"dropout-last against none-last", "dropout-best against none-best"}


def unit(job: Job) -> float:
    """A gain of dropout on pixels in [0, 1] alone."""
    gains = bool(job.cell.arm.variant == "dropout") and job.run.normalise.sd == 1.0
    return 0.85 + 0.04 * gains + noise(job) / 4


def test_what_a_gain_goes_with_is_drawn_and_named(tmp_path: Path) -> None:
    results = written(tmp_path, asked(arms=TWO), unit, lambda job, _: 0.8 + noise(job))
    found = dependence(results)
    assert found
    assert [factor.name for factor in found.found] == ["normalise"]
    figure = settings.draw(results, colours_of(results))
    panels = {panel.get_title(): panel for panel in figure.axes}
    assert set(panels) == {"dataset", "images", "pixel scale *", "gap without dropout"}
    question, found_out = titled(figure)
    assert question == "When does dropout-last gain test accuracy over none-last?"
    assert found_out == "It goes with the pixel scale."
    (pair,) = compared(results)
    assert ys(scattered(panels["images"], 12)[0]) == pytest.approx(pair.accuracy)
    assert xs(scattered(panels["images"], 12)[0]) == results.settings["train_size"].tolist()
    held_out = results.figures(pair.than, "val/accuracy")
    gaps = xs(scattered(panels["gap without dropout"], 12)[0])
    assert gaps == pytest.approx(100 * (0.95 - held_out))
    levels = panels["pixel scale *"]
    names = [label.get_text() for label in levels.get_xticklabels()]
    assert names == ["mean 0, sd 1", "[−1, 1]", "[0, 1]"]
    for place, level in enumerate(["standardised", "symmetric", "unit"]):
        here = pair.accuracy[(results.settings["normalise"] == level).to_numpy()]
        drawn = [line for line in scattered(levels, 4) if round(np.mean(xs(line))) == place]
        assert ys(drawn[0]) == pytest.approx(here)
    told = text.goes_with(found)
    assert told.startswith("The gain of dropout-last over none-last goes with the pixel scale (")
    assert "Not shown to matter: " in told


def test_a_gain_that_goes_with_nothing_says_so(tmp_path: Path) -> None:
    found = dependence(written(tmp_path, asked(arms=TWO), lambda job: 0.9 + noise(job)))
    assert found
    assert "goes with nothing of what was asked about" in text.goes_with(found)
    assert text.goes_with(found, short=True) == "It goes with none of these."


def along(job: Job, steps: float) -> float:
    """Accuracy that is a straight line over log steps, another one with dropout."""
    drops = job.cell.variant == "dropout"
    scale = {(0.0, 1.0): 1.0, (0.5, 0.5): 0.0}.get((job.run.normalise.mean, job.run.normalise.sd))
    rise = 0.02 if scale is None else 0.02 * scale
    return 0.5 + (rise * math.log(steps / 100) if drops else 0.0)


def test_gains_are_followed_over_equally_many_steps_whatever_an_epoch_is(tmp_path: Path) -> None:
    results = written(tmp_path, asked(arms=TWO), at_step=along)
    found = {course.name: course for course in courses(results)}
    assert set(found) == {"unit", "symmetric", "standardised"}
    for name, rise in (("unit", 2.0), ("standardised", 2.0), ("symmetric", 0.0)):
        means = [gain.mean for gain in found[name].gains]
        assert means == pytest.approx(rise * np.log(found[name].steps / 100), abs=1e-3)
    assert found["symmetric"].ahead_from == math.inf
    steps = found["unit"].steps
    assert found["unit"].ahead_from == min(step for step in steps if step > 100)
    assert length.KIND.applies(results)
    figure = length.draw(results, colours_of(results))
    (panel,) = figure.axes
    drawn = {str(line.get_label()): ys(line) for line in panel.lines}
    assert drawn["[0, 1]"] == [gain.mean for gain in found["unit"].gains]
    question, told = titled(figure)
    assert question == "After how many steps does dropout pay?"
    assert "[−1, 1]: nowhere" in told
    about = float(f"{found['unit'].ahead_from:.2g}")
    assert f"[0, 1]: from about {about:.0f} steps" in told


def test_with_several_arms_the_gain_of_each_is_followed(tmp_path: Path) -> None:
    more: dict[str, Any] = {"none": {}} | {
        f"rate-{n}": {"variant": "dropout", "dropout": n / 10} for n in (2, 5)
    }
    named = {name.translate(str.maketrans("25", "bc")): arm for name, arm in more.items()}
    results = written(tmp_path, asked(arms=named), at_step=along)
    assert [course.name for course in courses(results)] == ["rate-b", "rate-c"]


def test_what_was_chosen_is_counted_by_value(tmp_path: Path) -> None:
    liked = {"dropout=0.2": 0.1, "times_learning_rate=1.0": 0.1}
    results = written(
        tmp_path, asked(),
        loss=lambda job: 0.5 - (liked.get(job.candidate, 0.0) if job.run.seed < 9 else -0.1)
        - 0.2 * (job.candidate == "dropout=0.5" and job.run.seed >= 9),
    )  # fmt: skip
    figure = chosen.draw(results, colours_of(results))
    (panel,) = figure.axes
    names = [label.get_text() for label in panel.get_yticklabels()]
    assert names[:2] == ["none (times the step size)", "dropout (rate)"]
    rows = results.candidates[results.candidates["chosen"] == 1]
    assert len(rows[(rows["arm"] == "dropout") & (rows["candidate"] == "dropout=0.2")]) == 9
    told = [text.get_text() for text in panel.texts if text.get_position()[1] == 1]
    assert told == ["0.2 (9)", "0.5 (3)"]
    bars = [bar for bar in panel.patches if isinstance(bar, Rectangle) and bar.get_y() == 0.5]
    assert [bar.get_x() for bar in bars] == [0, 1], "by value"
    often, seldom = (sum(to_rgb(bar.get_facecolor())) for bar in bars)
    assert often < seldom, "the more often, the darker"


def test_rates_at_drawn_settings_show_the_paired_gain(tmp_path: Path) -> None:
    grid = {"arms": {}, "variants": ["dropout"], "hidden": [16, 8]}
    made = asked(**grid, dropout=[0.0, 0.2, 0.5, "0.5/0.3"])
    results = written(tmp_path, made, lambda job: 0.9 + max(job.run.dropout) / 50 + noise(job))
    figure = rates.draw(results, colours_of(results))
    panels = {panel.get_ylabel(): panel for panel in figure.axes}
    assert set(panels) == {"gain in test accuracy (points)", "mean test error (%)", "gap (points)"}
    gains = panels["gain in test accuracy (points)"]
    pairs = {pair.cell.label: pair.accuracy for pair in compared(results)}
    drawn = [ys(line) for line in scattered(gains, 12)]
    assert drawn == [pytest.approx(pairs[f"dropout {rate}"]) for rate in ("0.2", "0.5")]
    assert [told.get_text() for told in gains.texts] == ["0.5/0.3"]
    (line,) = [line for line in gains.lines if len(xs(line)) == 3]
    assert xs(line) == [0.0, 0.2, 0.5]
    assert ys(line)[0] == 0.0
    question, found_out = titled(figure)
    assert question == "Which dropout rate is best?"
    assert found_out.startswith("Largest mean gain: dropout 0.")


def test_an_experiment_has_the_figures_that_mean_something(tmp_path: Path) -> None:
    def names(folder: str, **changes: Any) -> set[str]:
        results = written(tmp_path / folder, asked(**changes))
        return {kind.name for kind in of_experiment(results)}

    whole = names("named")
    assert whole == {"arms", "length", "chosen"}, "no curves of settings that differ"
    alone = names("dropout alone", arms=TWO)
    assert alone == {"arms", "length", "settings"}, "what a gain depends on is asked of one kind"
    ends = {"patience_steps": 100, "patience": 2, "checkpoint": "best"}
    assert names("ending", **ends) == whole - {"length"}, "its trainings are of any length"
    one = {"draw": {}, "dataset": "mnist", "train_size": 300}
    assert names("fixed", **one) == {"arms", "curves", "chosen"}
    assert "gain" in names("along", hidden=[[8], [16]])
    assert curves.KIND.name not in whole
    drawn = asked(measures=["features"])
    results = written(tmp_path / "again", asked())
    assert not confusion.KIND.applies(Results(**{**vars_of(results), "experiment": drawn}))


def vars_of(results: Results) -> dict[str, Any]:
    return {name: getattr(results, name) for name in Results.__dataclass_fields__}


def test_arms_of_a_report_are_told_apart() -> None:
    made = asked()
    colours = Colours([made])
    cells = made.cells()
    looks = [tuple(look.values()) for _, look in colours.lines(cells)]
    assert len(set(looks)) == len(cells)
    assert {colours(cell) for cell in cells if not drops(cell.arm)} == {NEUTRAL}


def test_the_report_tells_of_draws_of_convergence_and_of_what_is_not_tested(
    tmp_path: Path,
) -> None:
    made = asked(arms=TWO, patience_steps=100, checkpoint="best")
    late = {3, 5}
    results = written(
        tmp_path, made, unit,
        best=lambda job: 1.0 if job.run.seed in late and any(job.run.dropout) else 0.5,
    )  # fmt: skip
    rows = {row.cell.label: row for row in ended(results)}
    assert rows["none-last"].short == ()
    assert set(rows["dropout-last"].short) == late
    assert rows["none-last"].used == 1.0
    claims = Claims.model_validate({
        "sources": {"somebody": "a page"},
        "untested": {
            "elsewhere": {"source": "somebody", "says": "It is so.", "why": "no such network"}
        },
    })  # fmt: skip
    told = render({"small": made}, claims, tmp_path).read_text()
    steps = text.thousands([round(rows["dropout-last"].steps)])[0]
    assert f"| dropout-last | {steps} | 100 % | 2 of 12 |" in told
    assert "Convergence: 2 of 24 trainings cut short by their limit" in told
    assert "| It is so. | a page | no such network |" in told
    (pair,) = compared(results)
    accuracy = pair.in_accuracy
    parts = [
        text.interval(accuracy.gain),
        text.share(accuracy.better),
        text.ends(accuracy.one_more),
    ]
    assert f"| dropout-last | none-last | {' | '.join(parts)} |" in told
    found = dependence(results)
    assert found
    assert text.goes_with(found) in told
    assert "shows no clear difference" not in told, "sentences are of experiments without draws"
    assert "accuracy by class" not in told, "classes are of two datasets"
