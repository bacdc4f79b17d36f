"""Whether the committed report is what this code makes of these parameters."""

import hashlib
import io
import json
import math
import random
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from dvc.exceptions import DvcException
from dvc.repo import Repo

from dropout_bench import engine
from dropout_bench.analysis.claims import load_claims
from dropout_bench.analysis.results import Results, read_results, read_table, read_versions
from dropout_bench.data.download import Source
from dropout_bench.errors import BenchError
from dropout_bench.evaluation.tables import DIGITS, Evaluation
from dropout_bench.params.experiment import Experiment
from dropout_bench.params.file import Params
from dropout_bench.params.run import Job
from dropout_bench.report.render import render
from dropout_bench.training.keys import Identity, library_versions
from dropout_bench.training.result import CURVES, epoch_file, evaluated_weights

NOT_IN_GIT = ("data/raw/", "runs/")
"""What a fresh clone lacks."""
MISSING = ("deleted", "not in cache")
"""What DVC says of it."""

TOLERANCE = 4.0
"""How far a figure may be from the mean of its cell under another arithmetic, in standard
deviations over the committed seeds: a training amplifies rounding until it is like another seed."""


@dataclass(frozen=True)
class Finding:
    """Something that was checked.

    Attributes:
        check: what was checked.
        place: the file, or the run.
        holds: whether it is as it should be.
        told: what differs and by how much; or how it was compared.
    """

    check: str
    place: str
    holds: bool
    told: str = ""


class Section(NamedTuple):
    """Experiments that share a report."""

    reports: Path
    experiments: Mapping[str, Experiment]


def sections(root: Path, params: Params, paper: bool = True) -> list[Section]:
    """List the committed reports with their experiments; without ``paper``, the pipeline's alone.

    A run of the paper's large network takes as long as all others together.
    """
    chosen = [Section(root / "reports", params.experiments)]
    if paper and params.paper:
        chosen.append(Section(root / "reports" / "paper", params.paper))
    return chosen


def belongs_together(root: Path, params: Params) -> Iterator[Finding]:
    """Check that code, parameters, claims, ``dvc.lock``, tables and reports fit each other.

    No data are needed, and nothing in the project is written.
    """
    yield from _pipeline(root)
    for section in sections(root, params):
        yield from _keys(section, root)
        yield from _rendered(section, root, params)


def _pipeline(root: Path) -> Iterator[Finding]:
    check = "DVC would run nothing"
    try:
        with Repo(str(root)) as repo:
            status = repo.status()
    except DvcException as error:
        place = "dvc.lock" if "dvc.lock" in str(error) else "dvc.yaml"
        yield Finding(check, place, False, " ".join(str(error).split()))
        return
    changed: dict[str, str] = {}
    for stage, entries in status.items():
        for entry in entries:
            if entry == "changed command" or not isinstance(entry, dict):
                changed.setdefault("dvc.yaml", f"{stage}: {entry}")
                continue
            for files in entry.values():
                for file, what in files.items():
                    if what not in MISSING or not file.startswith(NOT_IN_GIT):
                        told = ", ".join(what) if isinstance(what, dict) else what
                        changed.setdefault(file, f"{told} since stage {stage} was run")
    for file, told in changed.items():
        yield Finding(check, file, False, f"{told}; run: dvc repro")
    if not changed:
        yield Finding(check, "dvc.lock", True)


def _keys(section: Section, root: Path) -> Iterator[Finding]:
    check = "run keys are those of code and parameters"
    for name, experiment in section.experiments.items():
        path = section.reports / "results" / name / "runs.csv"
        place = str(path.relative_to(root))
        try:
            versions = read_versions(path.parent)
            committed = read_table(path)["key"].tolist()
            expected = [
                _identity(job, versions["data"], versions["device"], versions).key
                for job in experiment.jobs()
            ]
        except BenchError as error:
            yield Finding(
                check, str((path.parent / "versions.json").relative_to(root)), False, str(error)
            )
            continue
        except (OSError, ValueError, KeyError) as error:
            yield Finding(check, place, False, f"cannot be read: {error}; run: dvc repro")
            continue
        wrong = sum(one != other for one, other in zip(committed, expected, strict=False))
        wrong += abs(len(committed) - len(expected))
        told = f"{wrong} of {len(expected)} differ; run: dvc repro" if wrong else ""
        yield Finding(check, place, not wrong, told)


