"""What a reader with ten seconds is told: computed from the tables, and no more than they say."""

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from project import PROJECT
from test_drawn import asked, written

from dropout_bench.analysis.claims import Claims
from dropout_bench.analysis.findings import Findings, findings
from dropout_bench.params.arms import Job
from dropout_bench.report import sentences
from dropout_bench.report.figures import headline
from dropout_bench.report.figures.style import Colours
from dropout_bench.report.render import render
from dropout_bench.tables.read import Results

GRID: dict[str, Any] = {
    "arms": {}, "variants": ["dropout"], "dropout": [0.0, 0.2, 0.5, 0.8], "question": "Which rate?",
}  # fmt: skip


def seeded(job: Job) -> float:
    return float(np.random.default_rng([job.run.seed, len(job.cell.label)]).normal(0, 0.002))


def gains(**by_rate: float) -> Any:
    """Return accuracies: 0.9 and what is gained at each rate, with noise."""

    def accuracy(job: Job) -> float:
        gain = by_rate.get(f"r{job.run.dropout[0]:g}".replace(".", "_"), 0.0)
        return 0.9 + gain + (seeded(job) if gain else 0.0)

    return accuracy


def of_rates(folder: Path, **by_rate: float) -> Findings:
    found = findings([written(folder, asked(**GRID), accuracy=gains(**by_rate))])
    assert found
    return found


def test_the_best_rate_is_named_with_its_interval_and_no_more(tmp_path: Path) -> None:
    found = of_rates(tmp_path, r0_2=0.01, r0_5=0.02, r0_8=-0.05)
    assert [row.cell.dropout[0] for row in found.by_rate] == [0.2, 0.5, 0.8]
    assert found.best.cell.label == "dropout 0.5"
    told = sentences.headline(found)
    assert told.startswith(
        "Dropout helps on average: at rate 0.5, the best of 3 here, it changes the test accuracy by"
    )
    gain = found.best.in_accuracy.gain
    assert (
        f"{gain.mean:+.2f} ({gain.low:+.2f} to {gain.high:+.2f}) percentage points, over 12" in told
    )
    thumb = sentences.rule_of_thumb(found)
    assert "between 0.2 and 0.5" in thumb
    assert re.search(r"0\.8 costs accuracy \(-[45]\.\d\d points\)", thumb)


def test_where_nothing_helps_that_is_said(tmp_path: Path) -> None:
    found = of_rates(tmp_path, r0_2=-0.01, r0_5=-0.02, r0_8=-0.05)
    assert sentences.headline(found).startswith("Dropout harms on average: at rate 0.2")
    assert sentences.rule_of_thumb(found).startswith("Leave it out")
    assert "0.2, 0.5 and 0.8 costs accuracy" in sentences.rule_of_thumb(found)


def test_one_good_rate_is_no_range(tmp_path: Path) -> None:
    found = of_rates(tmp_path, r0_2=0.01, r0_5=-0.02, r0_8=-0.05)
    assert sentences.rule_of_thumb(found).startswith("Use a rate of 0.2")


def test_without_rates_over_drawn_settings_there_is_no_headline(tmp_path: Path) -> None:
    few = GRID | {"dropout": [0.0, 0.2, 0.5]}
    assert findings([written(tmp_path / "few", asked(**few))]) is None
    fixed = GRID | {"draw": {}, "train_size": 300, "normalise": "unit", "dataset": "mnist"}
    assert findings([written(tmp_path / "fixed", asked(**fixed))]) is None
    assert findings([]) is None


def sizes(folder: Path) -> Results:
    drawn = {"dataset": ["mnist", "fashion-mnist"]}
    arms = {
        "none": {},
        "half": {"variant": "dropout", "dropout": 0.5},
    }
    made = asked(draw=drawn, train_size=[200, 400], normalise="unit", arms=arms)
    return written(folder, made, accuracy=lambda job: 0.9 + 0.01 * (job.run.dropout[0] > 0))


def choosing(folder: Path, gain: float) -> Results:
    arms = {
        "none": {"choose": {"times_learning_rate": [1.0, 0.5]}},
        "dropout": {"variant": "dropout", "choose": {"dropout": [0.2, 0.5]}},
    }

    def accuracy(job: Job) -> float:
        return 0.9 + (gain + seeded(job)) * (job.run.dropout[0] > 0)

    return written(folder, asked(arms=arms), accuracy=accuracy)


