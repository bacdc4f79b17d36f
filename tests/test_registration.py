"""Whether a claim was in Git before its numbers, in histories of all kinds."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from project import SETTINGS, edit, git, run

from dropout_bench.analysis.claims import Claim, load_claims
from dropout_bench.analysis.registration import (
    REGISTERED,
    Commit,
    Registration,
    State,
    read,
    registrations,
    write,
)
from dropout_bench.errors import BenchError
from dropout_bench.params.file import Params, load_params
from dropout_bench.verify.belongs_together import as_registered

LOWER = {"metric": "test/loss", "of": "dropout 0.5", "is": "lower", "than": "standard"}
CHECKS: list[dict[str, Any]] = [LOWER | {"margin": 0.01}, LOWER | {"metric": "val/loss"}]
CLAIM: dict[str, Any] = {
    "source": "nobody", "says": "Dropout helps.", "experiment": "small", "checks": CHECKS,
}  # fmt: skip
ARMS = ("standard", "dropout 0.5")


class Project:
    """A project of one experiment in Git, without anything but what is registered and measured."""

    def __init__(self, root: Path) -> None:
        self.root = root
        git(root, "init", "--initial-branch", "main")
        self.params()
        self.claims()
        self.commit("a beginning")

    def claims(self, **claims: object) -> None:
        self.sections(claims=claims)

    def sections(self, **sections: object) -> None:
        content = {"sources": {"nobody": "nobody"}, **sections}
        (self.root / "claims.yaml").write_text(json.dumps(content))

    def params(self, name: str = "small", **changes: object) -> None:
        content = {"experiments": {name: SETTINGS | changes}}
        (self.root / "params.yaml").write_text(json.dumps(content))

    def table(
        self, made: str = "a", seeds: int = 2, arms: tuple[str, ...] = ARMS, name: str = "small"
    ) -> None:
        rows = [f"{arm},{seed},{made}-{arm}-{seed}\n" for arm in arms for seed in range(seeds)]
        self.write(name, "arm,seed,weights\n" + "".join(rows))

    def write(self, name: str, table: str) -> None:
        path = self.root / "reports" / "results" / name / "runs.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(table)

    def commit(self, subject: str) -> None:
        git(self.root, "add", "--all")
        git(self.root, "commit", "--message", subject)

    def claim(self, **changes: object) -> None:
        """Commit a claim."""
        self.claims(helps=CLAIM | changes)
        self.commit("a claim")

    def measure(self, made: str = "a", seeds: int = 2) -> None:
        """Commit numbers."""
        self.table(made, seeds)
        self.commit("numbers")

    def read(self) -> tuple[Mapping[str, Claim], Params]:
        params = load_params(self.root / "params.yaml")
        claims = load_claims(self.root / "claims.yaml", params.experiments)
        return claims.claims, params

    def registrations(self) -> dict[str, Registration]:
        claims, params = self.read()
        return registrations(self.root, claims, params.experiments)

    def helps(self) -> Registration:
        return self.registrations()["helps"]

    def state(self) -> State:
        return self.helps().state


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "project").mkdir()
    return Project(tmp_path / "project")


def test_registered_then_measured(project: Project) -> None:
    project.claim()
    assert project.helps().measured is None
    project.measure()
    found = project.helps()
    assert found.state is State.REGISTERED
    assert found.form is not None
    assert found.measured is not None
    assert (found.form.subject, found.measured.subject) == ("a claim", "numbers")
    said = run(project.root, "git", "log", "--format=%H %cs", "--reverse").splitlines()
    assert f"{found.form.name} {found.form.date}" == f"{said[1][:12]} {said[1][41:]}"


def test_a_claim_after_its_numbers_says_so(project: Project) -> None:
    project.measure()
    project.claim()
    assert project.state() is State.CHANGED


def test_a_claim_in_one_commit_with_its_numbers_says_so(project: Project) -> None:
    project.table()
    project.claim()
    assert project.state() is State.TOGETHER


def test_one_that_is_in_the_first_commit_of_all_is_not_registered(project: Project) -> None:
    """As after a squash: that nothing was there before is not known."""
    project.claim()
    project.measure()
    git(project.root, "checkout", "--orphan", "squashed")
    project.commit("everything")
    assert project.state() is State.TOGETHER


def test_one_that_was_squashed_with_its_numbers_is_not_registered(project: Project) -> None:
    project.claim()
    project.measure()
    git(project.root, "reset", "--soft", "HEAD~2")
    project.commit("a claim with its numbers")
    assert project.state() is State.TOGETHER


def test_another_order_of_the_same_commits_with_other_names_is_the_same(project: Project) -> None:
    project.claim()
    project.measure()
    git(project.root, "checkout", "--orphan", "elsewhere")
    git(project.root, "rm", "-r", "--force", "reports")
    project.claims()
    project.commit("another beginning")
    git(project.root, "cherry-pick", "main~1", "main")
    assert project.state() is State.REGISTERED


WEAKER: dict[str, dict[str, Any]] = {
    "margin": {"checks": [CHECKS[0] | {"margin": 0.001}, CHECKS[1]]},
    "direction": {"checks": [CHECKS[0], CHECKS[1] | {"is": "higher"}]},
    "a check less": {"checks": CHECKS[:1]},
    "another arm": {"checks": [CHECKS[0], CHECKS[1] | {"of": "standard", "than": 1.0}]},
}


@pytest.mark.parametrize("what", WEAKER)
def test_a_claim_that_changed_after_its_numbers_says_so_for_ever(
    what: str, project: Project
) -> None:
    project.claim()
    project.measure()
    project.claim(**WEAKER[what])
    assert project.state() is State.CHANGED
    project.measure("b")  # other weights, as of other code
    assert project.state() is State.CHANGED
    project.claim()
    assert project.state() is State.CHANGED, "it was another one, and its numbers were there"


def test_a_claim_may_change_before_its_numbers(project: Project) -> None:
    project.claim(**WEAKER["margin"])
    project.claim()
    project.measure()
    assert project.state() is State.REGISTERED


def test_a_claim_that_was_out_of_the_ledger_meanwhile_says_so(project: Project) -> None:
    project.claim()
    project.measure()
    project.sections(must_hold={"helps": CLAIM})
    project.commit("it must hold")
    project.claim()
    assert project.state() is State.CHANGED


SAME: dict[str, Callable[[Project], object]] = {
    "worded otherwise, and named": lambda p: p.claims(
        assists=CLAIM | {"says": "It assists.", "because": "it does", "source": "nobody"}
    ),
    "other claims beside it": lambda p: p.claims(helps=CLAIM, more=CLAIM | WEAKER["margin"]),
    "laid out otherwise": lambda p: (p.root / "claims.yaml").write_text(
        "sources: { nobody: x }\nclaims:\n  helps:\n    experiment: small # the only one\n"
        "    checks:\n"
        "    - { metric: val/loss, is: lower, than: standard, of: dropout 0.5, often: false }\n"
        "    - { margin: 1e-2, metric: test/loss, of: dropout 0.5, is: lower, than: standard }\n"
        "    says: Dropout helps.\n    source: nobody\n"
    ),
    "another level": lambda p: edit(
        p.root / "claims.yaml", lambda text: text.replace("{", '{"level": 0.01, ', 1)
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", SAME)
def test_what_decides_no_verdict_is_no_change(what: str, project: Project) -> None:
    project.claim()
    project.measure()
    SAME[what](project)
    project.commit("the same claim")
    found = next(iter(project.registrations().values()))
    assert found.state is State.REGISTERED
    assert found.form is not None
    assert found.form.subject == "a claim"


def test_numbers_of_another_branch_count(project: Project) -> None:
    git(project.root, "checkout", "-b", "aside")
    project.measure()
    git(project.root, "checkout", "main")
    project.claim()
    assert project.state() is State.REGISTERED, "they are not in this branch"
    git(project.root, "merge", "--no-edit", "aside")
    assert project.state() is State.CHANGED


def test_numbers_of_a_branch_that_had_the_claim_are_in_order(project: Project) -> None:
    project.claim()
    git(project.root, "checkout", "-b", "aside")
    project.measure()
    git(project.root, "checkout", "main")
    project.claims(helps=CLAIM, more=CLAIM | WEAKER["margin"])
    project.commit("another claim")
    git(project.root, "merge", "--no-edit", "aside")
    found = project.registrations()
    assert found["helps"].state is State.REGISTERED
    assert found["more"].state is State.CHANGED
    assert found["helps"].form != found["more"].form


def test_a_table_that_was_replaced_counts(project: Project) -> None:
    project.measure("a")
    project.claim()
    project.measure("b")
    assert project.state() is State.CHANGED


def test_other_settings_under_the_same_name_are_no_numbers(project: Project) -> None:
    project.params(epochs=3)
    project.measure("a")
    project.params()
    project.commit("other parameters, beside which the table lies still")
    project.claim()
    project.measure("b")
    found = project.helps()
    assert found.state is State.REGISTERED
    assert found.measured is not None
    assert found.form is not None
    edit(project.root / "reports/results/small/runs.csv", lambda text: text.replace("b-", "a-"))
    assert project.state() is State.CHANGED, "the same weights are the same runs"


def test_an_arm_that_was_added_later_hides_no_numbers(project: Project) -> None:
    project.measure("a")
    project.params(dropout=[0.0, 0.5, 0.8], measures=["gradients"], question="How much?")
    project.claim()
    project.table("b", arms=(*ARMS, "dropout 0.8"))
    project.commit("numbers")
    assert project.state() is State.CHANGED


def test_tables_without_arms_or_weights_are_numbers_too(project: Project) -> None:
    project.write("small", "variant,seed,key\nstandard,0,abc\n")
    project.commit("numbers")
    project.claim()
    project.measure()
    assert project.state() is State.CHANGED


def test_runs_that_no_claim_names_are_no_numbers(project: Project) -> None:
    project.params(dropout=[0.0, 0.5, 0.8])
    project.table("a", arms=("dropout 0.8",))
    project.commit("numbers of another arm")
    project.table("a", seeds=0)
    project.claim()
    project.measure()
    assert project.state() is State.REGISTERED


def test_a_gain_and_what_it_goes_along_rest_on_the_arm_without_dropout(project: Project) -> None:
    rising = {"metric": "test/loss", "of": "dropout 0.5", "is": "rising", "along": "val/loss"}
    gains = {"metric": "test/loss", "of": "dropout 0.5", "is": "higher", "gain": True}
    alone = {"metric": "test/loss", "of": "dropout 0.5", "is": "lower", "than": 1.0}
    project.table(arms=("standard",))
    project.commit("numbers without dropout")
    checks = {"rises": rising, "gains": gains, "alone": alone}
    project.claims(**{name: CLAIM | {"checks": [check]} for name, check in checks.items()})
    project.commit("claims")
    project.measure()
    states = {name: each.state for name, each in project.registrations().items()}
    assert states == {
        "rises": State.CHANGED, "gains": State.CHANGED, "alone": State.REGISTERED,
    }  # fmt: skip


@pytest.mark.parametrize("first", ["the claim", "numbers"])
def test_more_draws_change_nothing(first: str, project: Project) -> None:
    if first == "the claim":
        project.claim()
    project.measure("a")
    if first == "numbers":
        project.claim()
    project.params(seeds=[0, 1, 2, 3])
    project.measure("b", seeds=4)
    assert project.state() is (State.REGISTERED if first == "the claim" else State.CHANGED)


def test_what_cannot_be_read_is_no_claim_and_no_number(project: Project) -> None:
    for broken in (b"<<<<<<< HEAD\n", b"\xff\x00", b"[1]", b"claims: {helps: {checks: [{of: 1}]}}"):
        for file in ("claims.yaml", "params.yaml", "reports/results/small/runs.csv"):
            path = project.root / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(broken)
        project.commit("broken")
    project.params()
    project.claim()
    project.measure()
    assert project.state() is State.REGISTERED


def test_a_claim_that_is_not_committed_says_so(project: Project) -> None:
    project.claims(helps=CLAIM)
    assert project.helps() == Registration(State.UNCOMMITTED)
    project.table()
    assert project.state() is State.UNCOMMITTED
    project.claims()
    project.commit("numbers")
    project.claims(helps=CLAIM)
    assert project.state() is State.CHANGED


def test_tables_that_are_not_committed_come_after_all_commits(project: Project) -> None:
    project.claim()
    project.table()
    assert project.state() is State.REGISTERED


def test_a_folder_within_a_repository_has_its_history(tmp_path: Path) -> None:
    git(tmp_path, "init")
    (tmp_path / "a folder").mkdir()
    within = Project(tmp_path / "a folder")
    shutil.rmtree(within.root / ".git")
    within.commit("a beginning")
    within.claim()
    within.measure()
    assert within.state() is State.REGISTERED


WITHOUT_HISTORY: dict[str, Callable[[Project, pytest.MonkeyPatch], object]] = {
    "no Git": lambda project, patch: patch.setenv("PATH", ""),
    "not in Git": lambda project, patch: shutil.rmtree(project.root / ".git"),
    "a shallow clone": lambda project, patch: _made_shallow(project),
    "no commit": lambda project, patch: git(project.root, "checkout", "--orphan", "empty"),
}


def _made_shallow(project: Project) -> None:
    clone = project.root.with_name("clone")
    git(project.root.parent, "clone", "--depth", "1", project.root.as_uri(), str(clone))
    project.root = clone


@pytest.mark.parametrize("what", WITHOUT_HISTORY)
def test_without_history_nothing_is_known_but_what_was_written(
    what: str, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.claim()
    project.measure()
    claims, params = project.read()
    known = project.registrations()
    write(project.root / REGISTERED, known, claims)
    project.commit("registrations")
    WITHOUT_HISTORY[what](project, monkeypatch)
    path = project.root / REGISTERED
    before = path.read_bytes()
    unknown = project.registrations()
    assert unknown == {"helps": Registration(State.UNKNOWN)}
    write(path, unknown, claims)
    assert path.read_bytes() == before
    assert read(path, claims)["helps"].state is State.REGISTERED
    (found,) = as_registered(project.root, params)
    assert found.holds
    assert "history" in found.told


def test_what_is_written_is_read(project: Project, tmp_path: Path) -> None:
    project.claim()
    claims, _ = project.read()
    path = tmp_path / "new" / "registered.json"
    assert read(path, claims) == {"helps": Registration(State.UNKNOWN)}
    write(path, project.registrations(), claims)
    before, known = path.read_bytes(), project.helps()
    assert known.form is not None
    bare = Registration(known.state, Commit(known.form.name, known.form.date))
    assert read(path, claims) == {"helps": bare}
    project.measure()
    write(path, project.registrations(), claims)
    assert path.read_bytes() == before, "committing the tables changes nothing"


def test_what_was_known_of_another_form_is_not_known(project: Project, tmp_path: Path) -> None:
    project.claim()
    path = tmp_path / "registered.json"
    write(path, project.registrations(), project.read()[0])
    project.claims(helps=CLAIM | WEAKER["margin"])
    claims, _ = project.read()
    unknown = {"helps": Registration(State.UNKNOWN)}
    assert read(path, claims) == unknown
    write(path, unknown, claims)
    assert read(path, claims) == unknown


@pytest.mark.parametrize("text", ["<<<<<<<", "[]", '{"helps": 1}', '{"helps": {"form": 1}}'])
def test_a_damaged_file_is_named(text: str, project: Project, tmp_path: Path) -> None:
    project.claims(helps=CLAIM)
    path = tmp_path / "registered.json"
    path.write_text(text)
    claims, _ = project.read()
    if text != '{"helps": {"form": 1}}':
        with pytest.raises(BenchError, match=r"registered\.json.*dropout-bench report"):
            read(path, claims)
    else:
        assert read(path, claims)["helps"].state is State.UNKNOWN
    write(path, project.registrations(), claims)
    assert read(path, claims)["helps"].state is State.UNCOMMITTED


def test_a_file_that_says_better_than_history_does_not_hold(project: Project) -> None:
    project.claim()
    project.measure()
    claims, params = project.read()
    path = project.root / REGISTERED
    write(path, project.registrations(), claims)
    (found,) = as_registered(project.root, params)
    assert found.holds
    assert found.told == "1 registered before its runs"
    edit(path, lambda text: text.replace(State.REGISTERED, State.CHANGED))
    assert all(found.holds for found in as_registered(project.root, params)), "it says worse"
    edit(path, lambda text: text.replace(State.CHANGED, State.REGISTERED))
    project.claim(**WEAKER["margin"])
    project.claim()
    (found,) = as_registered(project.root, params)
    assert not found.holds
    assert found.place == "reports/registered.json"
    assert "helps is written or changed after its runs" in found.told
    assert "run: " in found.told
    path.write_text("damaged")
    (found,) = as_registered(project.root, params)
    assert not found.holds
