"""What differs between two states of the project: parameters, figures, verdicts."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dvc.api import DVCFileSystem, params_show
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.scm import SCMError, resolve_rev

from dropout_bench.analysis.claims import Claims, load_claims
from dropout_bench.analysis.ledger import LedgerEntry, ledger
from dropout_bench.analysis.statistics import Interval, mean_interval
from dropout_bench.errors import BenchError
from dropout_bench.params.arms import Cell
from dropout_bench.params.file import Params, load_params, read_yaml
from dropout_bench.tables.read import Results, read_present

METRICS = ("test/accuracy", "test/loss")


@dataclass(frozen=True)
class State:
    """A state of the project.

    Attributes:
        name: its revision, or ``workspace``.
        settings: every parameter and every value of ``claims.yaml``, by its place in the file.
        results: the tables of each experiment that has those of its parameters.
        stale: what is wrong with the tables of the others, by experiment.
    """

    name: str
    settings: Mapping[str, Any]
    claims: Claims
    results: Mapping[str, Results]
    stale: Mapping[str, str]

    def verdicts(self) -> dict[str, LedgerEntry]:
        """Return the ledger of the claims whose experiments have results."""
        of = self.claims.about(self.results)
        entries = ledger(of.claims, of.level, self.results, of.smallest)
        return {entry.name: entry for entry in entries}


def read_state(root: Path, revision: str | None) -> State:
    """Read a state of the project: of a Git revision, or as it lies in the folder.

    Raises:
        BenchError: there is no such revision, or it has no parameters that can be read.
    """
    name = revision or "workspace"
    with _files(root, revision) as folder:
        try:
            params = load_params(folder / Params.file)
            # A trial may lack networks that claims are about: these have no verdict there.
            claims = load_claims(
                folder / "claims.yaml", params.all_experiments, leave_out=lambda _: None
            )
        except BenchError as error:
            told = str(error).replace(f"{folder}/", "")
            raise BenchError(f"{name}: cannot be read by the code of now\n{told}") from error
        results, faults = read_present(folder / "reports", params.experiments)
        stale = {each: told.replace(f"{folder}/", "") for each, told in faults.items()}
        flat = dict(_flat(params_show(Params.file, repo=str(root), rev=revision)))
        flat |= {f"claims.yaml: {k}": v for k, v in _flat(read_yaml(folder / "claims.yaml"))}
    return State(name, flat, claims, results, stale)


@contextmanager
def _files(root: Path, revision: str | None) -> Iterator[Path]:
    """Give a folder with the files of a state that are compared."""
    if revision is None:
        yield root
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        try:
            with Repo(str(root)) as repo:
                commit = resolve_rev(repo.scm, revision)
            files = DVCFileSystem(str(root), rev=commit)
            for name in (Params.file, "claims.yaml", "reports/results"):
                if files.exists(name):
                    (folder / name).parent.mkdir(parents=True, exist_ok=True)
                    files.get(name, str(folder / name), recursive=files.isdir(name))
        except SCMError as error:
            raise BenchError(
                f'no revision "{revision}" ({error}); name a commit, a branch or a tag, '
                "such as HEAD~1"
            ) from error
        except DvcException as error:
            raise BenchError(f"{revision}: DVC cannot read it: {error}") from error
        yield folder


def _flat(values: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Write nested mappings as ``experiments.rates.epochs``; a list is a value."""
    if isinstance(values, dict):
        for key, value in values.items():
            yield from _flat(value, f"{place}.{key}" if place else str(key))
    else:
        yield place, values


@dataclass(frozen=True)
class Comparison:
    """What differs between two states.

    Attributes:
        settings: parameters that differ: name and both values, None where it is not there.
        added: cells with results that only the state after has.
        removed: cells with results that only the state before has.
        moved: cells of both whose figures differ: experiment, label, metric, number of seeds of
            both, and the difference, after less before, paired by seed.
        same: number of cells of both whose figures are the same, to the last digit.
        flipped: claims whose verdicts differ: name and both entries, None where it is not there.
        kept: number of claims whose verdicts are the same.
    """

    before: State
    after: State
    settings: list[tuple[str, Any, Any]]
    added: list[tuple[Results, Cell]]
    removed: list[tuple[Results, Cell]]
    moved: list[tuple[str, str, str, int, Interval]]
    same: int
    flipped: list[tuple[str, LedgerEntry | None, LedgerEntry | None]]
    kept: int

    @property
    def nothing(self) -> bool:
        """Whether nothing differs."""
        return not (self.settings or self.added or self.removed or self.moved or self.flipped)


def compare(before: State, after: State) -> Comparison:
    """Compare two states: cells by their labels within an experiment, runs by their seeds."""
    settings = [
        (name, before.settings.get(name), after.settings.get(name))
        for name in dict.fromkeys([*before.settings, *after.settings])
        if before.settings.get(name) != after.settings.get(name)
    ]
    moved = []
    same = 0
    for name in [name for name in after.results if name in before.results]:
        one, other = before.results[name], after.results[name]
        cells = _labels(one)
        for label in [label for label in _labels(other) if label in cells]:
            differences = _differences(one, other, label)
            moved += [(name, label, *difference) for difference in differences]
            same += not differences
    old, new = before.verdicts(), after.verdicts()
    claims = dict.fromkeys([*old, *new])
    flipped = [
        (name, old.get(name), new.get(name))
        for name in claims
        if name not in old or name not in new or old[name].verdict != new[name].verdict
    ]
    return Comparison(
        before,
        after,
        settings,
        added=_only(after, before),
        removed=_only(before, after),
        moved=moved,
        same=same,
        flipped=flipped,
        kept=len(claims) - len(flipped),
    )


def _labels(results: Results) -> dict[str, Cell]:
    return {cell.label: cell for cell in results.experiment.cells()}


def _only(here: State, there: State) -> list[tuple[Results, Cell]]:
    found = []
    for name, results in here.results.items():
        # Where the other state has no results to compare with, nothing is known to be missing.
        if name not in there.stale:
            others = _labels(there.results[name]) if name in there.results else {}
            found += [(results, c) for c in results.experiment.cells() if c.label not in others]
    return found


def _differences(one: Results, other: Results, label: str) -> list[tuple[str, int, Interval]]:
    """Compare a cell's figures seed by seed; nothing is returned where all are the same."""
    before, after = (
        results.of(_labels(results)[label], "runs").set_index("seed")[list(METRICS)]
        for results in (one, other)
    )
    differences = (after - before).dropna(how="all")
    if not differences.to_numpy().any():
        return []
    return [
        (metric, len(differences), mean_interval(differences[metric].tolist()))
        for metric in METRICS
    ]
