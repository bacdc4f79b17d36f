"""The benchmark: what it computes and writes, and that each contender still runs. No timings."""

import subprocess
import sys
from pathlib import Path

import pytest

# benchmarks/ is a folder of the project, no installed package.
sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import measure, tables
from benchmarks.measurements import Machine, Measurements, Plan, Point, Single, Sweep
from benchmarks.report import render
from benchmarks.settings import ROOT
from dropout_bench.numerics import PINNED_ENVIRONMENT, is_pinned

SECONDS = {
    "tutorial-loop": (4.0, 9.0, 4.4),
    "conventional-lightning": (6.0, 6.0, 6.0),
    "bare-loop": (1.0, 1.1, 0.9),
    "matrix-products": (0.5, 0.5, 0.5),
    "ours": (1.1, 1.2, 1.0),
}
PLAN = Plan(
    quick=False,
    epochs=5,
    rounds=3,
    sweep_runs=20,
    sweep_rounds=1,
    growth_runs=(1, 10, 100),
    growth_images=(1000, 10_000),
    growth_widths=(64, 128),
    growth_epochs=1,
)


def measurements(**changes: object) -> Measurements:
    """Return made-up measurements, with medians of 1 s for the bare loop and 1.1 s for ours."""
    singles = [
        Single(
            contender=name,
            epochs=5,
            threads=1,
            start_up_seconds=2.0,
            seconds_per_epoch=seconds,
            test_accuracy=None if name == "matrix-products" else 0.97,
            peak_rss_mb=400.0,
        )
        for name, values in SECONDS.items()
        for seconds in values
    ]
    sweeps = [
        Sweep(
            workers=workers,
            runs=20,
            epochs=5,
            seconds=seconds,
            worker_rss_mb=500.0 + workers,
            worker_pss_mb=300.0,
        )
        for workers, seconds in ((2, 40.0), (1, 80.0))
    ]
    growth = [
        *(Point(quantity="runs", size=size, seconds=size**0.5) for size in (1, 10, 100)),
        *(Point(quantity="training images", size=s, seconds=s / 1000) for s in (1000, 10_000)),
        *(Point(quantity="width", size=size, seconds=size**2) for size in (64, 128)),
    ]
    machine = Machine(
        cpu="a processor",
        cores=2,
        memory_gb=8.0,
        system="Linux 6.1",
        load=0.1,
        versions={"Python": "3.11"},
    )
    return Measurements.model_validate(
        {
            "plan": PLAN,
            "machine": machine,
            "singles": tuple(singles),
            "sweeps": tuple(sweeps),
            "sweep_accuracies": (0.96, 0.97, 0.975),
            "growth": tuple(growth),
        }
        | changes
    )


def test_ratios_are_of_medians() -> None:
    rows = {row.name: row for row in tables.contenders(measurements())}
    assert rows["ours"].times_bare == pytest.approx(1.1)
    assert rows["tutorial-loop"].times_bare == pytest.approx(4.4)
    assert rows["ours"].limit_share == pytest.approx(0.5 / 1.1)
    assert rows["bare-loop"].seconds == tables.Spread(1.0, 0.9, 1.1)
    assert rows["matrix-products"].accuracy is None


def test_sweeps_count_start_up() -> None:
    one, two = tables.sweeps(measurements())
    assert (one.workers, two.workers) == (1, 2)
    assert two.throughput == pytest.approx(100 / 40)
    assert two.limit_share == pytest.approx(2.5 * 0.5 / 2)
    assert tables.speed_up_without_start_up(measurements()) == pytest.approx((80 - 1) / (40 - 1))
    assert tables.sweep_ceiling(measurements()) == pytest.approx(2 * 4.4 / 0.5)


def test_goals_are_judged_on_the_right_side_of_their_bounds() -> None:
    epoch, sweep, workers, memory = tables.goals(measurements())
    assert epoch.value == pytest.approx(1.1)
    assert epoch.met
    assert not epoch.aim_reached
    assert sweep.value == pytest.approx(2.5 * 4.4)
    assert sweep.met
    assert workers.value == pytest.approx(2)
    assert workers.met
    assert memory.value == 502
    assert memory.met
    slow = [one.model_copy(update={"seconds": 70.0}) for one in measurements().sweeps]
    _, sweep, workers, _ = tables.goals(measurements(sweeps=tuple(slow)))
    assert not sweep.met
    assert not workers.met


@pytest.mark.parametrize("power", [-1.0, 0.0, 0.5, 2.0])
def test_exponents(power: float) -> None:
    points = [(size, 3 * size**power) for size in (1, 4, 30, 1000)]
    assert tables.exponent(points) == pytest.approx(power, abs=1e-9)


