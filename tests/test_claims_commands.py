"""The ledger in the terminal, one claim told, and more draws for those that are open."""

import contextlib
import math
import re
import shutil
from pathlib import Path

import pytest
from project import edit
from test_compare import write_tables
from typer.testing import CliRunner

from dropout_bench.cli import app
from dropout_bench.deepening import with_draws
from dropout_bench.engine import cores
from dropout_bench.errors import BenchError
from dropout_bench.params.file import load_params
from dropout_bench.positions import lines
from dropout_bench.training.keys import Identity
from dropout_bench.training.result import CURVES, LAST, RunResult, Time
from dropout_bench.training.store import RunStore
from dropout_bench.training.sweep import write_timings

PARAMS = """\
# By hand: comments, anchors and spaces are to stay.
defaults:
  settings: &settings
    draws: 12 # of all
    dataset: mnist
    train_size: 300
    validation: 0.2
    hidden: [16, 8]
    learning_rate: 0.01
    epochs: 2

experiments:
  one:   # draws its batch size
    question: Does it help?
    <<: *settings   # and so its draws
    draw: { batch_size: [16, 32] }
    variants: [dropout]
    dropout: [0.0, 0.5, 0.7]

  # Of one setting.
  other:
    <<: *settings
    batch_size: 64
    draws:   12   # its own
    variants: [dropout]
    dropout: [0.0, 0.7]
  # The deepest.
  deepest: { <<: *settings, batch_size: 32, draws: 48, variants: [dropout], dropout: [0.0, 0.1] }
  listed:
    dataset: mnist
    train_size: 300
    validation: 0.2
    hidden: [16, 8]
    variants: [dropout]
    dropout: [0.0, 0.5]
    learning_rate: 0.01
    batch_size: 32
    epochs: 2
    seeds: [0, 1, 2, 3]
"""

CLAIMS = """\
smallest: { test/accuracy: 0.0001 }
sources: { page: a page on Dropout }
claims:
  better-at-half:
    source: page
    says: At a half it is better.
    experiment: one
    because: accuracy counts
    contradicts: [worse-at-half]
    checks:
      - { metric: test/accuracy, of: dropout 0.5, is: higher, than: standard }
      - { metric: test/loss, of: dropout 0.5, is: lower, than: standard }

  # Of the same two arms.
  worse-at-half:
    source: page
    says: At a half it is worse.
    experiment: one
    checks:
      - { metric: test/accuracy, of: dropout 0.5, is: lower, than: standard }
  high-rates-help:
    source: page
    says: High rates help.
    experiment: one
    checks:
      - { metric: test/accuracy, of: dropout 0.7, is: higher, than: standard }
  high-rates-help-there:
    source: page
    says: High rates help there.
    experiment: other
    checks:
      - { metric: test/accuracy, of: dropout 0.7, is: higher, than: standard }
  low-rates-help:
    source: page
    says: Low rates [some] help.
    experiment: deepest
    checks:
      - { metric: train/loss, of: dropout 0.1, is: higher, than: standard }
  listed-seeds:
    source: page
    says: It helps at listed seeds.
    experiment: listed
    checks:
      - { metric: train/loss, of: dropout 0.5, is: lower, than: standard }
must_hold:
  no-more-than-one:
    source: page
    says: No accuracy is above 1.
    experiment: one
    checks:
      - { metric: test/accuracy, of: dropout 0.5, is: lower, than: 1.0 }
untested:
  elsewhere:
    source: page
    says: It helps elsewhere.
    why: there is nothing elsewhere
timed:
  no-slower:
    source: page
    says: It takes as long.
    experiment: one
    checks:
      - { metric: log-seconds, of: dropout 0.5, is: equal, than: standard, margin: 0.1 }
"""

