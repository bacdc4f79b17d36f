"""Which claims were in Git before the draws that they are judged on: registered, then measured.

The history is read as it is; nobody's word is taken for it. So a claim that got its form when its
numbers were there says so for ever, and one of which Git knows nothing says that too.
"""

import csv
import functools
import hashlib
import io
import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel

from dropout_bench.analysis.claims import Check, Claim
from dropout_bench.errors import BenchError, one_line
from dropout_bench.files import write_text
from dropout_bench.params.arms import Checkpoint
from dropout_bench.params.experiment import Experiment
from dropout_bench.params.file import Params, read_yaml, validated
from dropout_bench.params.run import Run

CLAIMS = "claims.yaml"
REGISTERED = Path("reports", "registered.json")
"""Where the pipeline's registrations are kept, relative to the project's folder."""
APART = {"draws", "first_draw", "listed_seeds", "measures"}
"""What of an experiment changes no run of a draw; taken as it is now."""


class State(StrEnum):
    """How a claim and its numbers came into Git; its runs are those that it is judged on."""

    REGISTERED = "registered before its runs"
    UNCOMMITTED = "not committed yet"
    TOGETHER = "committed together with its runs"
    CHANGED = "written or changed after its runs"
    UNKNOWN = "of unknown history"

    def better(self, than: "State") -> bool:
        """Whether it says more for a claim; with one that is unknown nothing compares."""
        order = [state for state in State if state is not State.UNKNOWN]
        return self in order and than in order and order.index(self) < order.index(than)


@dataclass(frozen=True)
class Commit:
    """A commit: 12 digits of its name, the day of its committer (ISO 8601), its first line."""

    name: str
    date: str
    subject: str = ""


@dataclass(frozen=True)
class Registration:
    """What Git knows of a claim.

    Attributes:
        state: how its form and its numbers came into Git.
        form: the commit since which it has its form without interruption; None if it has not.
        measured: the first commit with numbers of it; None if there is none.
    """

    state: State
    form: Commit | None = None
    measured: Commit | None = None


class _Form(BaseModel):
    """What decides a claim's verdict, whatever it is called and however it is worded."""

    experiment: str
    checks: tuple[Check, ...]

    @property
    def digest(self) -> str:
        """Tell it from others: defaults do not count, nor does the order of the checks."""
        checks = [check.model_dump(mode="json", exclude_defaults=True) for check in self.checks]
        told = [self.experiment, *sorted(json.dumps(check, sort_keys=True) for check in checks)]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:32]


def _digest(claim: Claim) -> str:
    return _Form(experiment=claim.experiment, checks=claim.checks).digest


class _NoHistory(Exception):
    """Git is not here, or does not have the whole history of this folder."""


def _git(root: Path, *words: str, told: str = "") -> bytes:
    if (git := shutil.which("git")) is None:
        raise _NoHistory
    # Not the history that someone has put in its place here.
    command = [git, "--no-replace-objects", *words]
    done = subprocess.run(  # noqa: S603
        command, cwd=root, input=told.encode(), capture_output=True, check=False
    )
    if done.returncode:
        raise _NoHistory
    return done.stdout


class _History(NamedTuple):
    """All commits that HEAD has, with the files that matter here.

    Attributes:
        commits: by name, every one after its parents; HEAD is the last.
        parents: names of the parents, by name.
        files: what is in a file, by commit and path; the same object where it is the same.
    """

    commits: dict[str, Commit]
    parents: dict[str, tuple[str, ...]]
    files: dict[tuple[str, str], bytes]

    @classmethod
    def read(cls, root: Path, paths: Iterable[str]) -> "_History":
        """Read the history of a project's folder, of which paths are told."""
        if _git(root, "rev-parse", "--is-shallow-repository").strip() != b"false":
            raise _NoHistory
        layout = "--format=%H%x00%P%x00%cs%x00%s"
        listed = _git(root, "rev-list", "--topo-order", "--encoding=UTF-8", layout, "HEAD")
        lines = listed.decode(errors="replace").split("\n")
        fields = [line.split("\0", 3) for line in reversed(lines) if "\0" in line]
        commits = {name: Commit(name[:12], date, subject) for name, _, date, subject in fields}
        parents = {name: tuple(each.split()) for name, each, *_ in fields}
        places = [(name, path) for name in commits for path in paths]
        asked = "".join(f"{name}:./{path}\n" for name, path in places)
        answers = _git(root, "cat-file", "--batch-check=%(objectname)", told=asked).splitlines()
        blobs = {
            place: answer.decode()
            for place, answer in zip(places, answers, strict=True)
            if not answer.endswith(b" missing")
        }
        contents = _contents(root, dict.fromkeys(blobs.values()))
        files = {place: contents[blob] for place, blob in blobs.items()}
        return cls(commits, parents, files)

    def file(self, commit: str, path: str) -> bytes:
        """Return what is in a file; nothing where there is none."""
        return self.files.get((commit, path), b"")