@pytest.mark.parametrize(
    ("gain", "told"), [(0.02, "helps on average"), (0.0, "does not clearly help")]
)
def test_a_rate_that_validation_chose_comes_before_the_best_one(
    tmp_path: Path, gain: float, told: str
) -> None:
    rates = written(tmp_path / "rates", asked(**GRID), accuracy=gains(r0_5=0.05))
    found = findings([rates, choosing(tmp_path / "chosen", gain)])
    assert found
    assert found.chosen
    assert found.chosen.cell.label == "dropout"
    said = sentences.headline(found)
    assert said.startswith(f"Dropout {told}: with its rate chosen on validation images")
    assert f"{found.chosen.in_accuracy.gain.mean:+.2f} (" in said


def test_what_decides_tells_what_the_gain_goes_with_or_that_nothing_does(tmp_path: Path) -> None:
    rates = written(tmp_path / "rates", asked(**GRID), accuracy=gains(r0_5=0.02))
    found = findings([rates, sizes(tmp_path / "sizes")])
    assert found
    assert [row.cell.train_size for row in found.by_images] == [200, 400]
    assert found.dependence
    assert not found.dependence.found
    assert sentences.what_decides(found).startswith("Nothing that was varied clearly does: ")
    by_dataset = written(
        tmp_path / "data", asked(**GRID),
        accuracy=lambda job: 0.9 + 0.05 * (job.run.dropout[0] > 0 and job.run.dataset == "mnist")
        + seeded(job),
    )  # fmt: skip
    found = findings([by_dataset])
    assert found
    assert "goes with the dataset (" in sentences.what_decides(found)


def test_the_picture_shows_the_means_that_are_told(tmp_path: Path) -> None:
    rates = written(tmp_path / "rates", asked(**GRID), accuracy=gains(r0_2=0.01, r0_5=0.02))
    found = findings([rates, sizes(tmp_path / "sizes")])
    assert found
    figure = headline.draw(found, Colours([rates.experiment]))
    titles = [panel.get_title() for panel in figure.axes]
    assert titles == [
        "At which rate?", "With how many images?", "Where it overfits more?",
    ]  # fmt: skip
    at_rate, by_images, _ = figure.axes
    means = [line for line in at_rate.lines if line.get_marker() == "D"]
    assert np.asarray(means[0].get_xdata()) == pytest.approx([0.2, 0.5, 0.8])
    expected = [row.in_accuracy.gain.mean for row in found.by_rate]
    assert np.asarray(means[0].get_ydata()) == pytest.approx(expected)
    assert [tick.get_text() for tick in by_images.get_xticklabels()] == ["200", "400"]


def test_findings_stand_alone_as_they_open_the_report(tmp_path: Path) -> None:
    written(tmp_path, asked(**GRID), accuracy=gains(r0_5=0.02))
    claims = Claims.model_validate({
        "sources": {"t": "a tutorial"},
        "claims": {
            "better": {
                "source": "t", "says": "Dropout is better.", "experiment": "small",
                "checks": [{"metric": "test/accuracy", "of": "dropout 0.5", "is": "higher",
                            "than": "standard"}],
            },
        },
    })  # fmt: skip
    report = render({"small": asked(**GRID)}, claims, tmp_path).read_text()
    alone = (tmp_path / "findings.md").read_text()
    assert alone.strip() in report
    assert "Of 1 claims 1 are supported, 0 contradicted and 0 shown" in alone
    assert "- *Is so*: Dropout is better." in alone
    assert (tmp_path / "figures" / "headline.png").is_file()
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert f"by {metrics['gain (points)']:+.2f} (" in alone
    assert metrics["supported"] == 1


def test_the_readme_says_what_was_found_as_the_report_does() -> None:
    spec = importlib.util.spec_from_file_location("readme", PROJECT / "docs" / "readme.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    readme = (PROJECT / "README.md").read_text()
    found = (PROJECT / "reports" / "findings.md").read_text()
    assert module.written(readme, found) == readme, "run: make docs"
    assert "](reports/figures/headline.png)" in readme
    once = module.written(
        "a\n<!-- found: written by make docs -->\nold\n<!-- end of found -->\nb", "x"
    )
    assert once == "a\n<!-- found: written by make docs -->\nx<!-- end of found -->\nb"