GAINS = {"dropout 0.5": 0.02}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with tables; not to be changed."""
    root = tmp_path_factory.mktemp("project")
    (root / "params.yaml").write_text(PARAMS)
    (root / "claims.yaml").write_text(CLAIMS)
    for name, each in load_params(root / "params.yaml").experiments.items():
        write_tables(root / "reports" / "results" / name, each, GAINS)
    return root


@pytest.fixture
def project(written: Path, tmp_path: Path) -> Path:
    """The same, to be changed."""
    return Path(shutil.copytree(written, tmp_path / "project"))


def said(root: Path, *words: str) -> str:
    """What a command says, in this process."""
    with contextlib.chdir(root):
        done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def names(told: str) -> list[str]:
    """The claims of a table."""
    rows = [line.split() for line in told.splitlines()[1:] if line.startswith(" ")]
    return [row[0] for row in rows]


EVERY = [
    "better-at-half", "worse-at-half", "high-rates-help", "high-rates-help-there", "low-rates-help",
    "listed-seeds",
]  # fmt: skip


def test_claims_are_a_row_each_with_verdict_effect_and_draws(written: Path) -> None:
    told = said(written, "claims")
    assert names(told) == EVERY
    row = next(line for line in told.splitlines() if line.startswith(" better-at-half"))
    name, says, verdict, effect, draws = re.split("  +", row.strip())
    assert (name, says, verdict) == ("better-at-half", "At a half it is better.", "supported")
    assert re.fullmatch(r"-0\.020 \(-0\.02\d to -0\.0\d\d\) nats", effect), (
        "of the check that decides"
    )
    assert draws == "12"
    assert "Low rates [some] help." in told, "no mark-up"
    assert "6 claims: 1 supported, 1 contradicted, 4 open" in told
    assert said(written, "claims") == told


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["--open"], EVERY[2:]),
        (["--supported", "--contradicted"], EVERY[:2]),
        (["--about", "AT HALF"], EVERY[:2]),
        (["--about", "rates-help there"], EVERY[3:4]),
        (["--about", "dropout 0.1"], EVERY[4:5]),
        (["--about", "train/loss"], EVERY[4:]),
        (["--about", "on dropout"], EVERY),
        (["--experiment", "other"], EVERY[3:4]),
        (["--experiment", "one", "--open"], EVERY[2:3]),
    ],
)
def test_claims_are_filtered(words: list[str], shown: list[str], written: Path) -> None:
    told = said(written, "claims", *words)
    assert names(told) == shown
    count = f"{len(shown)} claim{'s' * (len(shown) > 1)}: "
    assert told.splitlines()[-1].startswith(count)
    assert told.endswith("of 6 claims: 1 supported, 1 contradicted, 4 open\n") == (shown != EVERY)


@pytest.mark.parametrize("words", [["--same"], ["--about", "batch norm"]])
def test_where_nothing_is_found_it_says_what_there_is(words: list[str], written: Path) -> None:
    assert said(written, "claims", *words) == (
        "none of 6 claims: 1 supported, 1 contradicted, 4 open; about one, other, deepest, listed\n"
    )


def test_claims_without_tables_are_counted_apart(project: Path) -> None:
    shutil.rmtree(project / "reports" / "results" / "one")
    told = said(project, "claims")
    assert names(told) == EVERY[3:]
    assert "\n3 more about one: not judged" in told
    told = said(project, "explain", "better-at-half")
    assert "check test accuracy: dropout 0.5 higher than no dropout" in told
    assert "not judged: reports/results/one/runs.csv: cannot be read" in told
    assert "not deepened: one: reports/results/one/runs.csv" in said(project, "deepen", "one")


def test_a_misspelt_name_is_answered_with_a_hint(written: Path) -> None:
    for words, hint in (
        (["explain", "better-at-hlaf"], "better-at-half"),
        (["explain", "elsewere"], "elsewhere"),
        (["claims", "--experiment", "othr"], "other"),
        (["deepen", "othr"], "other"),
    ):
        with pytest.raises(BenchError, match=f'did you mean "{hint}"'):
            said(written, *words)


def test_a_claim_is_told_as_a_whole(written: Path) -> None:
    told = said(written, "explain", "better-at-half")
    for line in (
        "better-at-half: “At a half it is better.” (a page on Dropout)",
        "  because: accuracy counts",
        "  tested by one, 12 settings: Does it help?",
        "  check test accuracy: dropout 0.5 higher than no dropout",
        "  check test loss: dropout 0.5 lower than no dropout",
        "  against worse-at-half: “At a half it is worse.” (contradicted)",
        "     4    better-at-half:",
        "    12        - { metric: test/loss, of: dropout 0.5, is: lower, than: standard }",
        "    13    one:   # draws its batch size",
        "    18      dropout: [0.0, 0.5, 0.7]",
    ):
        assert f"{line}\n" in told.replace(" (decides)", "")
    assert "points; smallest difference of interest 0.01 points\n" in told
    assert "; no smallest difference of interest is stated\n" in told
    assert "\n  look at 12 draws: p for " in told
    assert "\n  supported, with 12 draws: p < 1e-9, corrected over 6 claims " in told
    assert "on the claim's side at 100 % (74 to 100) of them; one more would lie at -" in told
    assert "goes with nothing of what was asked about (batch size" in told
    assert "\n    13  \n" not in told, "the blank line after it"
    other = said(written, "explain", "worse-at-half")
    assert "\n  against better-at-half: “At a half it is better.” (supported)\n" in other
    assert "on the claim's side at 0 % (0 to 26)" in other


def test_an_open_claim_says_how_many_draws_it_takes(written: Path) -> None:
    told = said(written, "explain", "high-rates-help")
    assert "\n  open, with 12 draws: p " in told
    assert " draws would decide it" in told
    assert ", with a power of 80 %\n" in told
    assert "no number of draws would tell" in said(written, "explain", "listed-seeds")
    told = said(written, "explain", "low-rates-help")
    assert [line.split()[2] for line in told.splitlines() if "  look at" in line] == [
        "12", "24", "48",
    ]  # fmt: skip


def test_what_is_no_part_of_the_ledger_is_told_too(project: Path) -> None:
    told = said(project, "explain", "elsewhere")
    assert "\n  not tested: there is nothing elsewhere\n" in told
    assert "params.yaml" not in told
    held = said(project, "explain", "no-more-than-one")
    assert "\n  it holds, as it must, by its intervals alone" in held
    assert "\n  not judged: timings: no times of one" in said(project, "explain", "no-slower")


def test_a_claim_about_times_is_judged_by_the_times_there_are(project: Path) -> None:
    one = load_params(project / "params.yaml").experiment("one")
    times = {job: Time(3.0 + math.sin(number) / 100, 2) for number, job in enumerate(one.jobs())}
    write_timings("one", times, project / "timings")
    told = said(project, "explain", "no-slower")
    assert "; equal is within 1.11 times\n" in told
    assert "\n  supported, with 12 draws: p < 1e-9, corrected over 1 claims" in told


def finish(root: Path, name: str, seconds: float, count: int | None = None) -> None:
    """Put runs of an experiment into the store, those without dropout first."""
    for run in load_params(root / "params.yaml").experiment(name).runs()[:count]:
        result = RunResult({CURVES: b"", LAST: b""}, "cpu", seconds=seconds)
        RunStore(root / "run-store").put(Identity.here(run, "a" * 32, "cpu"), result)


def told_cost(told: str, name: str) -> tuple[int, int]:
    """Trainings and core-seconds of an experiment."""
    (line,) = [line for line in told.splitlines() if line.startswith(f"{name}: ")]
    words = line.partition(" draws for ")[2].partition(": ")[2].replace(",", "").split()
    return int(words[0]), int(words[2])


def test_open_claims_are_planned_to_their_next_look(project: Path) -> None:
    finish(project, "one", 10.0)
    finish(project, "other", 5.0)
    before = (project / "params.yaml").read_bytes()
    told = said(project, "deepen")
    # Three arms, and two; twelve draws more.
    assert told_cost(told, "one") == (36, 360)
    assert told_cost(told, "other") == (24, 120)
    assert told.index("other: 12 → 24 draws") < told.index("one: 12 → 24 draws"), "cheapest first"
    assert "in all: 2 experiments, for 2 open claims: 60 trainings, 480 core-seconds, " in told
    assert "\n  high-rates-help: over 1,000 draws would decide it" in told
    assert " draws would decide it, more than 24\n" in told
    assert "not deepened: deepest: it has 48 draws, after which there is no further look" in told
    assert "not deepened: listed: its seeds are listed" in told
    assert told.endswith("params.yaml is as it was: --write changes draws in it\n")
    assert (project / "params.yaml").read_bytes() == before


def test_named_experiments_alone_are_planned(project: Path) -> None:
    finish(project, "other", 5.0)
    told = said(project, "deepen", "other", "deepest")
    assert told_cost(told, "other") == (24, 120)
    assert "one:" not in told
    assert "not deepened: deepest: " in told
    edit(project / "claims.yaml", lambda text: text.replace("experiment: other", "experiment: one"))
    told = said(project, "deepen", "other")
    assert told == "not deepened: other: no claim about it is open\nnothing to deepen\n"


def test_a_limit_leaves_what_does_not_fit_in(project: Path) -> None:
    finish(project, "one", 10.0)
    finish(project, "other", 5.0)
    minutes = 130 / 60 / cores()
    told = said(project, "deepen", "--most", f"{minutes}")
    assert told_cost(told, "other") == (24, 120)
    assert "\none:" not in told
    assert "not deepened: one: " in told
    assert said(project, "deepen", "--most", "0").endswith("\nnothing to deepen\n")


def test_runs_that_experiments_share_cost_once(project: Path) -> None:
    edit(
        project / "params.yaml",
        lambda text: text.replace("draw: { batch_size: [16, 32] }", "batch_size: 64"),
    )
    finish(project, "other", 5.0)
    write_tables(
        project / "reports" / "results" / "one",
        load_params(project / "params.yaml").experiment("one"),
        GAINS,
    )
    told = said(project, "deepen")
    assert told_cost(told, "other") == (24, 120)
    # Rate 0.5 at 24 draws: the other two arms are those of the other experiment.
    assert told_cost(told, "one")[0] == 24


def test_without_any_finished_run_the_cost_is_not_known(project: Path) -> None:
    assert "72 trainings, how long they take is not known" in said(project, "deepen", "one")
    with pytest.raises(BenchError, match=r"no run has been finished.*drop --most"):
        said(project, "deepen", "--most", "5")


def test_a_claim_that_can_have_no_verdict_asks_for_no_draws(project: Path) -> None:
    path = project / "params.yaml"
    least = "    steps: 1\n    patience_steps: 1\n\n"  # one epoch, and its best is the last
    edit(path, lambda text: text.replace("    epochs: 2\n\n", least))
    other = load_params(path).experiment("other")
    write_tables(project / "reports" / "results" / "other", other, GAINS)
    assert "not deepened: other: no claim about it is open" in said(project, "deepen", "other")


def test_writing_changes_the_draws_and_no_other_byte(project: Path) -> None:
    path = project / "params.yaml"
    before = path.read_text()
    told = said(project, "deepen", "--write")
    assert told.endswith("params.yaml: draws are changed (dvc params diff); run: dvc repro\n")
    assert path.read_text() == before.replace(
        "and so its draws\n", "and so its draws\n    draws: 24\n"
    ).replace("draws:   12   # its own", "draws:   24   # its own")
    draws = {name: each.draws for name, each in load_params(path).experiments.items()}
    assert draws == {"one": 24, "other": 24, "deepest": 48, "listed": None}
    again = said(project, "deepen", "--write")
    assert "not deepened: one: reports/results/one/runs.csv: its runs are not those of" in again


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("  a:\n    draws: 12\n", "  a:\n    draws: 24\n"),
        ("  a:\n    draws: 12", "  a:\n    draws: 24"),
        ("  a: {draws: 12, b: 1}\n", "  a: {draws: 24, b: 1}\n"),
        (
            "  a:\r\n    <<: *n\r\n    b: 1\r\n",
            "  a:\r\n    <<: *n\r\n    draws: 24\r\n    b: 1\r\n",
        ),
        ("  a:\n    <<: [*m,\n      *n]\n", "  a:\n    <<: [*m,\n      *n]\n    draws: 24\n"),
        ("  a:\n    draws: *d # x\n", "  a:\n    draws: 24 # x\n"),
        ('  a:\n    "draws": &d 12\n', '  a:\n    "draws": &d 24\n'),
    ],
)
def test_draws_are_put_where_they_stand(before: str, after: str) -> None:
    head = "defaults: { m: &m { x: 1 }, n: &n { draws: 12 }, d: &d 12 }\nexperiments:\n"
    assert with_draws(head + before, ["experiments", "a"], 24) == head + after


@pytest.mark.parametrize(
    "instead",
    [
        "  other: &x\n    <<: *settings\n    batch_size: 32\n    draws: 12\n"
        "    variants: [dropout]\n    dropout: [0.0, 0.7]\n  again: *x\n",
        "  other: { <<: *settings, batch_size: 32, variants: [dropout], dropout: [0.0, 0.7] }\n",
    ],
)
def test_draws_that_cannot_be_changed_alone_are_left_to_the_user(
    instead: str, project: Path
) -> None:
    path = project / "params.yaml"
    text = path.read_text()
    before, after = text.split("  other:\n")
    path.write_text(before + instead + after[after.index("  # The deepest.") :])
    written = path.read_bytes()
    with pytest.raises(BenchError, match=r"draws cannot be put in by themselves.*other 24"):
        said(project, "deepen", "other", "--write")
    assert path.read_bytes() == written


def test_an_entry_is_found_with_its_lines() -> None:
    text = "a:\n  b: >-\n    one\n    two\n\n  # about c\n  c: [1,\n    2]\n  d: { e: 1 }\nf: *g\n"
    text = "g: &g 0\n" + text
    assert list(lines(text, "a", "b")) == [3, 4, 5]
    assert list(lines(text, "a", "c")) == [8, 9]
    assert lines(text, "a", "d", "e") == {10: "  d: { e: 1 }"}
    assert list(lines(text, "a")) == list(range(2, 11))
    assert lines(text, "f") == {11: "f: *g"}
    assert lines(text, "a", "x") == lines(text, "g", "x") == {}