def _contents(root: Path, blobs: Iterable[str]) -> dict[str, bytes]:
    asked = "".join(f"{blob}\n" for blob in blobs)
    stream = io.BytesIO(_git(root, "cat-file", "--batch=%(objectsize)", told=asked))
    contents = {}
    for blob in blobs:
        contents[blob] = stream.read(int(stream.readline()))
        stream.readline()
    return contents


def _plain(text: bytes) -> dict[str, Any]:
    """Read YAML of some day as plain data; what cannot be read, or is no mapping, has nothing."""
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "then.yaml"
        path.write_bytes(text)
        try:
            content = read_yaml(path)
        except BenchError:
            return {}
    return content if isinstance(content, dict) else {}


def _within(content: Any, name: str) -> dict[str, Any]:
    section = content.get(name) if isinstance(content, dict) else None
    return section if isinstance(section, dict) else {}


def _forms(text: bytes) -> frozenset[str]:
    """Return the forms of the claims of a ``claims.yaml``; what no claim can be now is none."""
    forms = set()
    for claim in _within(_plain(text), "claims").values():
        try:
            forms.add(validated(_Form, claim, Path(CLAIMS)).digest)
        except BenchError:
            continue
    return frozenset(forms)


class _Row(NamedTuple):
    """A run in a table of some day: without the arm, or the weights, where it did not tell them."""

    arm: str | None
    seed: str | None
    weights: str | None


def _rows(text: bytes) -> list[_Row]:
    lines = io.StringIO(text.decode(errors="replace"), newline="")
    try:
        return [_Row(*(row.get(name) for name in _Row._fields)) for row in csv.DictReader(lines)]
    except csv.Error:
        return []


Draw = tuple[str, str]
"""Arm and seed, as tables have them."""


def _runs(experiment: Experiment) -> dict[Draw, list[tuple[Run, Checkpoint]]]:
    """Return what is run of each arm at each seed: several where validation chooses."""
    runs: dict[Draw, list[tuple[Run, Checkpoint]]] = {}
    for job in experiment.jobs():
        draw = job.cell.label, str(job.run.seed)
        runs.setdefault(draw, []).append((job.run, job.cell.checkpoint))
    return runs


def _unchanged(content: Mapping[str, Any], name: str, experiment: Experiment) -> frozenset[Draw]:
    """Return the draws of an experiment for which a ``params.yaml`` of some day asks for its runs.

    Not the same section: another arm in it leaves the numbers of these as they are.
    """
    suites = [_within(content, "experiments"), *_within(content, "suites").values()]
    section = next(filter(None, (_within(suite, name) for suite in suites)), {})
    apart = {Experiment.model_fields[field].alias or field for field in APART}
    then = {key: value for key, value in section.items() if key not in apart}
    then |= experiment.model_dump(include=APART, by_alias=True, exclude_unset=True)
    try:
        before, now = _runs(validated(Experiment, then, Path(Params.file))), _runs(experiment)
    except BenchError:  # nothing that it could be now
        return frozenset()
    return frozenset(draw for draw, runs in now.items() if before.get(draw) == runs)


def _judged_on(claim: Claim, experiment: Experiment) -> frozenset[Draw]:
    """Return arm and seed of the runs that a claim is judged on."""
    cells = {cell.label: cell for cell in experiment.cells()}
    arms: set[str] = set()
    for check in claim.checks:
        arms.update(check.cells)
        if check.gain or check.along:
            bases = (experiment.without_dropout(cells[label]) for label in check.cells)
            arms.update(base.label for base in bases if base)
    return frozenset((arm, str(seed)) for arm in arms for seed in experiment.seeds)


class _Tables:
    """The tables of the runs of one experiment, those of all days.

    Attributes:
        now: the rows as they lie here, committed or not.
        rows: by table.
        params: by table, the ``params.yaml`` that it came with: a later one did not make it.
    """

    def __init__(self, root: Path, path: str, history: _History) -> None:
        here = root / path
        self.now = _rows(here.read_bytes()) if here.is_file() else []
        self.params: dict[bytes, bytes] = {}
        for commit in history.commits:
            self.params.setdefault(history.file(commit, path), history.file(commit, Params.file))
        self.rows = {table: _rows(table) for table in self.params}

    def with_numbers(
        self, asked: frozenset[Draw], unchanged: Callable[[bytes], frozenset[Draw]]
    ) -> set[bytes]:
        """Return the tables with a draw that is asked for, of the run of now.

        That is so if it has the weights of now, or if the parameters of its day, of which
        ``unchanged`` tells, asked for this run, be its weights others. A table of the days before
        there were arms has all of them.
        """
        weights = {
            (row.seed, row.weights)
            for row in self.now
            if (row.arm, row.seed) in asked and row.weights
        }
        found = set()
        for table, rows in self.rows.items():
            told = {(row.arm, row.seed) for row in rows}
            there = {draw for draw in asked if draw in told or (None, draw[1]) in told}
            if any((row.seed, row.weights) in weights for row in rows) or (
                there and there & unchanged(self.params[table])
            ):
                found.add(table)
        return found