def _identity(job: Job, data: str, device: str, versions: Mapping[str, str]) -> Identity:
    """Return a run's identity under this code and the library versions that are recorded."""
    libraries = {name: versions[name] for name in library_versions()}
    return Identity(**vars(Identity.here(job.run, data, device)) | libraries)


def _rendered(section: Section, root: Path, params: Params) -> Iterator[Finding]:
    check = "reports are what the tables give"
    name = str(section.reports.relative_to(root))
    with tempfile.TemporaryDirectory() as temporary:
        again = Path(temporary) / "reports"
        try:
            shutil.copytree(section.reports / "results", again / "results")
            claims = load_claims(root / "claims.yaml", params.all_experiments)
            render(section.experiments, claims.about(section.experiments), again)
        except (OSError, BenchError) as error:
            told = str(error).replace(str(again), name)
            yield Finding(check, name, False, told)
            return
        wrong = [*_differing(section.reports, again), *_left_over(section.reports, again)]
        for file in wrong:
            yield Finding(check, f"{name}/{file}", False, "not what the tables give")
        if not wrong:
            yield Finding(check, name, True)


def _made(folder: Path) -> list[str]:
    files = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    return sorted(str(file) for file in files if file.parts[0] != "results")


def _differing(reports: Path, again: Path) -> list[str]:
    return [
        name
        for name in _made(again)
        if not (reports / name).is_file()
        or (reports / name).read_bytes() != (again / name).read_bytes()
    ]


def _left_over(reports: Path, again: Path) -> list[str]:
    kept = {path.name for path in (reports / "figures").glob("*")}
    return [f"figures/{name}" for name in sorted(kept - {p.name for p in again.glob("figures/*")})]


class Drawn(NamedTuple):
    """A committed run that is to be trained again."""

    section: Section
    name: str
    experiment: Experiment
    job: Job

    @property
    def place(self) -> str:
        """Its name in messages."""
        return f"{self.name}/{self.job.name}"


def draw(all_sections: list[Section], count: int | None, seed: int) -> tuple[list[Drawn], int]:
    """Draw runs, experiment by experiment in turn; each run that experiments share once.

    Args:
        all_sections: what is drawn from.
        count: how many; all of them without it.
        seed: decides which.

    Returns:
        The runs, and how many there are to draw from.
    """
    seen = set()
    by_experiment = []
    for section in all_sections:
        for name, experiment in section.experiments.items():
            runs = []
            for job in experiment.jobs():
                if job.run not in seen:
                    seen.add(job.run)
                    runs.append(Drawn(section, name, experiment, job))
            random.Random(f"{seed}/{name}").shuffle(runs)  # noqa: S311
            by_experiment.append(runs)
    random.Random(seed).shuffle(by_experiment)  # noqa: S311
    turns = max(map(len, by_experiment))
    order = [runs[turn] for turn in range(turns) for runs in by_experiment if turn < len(runs)]
    return order[:count], len(order)


def chance(runs: int, drawn: int, forged: int) -> float:
    """Return the chance that at least one of the forged runs is among those drawn."""
    return 1 - math.comb(runs - forged, drawn) / math.comb(runs, drawn)


def trained_again(root: Path, params: Params, chosen: list[Drawn]) -> Iterator[Finding]:
    """Train and evaluate runs from scratch, without the run store, and compare.

    Raises:
        BenchError: the data are not here, or the tables cannot be read.
    """
    calls = {}
    for each in chosen:
        source = Source.of(each.experiment.dataset, root)
        calls[each.place] = (each.job, each.experiment, source)
    by_place = {each.place: each for each in chosen}
    committed: dict[str, Results] = {}
    for each in chosen:
        if each.name not in committed:
            committed[each.name] = read_results(each.section.reports, each.name, each.experiment)
    count = min(engine.cores(), len(calls))
    with (
        engine.Progress("verify", len(calls)) as progress,
        engine.workers("dropout_bench.evaluation.metrics", None, count) as client,
    ):
        for place, outcome in engine.done(client, _again, calls, progress):
            if isinstance(outcome, BaseException):
                yield Finding("trained again", place, False, engine.told(outcome))
            else:
                drawn = by_place[place]
                yield _compared(drawn, committed[drawn.name], *outcome)