def test_growth_has_a_row_for_each_quantity() -> None:
    rows = {row.quantity: row for row in tables.growth(measurements())}
    assert list(rows) == ["runs", "workers", "training images", "width"]
    assert rows["runs"].overall == pytest.approx(0.5)
    assert rows["workers"].at_the_end == pytest.approx(-1)
    assert rows["training images"].overall == pytest.approx(1)
    assert rows["width"].at_the_end == pytest.approx(2)


def test_the_report_says_that_goals_are_met() -> None:
    text = render(measurements())
    assert "**All 4 goals are met.**" in text
    assert "| 1.10 | at most 1.15, aim 1.00 | met, aim not reached |" in text
    assert "missed" not in text
    assert "\n\n\n" not in text


def test_the_report_names_a_goal_that_is_missed() -> None:
    slow = [one.model_copy(update={"seconds": 70.0}) for one in measurements().sweeps]
    text = render(measurements(sweeps=tuple(slow)))
    assert "**Goals met: 2 of 4. Missed: sweep of 20 runs with 2 workers" in text
    assert "| 1.00 | at least 1.90 | **missed** |" in text


def test_the_report_says_when_accuracies_differ() -> None:
    assert "no more than the 1.50 points" in render(measurements())
    differ = render(measurements(sweep_accuracies=(0.90, 0.90)))
    assert "**which is more than** the 0.00 points" in differ


def test_the_report_of_one_core_compares_no_workers() -> None:
    alone = measurements().sweeps[1:]
    text = render(measurements(sweeps=alone))
    assert "**Goals met: 2 of 3." in text
    assert "Start-up apart" not in text
    assert "| workers | a whole sweep" not in text


def test_the_numbers_survive_their_file() -> None:
    written = measurements().model_dump_json()
    assert Measurements.model_validate_json(written) == measurements()


def test_measured_processes_inherit_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in PINNED_ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DROPOUT_BENCH_SCHEDULER", "tcp://127.0.0.1:1")
    environment = measure.native_environment()
    assert not PINNED_ENVIRONMENT.keys() & environment.keys()
    assert "DROPOUT_BENCH_SCHEDULER" not in environment


def test_ours_computes_in_the_arithmetic_of_the_reports() -> None:
    program = (
        "import benchmarks.ours; from dropout_bench import numerics; print(numerics.is_pinned())"
    )
    command = [sys.executable, "-c", program]
    environment = measure.native_environment()
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(is_pinned())  # as these tests: wherever there is AVX2


def test_who_measures_does_not_import_the_package() -> None:
    program = (
        "import sys, benchmarks.run, benchmarks.contenders.__main__;"
        "print([name for name in sys.modules if name.split('.')[0] in ('dropout_bench', 'torch')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_process_that_fails_is_told() -> None:
    with pytest.raises(measure.Failed, match="invalid choice"):
        measure.call("benchmarks.contenders", "nobody")


def test_the_committed_report_is_what_its_numbers_give() -> None:
    numbers = ROOT / "reports" / "benchmark.json"
    if not numbers.exists():
        pytest.skip("not measured yet")
    measured = Measurements.model_validate_json(numbers.read_text(encoding="utf-8"))
    assert not measured.plan.quick
    assert render(measured) == numbers.with_suffix(".md").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("contender", measure.CONTENDERS)
def test_every_contender_runs(contender: str, raw: Path) -> None:
    size = ("--train-size", 400) if contender == measure.OURS else ()
    told = measure.single(contender, "--raw", raw, "--epochs", 2, *size)
    assert told.contender == contender
    assert told.epochs == 2
    assert told.seconds_per_epoch > 0
    assert told.start_up_seconds > 0
    assert told.threads > 0
    assert told.peak_rss_mb > 50
    assert (told.test_accuracy is None) == (contender == "matrix-products")


@pytest.mark.slow
def test_the_sweep_runs_and_is_evaluated(raw: Path, tmp_path: Path) -> None:
    options = ("--raw", raw, "--train-size", 400)
    swept = measure.sweep(tmp_path, 1, 2, 1, *options)
    assert swept.throughput > 0
    assert swept.worker_rss_mb > 50
    found = measure.accuracies(tmp_path, 2, 1, *options)
    assert len(found) == 2
    alone = measure.single(measure.OURS, "--seed", 1, *options)
    assert found[1] == alone.test_accuracy
    assert len(list((tmp_path / "run-store").iterdir())) == 2