def registrations(
    root: Path,
    claims: Mapping[str, Claim],
    experiments: Mapping[str, Experiment],
    reports: Path = Path("reports"),
) -> dict[str, Registration]:
    """Read from Git's history how claims of the ledger, and the numbers of each, came into it.

    A claim is what decides its verdict, its experiment and its checks, among the ``claims`` of
    ``claims.yaml``. Its numbers are rows of ``runs.csv`` that it is judged on. It is registered if
    every commit with numbers has the claim, and so had all commits right before the first ones.
    Tables that are not committed come after all commits.

    Args:
        root: the folder of ``params.yaml``.
        claims: those of the ledger, by name.
        experiments: those that they are about, by name.
        reports: the folder of their tables, relative to the project's.

    Returns:
        A registration a claim: of unknown history where Git, or its whole history, is not here.
    """
    paths = {
        name: (reports / "results" / name / "runs.csv").as_posix()
        for name in dict.fromkeys(claim.experiment for claim in claims.values())
    }
    try:
        history = _History.read(root, [CLAIMS, Params.file, *paths.values()])
    except _NoHistory:
        return dict.fromkeys(claims, Registration(State.UNKNOWN))
    plain, forms = functools.cache(_plain), functools.cache(_forms)
    tables = {name: _Tables(root, path, history) for name, path in paths.items()}

    @functools.cache
    def unchanged(name: str, params: bytes) -> frozenset[Draw]:
        return _unchanged(plain(params), name, experiments[name])

    @functools.cache
    def measured(name: str, asked: frozenset[Draw]) -> dict[str, None]:
        """Return the commits with numbers, in order."""
        found = tables[name].with_numbers(asked, functools.partial(unchanged, name))
        return {
            commit: None for commit in history.commits if history.file(commit, paths[name]) in found
        }

    def registration(claim: Claim) -> Registration:
        form, name = _digest(claim), claim.experiment
        return _registration(
            history,
            lambda commit: form in forms(history.file(commit, CLAIMS)),
            measured(name, _judged_on(claim, experiments[name])),
        )

    return {name: registration(claim) for name, claim in claims.items()}


def _registration(
    history: _History, has_form: Callable[[str], bool], measured: Mapping[str, None]
) -> Registration:
    """Apply the rule to the commits that have the form, and to those with numbers, in order."""
    since = _since(history, has_form)
    before = [
        history.parents[commit]
        for commit in measured
        if measured.keys().isdisjoint(history.parents[commit])
    ]
    if since is None and not measured:
        state = State.UNCOMMITTED
    elif since is None or not all(map(has_form, measured)):
        state = State.CHANGED
    elif all(parents and all(map(has_form, parents)) for parents in before):
        state = State.REGISTERED
    else:
        state = State.TOGETHER
    first = next(iter(measured), None)
    return Registration(
        state,
        history.commits[since] if since else None,
        history.commits[first] if first else None,
    )


def _since(history: _History, has_form: Callable[[str], bool]) -> str | None:
    """Return the earliest commit of those that lead to HEAD without interruption in the form."""
    reached, earliest = {next(reversed(history.commits))}, None
    for commit in reversed(history.commits):
        if commit in reached and has_form(commit):
            earliest = commit
            reached.update(history.parents[commit])
    return earliest


def write(
    path: Path, registrations: Mapping[str, Registration], claims: Mapping[str, Claim]
) -> None:
    """Write registrations for where there is no history.

    What was measured when is left out, so that committing the tables changes nothing here. Where
    the history is unknown, what is known already of the same form of a claim is kept.

    Raises:
        BenchError: it is to be kept, and cannot be read.
    """
    if State.UNKNOWN in {each.state for each in registrations.values()}:
        known = read(path, claims)
        registrations = {
            name: known[name] if each.state is State.UNKNOWN else each
            for name, each in registrations.items()
        }
    told = {
        name: {
            "state": each.state,
            "commit": each.form and each.form.name,
            "date": each.form and each.form.date,
            "form": _digest(claims[name]),
        }
        for name, each in registrations.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(told, indent=1) + "\n")


def read(path: Path, claims: Mapping[str, Claim]) -> dict[str, Registration]:
    """Read what was written; a claim that is not there, or had another form, is unknown.

    Raises:
        BenchError: it is damaged.
    """
    try:
        told = json.loads(path.read_bytes()) if path.exists() else {}
        return {name: _read(told.get(name), claim) for name, claim in claims.items()}
    except (OSError, ValueError, LookupError, AttributeError, TypeError) as error:
        raise BenchError(
            f"{path}: cannot be read ({one_line(error)}); remove it, and in a clone with all of "
            "Git's history run: dropout-bench report"
        ) from error


def _read(told: Any, claim: Claim) -> Registration:
    if told is None or told["form"] != _digest(claim):
        return Registration(State.UNKNOWN)
    form = Commit(str(told["commit"]), str(told["date"])) if told["commit"] else None
    return Registration(State(told["state"]), form)