def _again(job: Job, experiment: Experiment, source: Source) -> tuple[str, bytes, Evaluation, str]:
    """Train and evaluate a run; in a worker."""
    from dropout_bench.evaluation.metrics import evaluate
    from dropout_bench.training.run import train

    raw = source.at_hand()
    result = train(job.run, raw, experiment.keep_every_epoch)
    weights = result.files[evaluated_weights(experiment)]
    epochs = range(1, job.run.epochs + 1) if experiment.keep_every_epoch else ()
    by_epoch = {epoch: result.files[epoch_file(epoch)] for epoch in epochs}
    evaluation = evaluate(job.run, raw, weights, by_epoch, experiment.measures)
    digest = hashlib.sha256(weights).hexdigest()[:32]
    return digest, result.files[CURVES], evaluation, result.device


def _compared(
    drawn: Drawn,
    committed: Results,
    digest: str,
    curves: bytes,
    evaluation: Evaluation,
    device: str,
) -> Finding:
    versions = committed.versions
    cell, seed = drawn.job.cell, drawn.job.run.seed

    def mine(table: Literal["runs", "curves", "measures"]) -> pd.DataFrame:
        rows = committed.of(cell, table)
        return rows[rows["seed"] == seed]

    same = device == versions["device"] and all(
        versions.get(name) == version for name, version in library_versions().items()
    )
    check = "trained again, bit by bit" if same else "trained again, within tolerance"
    wrong = []
    if same:
        row = mine("runs").iloc[0]
        if row["weights"] != digest:
            wrong.append("weights")
        wrong += [
            f"{name}: {row[name]:.6g}, not {value:.6g}"
            for name, value in evaluation.final.items()
            if _as_written(value) != row[name]
        ]
        wrong += _other_curves(mine("curves"), curves, evaluation)
        measured = [(m, _as_written(at), _as_written(v)) for m, at, v in evaluation.measured]
        rows = mine("measures")[["metric", "at", "value"]].itertuples(index=False, name=None)
        if list(rows) != measured:
            wrong.append("measures")
    else:
        for name, value in evaluation.final.items():
            seeds = committed.of(cell, "runs")[name].astype(float)
            if abs(value - seeds.mean()) > TOLERANCE * seeds.std() + 1e-3:
                wrong.append(f"{name}: {value:.6g}, in the mean {seeds.mean():.6g}")
    told = "; ".join(wrong) or (
        "weights, curves and figures"
        if same
        else f"{device}; every figure within {TOLERANCE:g} standard deviations over seeds"
    )
    return Finding(check, drawn.place, not wrong, told)


def _as_written(value: float) -> float:
    return float(DIGITS % value)


def _other_curves(committed: pd.DataFrame, curves: bytes, evaluation: Evaluation) -> list[str]:
    seen = pd.read_csv(io.BytesIO(curves))
    wrong = []
    for column in [name for name in seen.columns if name != "epoch"]:
        values = [_as_written(value) for value in seen[column]]
        if not np.array_equal(values, committed[column].to_numpy(dtype=float)):
            wrong.append(f"curve of {column}")
    for epoch, figures in evaluation.by_epoch.items():
        row = committed[committed["epoch"] == epoch].iloc[0]
        wrong += [
            f"{name} of epoch {epoch}"
            for name, value in figures.items()
            if _as_written(value) != row[name]
        ]
    return wrong


def as_json(findings: list[Finding], about: Mapping[str, object]) -> str:
    """Write findings for machines."""
    holds = all(finding.holds for finding in findings)
    told = {"holds": holds, **about, "findings": [asdict(finding) for finding in findings]}
    return json.dumps(told, indent=1)
