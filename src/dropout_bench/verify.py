"""Whether the committed report is what this code makes of these parameters."""

import contextlib
import hashlib
import io
import itertools
import json
import math
import random
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
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
from dropout_bench.evaluation.pictures import examples, features
from dropout_bench.evaluation.tables import DIGITS, Evaluation
from dropout_bench.params.experiment import Experiment
from dropout_bench.params.file import Params, Suite
from dropout_bench.params.run import Job, Run
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


def committed_suites(root: Path, params: Params) -> list[Suite]:
    """List the suites whose reports are committed: all but those that Git ignores."""
    suites = list(params.suites.values())
    with contextlib.suppress(DvcException), Repo(str(root)) as repo:
        suites = [
            suite
            for suite in suites
            if not repo.scm.is_ignored(str(root.resolve() / suite.reports / "report.md"))
        ]
    return suites


def belongs_together(root: Path, params: Params) -> Iterator[Finding]:
    """Check that code, parameters, claims, ``dvc.lock``, tables and reports fit each other.

    No data are needed, and nothing in the project is written.
    """
    yield from _pipeline(root)
    for suite in committed_suites(root, params):
        yield from _keys(suite, root)
        yield from _rendered(suite, root, params)


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


def _keys(suite: Suite, root: Path) -> Iterator[Finding]:
    check = "run keys are those of code and parameters"
    for name, experiment in suite.experiments.items():
        place = str(suite.reports / "results" / name / "runs.csv")
        path = root / place
        try:
            versions = read_versions(path.parent)
            committed = read_table(path)["key"].tolist()
            expected = [
                _identity(job, versions["data"], versions["device"], versions).key
                for job in experiment.jobs()
            ]
        except BenchError as error:
            yield Finding(check, str(Path(place).with_name("versions.json")), False, str(error))
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
    libraries = tuple((name, versions[name]) for name in library_versions())
    return replace(Identity.here(job.run, data, device), libraries=libraries)


def _rendered(suite: Suite, root: Path, params: Params) -> Iterator[Finding]:
    check = "reports are what the tables give"
    name, reports = str(suite.reports), root / suite.reports
    with tempfile.TemporaryDirectory() as temporary:
        again = Path(temporary) / "reports"
        try:
            shutil.copytree(reports / "results", again / "results")
            claims = load_claims(root / "claims.yaml", params.all_experiments)
            render(suite.experiments, claims.about(suite.experiments), again)
        except (OSError, BenchError) as error:
            told = str(error).replace(str(again), name)
            yield Finding(check, name, False, told)
            return
        wrong = [*_differing(reports, again), *_left_over(reports, again)]
        for file in wrong:
            yield Finding(check, f"{name}/{file}", False, "not what the tables give")
        if not wrong:
            yield Finding(check, name, True)


def _made(folder: Path) -> list[str]:
    files = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    # Times are no part of the results: they differ from one training to the next.
    return sorted(str(file) for file in files if file.parts[0] not in {"results", "timings.md"})


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


class Place(NamedTuple):
    """A run in an experiment whose tables hold it."""

    suite: Suite
    name: str
    experiment: Experiment
    job: Job

    @property
    def told(self) -> str:
        """Its name in messages."""
        return f"{self.name}/{self.job.name}"


Places = dict[Run, list[Place]]
"""The distinct runs of some suites, each with every experiment that holds it."""


def distinct_runs(suites: Iterable[Suite]) -> Places:
    """List every run of suites once, with its places in them."""
    places: Places = {}
    for suite in suites:
        for name, experiment in suite.experiments.items():
            for job in experiment.jobs():
                places.setdefault(job.run, []).append(Place(suite, name, experiment, job))
    return places


def draw(places: Places, count: int | None, seed: int) -> Places:
    """Draw distinct runs, each as likely as any other; all of them without ``count``.

    Args:
        places: what is drawn from.
        count: how many.
        seed: decides which.
    """
    drawn = random.Random(seed).sample(  # noqa: S311
        list(places), len(places) if count is None else min(count, len(places))
    )
    return {run: places[run] for run in drawn}


def chance(runs: int, drawn: int, forged: int) -> float:
    """Return the chance that at least one of the forged runs is among those drawn."""
    return 1 - math.comb(runs - forged, drawn) / math.comb(runs, drawn)


class Again(NamedTuple):
    """What a run gave that was trained and evaluated again, for one of its places."""

    weights: str
    curves: bytes
    evaluation: Evaluation
    device: str


def trained_again(root: Path, drawn: Places) -> Iterator[Finding]:
    """Train runs from scratch, without the run store, evaluate them wherever they stand, compare.

    What is summed or chosen over the runs of a cell is compared where all of them were drawn.

    Raises:
        BenchError: the data are not here, or the tables cannot be read.
    """
    named = {places[0].told: places for places in drawn.values()}
    committed: dict[str, Results] = {}
    sources: dict[str, Source] = {}
    for place in itertools.chain.from_iterable(named.values()):
        dataset = place.experiment.dataset
        if dataset not in sources:
            sources[dataset] = Source.of(dataset, root)
        if place.name not in committed:
            committed[place.name] = read_results(
                root / place.suite.reports, place.name, place.experiment
            )
    calls = {
        name: (places[0].job, [place.experiment for place in places], sources[dataset])
        for name, places in named.items()
        for dataset in [places[0].experiment.dataset]
    }
    outcomes: dict[str, dict[Job, Again]] = {name: {} for name in committed}
    count = min(engine.cores(), len(calls))
    with (
        engine.Progress("verify", len(calls)) as progress,
        engine.workers("dropout_bench.evaluation.metrics", None, count) as client,
    ):
        for name, outcome in engine.done(client, _again, calls, progress):
            if isinstance(outcome, BaseException):
                yield Finding("trained again", name, False, engine.told(outcome))
                continue
            for place, again in zip(named[name], outcome, strict=True):
                yield _compared(place, committed[place.name], again, sources)
                outcomes[place.name][place.job] = again
    for name, results in committed.items():
        raw = sources[results.experiment.dataset].raw
        yield from _of_whole_cells(results, outcomes[name], raw)


def _again(job: Job, experiments: list[Experiment], source: Source) -> list[Again]:
    """Train a run and evaluate it as each experiment does; in a worker."""
    from dropout_bench.evaluation.metrics import evaluate
    from dropout_bench.training.run import train

    raw, run = source.at_hand(), job.run
    keep = any(experiment.keep_every_epoch for experiment in experiments)
    result = train(run, raw, keep)
    outcomes = []
    for experiment in experiments:
        weights = result.files[evaluated_weights(experiment)]
        epochs = range(1, run.epochs + 1) if experiment.keep_every_epoch else ()
        by_epoch = {epoch: result.files[epoch_file(epoch)] for epoch in epochs}
        evaluation = evaluate(run, raw, weights, by_epoch, experiment.measures)
        digest = hashlib.sha256(weights).hexdigest()[:32]
        outcomes.append(Again(digest, result.files[CURVES], evaluation, result.device))
    return outcomes


def _same_environment(committed: Results, device: str) -> bool:
    versions = committed.versions
    return device == versions["device"] and all(
        versions.get(name) == version for name, version in library_versions().items()
    )


def _compared(
    place: Place, committed: Results, again: Again, sources: Mapping[str, Source]
) -> Finding:
    cell, seed, evaluation = place.job.cell, place.job.run.seed, again.evaluation

    def mine(table: Literal["runs", "curves", "measures"]) -> pd.DataFrame:
        rows = committed.of(cell, table)
        return rows[rows["seed"] == seed]

    wrong = []
    if sources[place.experiment.dataset].digest != committed.versions["data"]:
        wrong.append("other data")
    row = mine("runs").iloc[0]
    if row["parameters"] != evaluation.parameters:
        wrong.append(f"parameters: {row['parameters']}, not {evaluation.parameters}")
    if same := _same_environment(committed, again.device):
        if row["weights"] != again.weights:
            wrong.append("weights")
        wrong += [
            f"{name}: {row[name]:.6g}, not {value:.6g}"
            for name, value in evaluation.final.items()
            if _as_written(value) != row[name]
        ]
        wrong += _other_curves(mine("curves"), again.curves, evaluation)
        measured = [(m, _as_written(at), _as_written(v)) for m, at, v in evaluation.measured]
        rows = mine("measures")[["metric", "at", "value"]].itertuples(index=False, name=None)
        if list(rows) != measured:
            wrong.append("measures")
    else:
        for name, value in evaluation.final.items():
            seeds = committed.of(cell, "runs")[name].astype(float)
            if not abs(value - seeds.mean()) <= TOLERANCE * np.nan_to_num(seeds.std()) + 1e-3:
                wrong.append(f"{name}: {value:.6g}, in the mean {seeds.mean():.6g}")
    told = "; ".join(wrong) or (
        "weights, curves and figures"
        if same
        else f"{again.device}; every figure within {TOLERANCE:g} standard deviations over seeds"
    )
    check = "trained again, bit by bit" if same else "trained again, within tolerance"
    return Finding(check, place.told, not wrong, told)


def _of_whole_cells(
    committed: Results, outcomes: Mapping[Job, Again], raw: Path
) -> Iterator[Finding]:
    """Compare confusions, cell by cell, and the pictures, where all runs were trained again."""
    experiment, cells = committed.experiment, committed.experiment.cells()
    folder = f"{committed.name}/"
    if not all(_same_environment(committed, again.device) for again in outcomes.values()):
        return
    by_cell = {
        cell: [again.evaluation.confusion for job, again in outcomes.items() if job.cell == cell]
        for cell in cells
    }
    whole = {cell: of for cell, of in by_cell.items() if len(of) == len(experiment.seeds)}
    wrong = [
        cell.label
        for cell, confusions in whole.items()
        if cell.rows_of(committed.confusion)["images"].tolist()
        != np.sum(confusions, axis=0).ravel().tolist()
    ]
    if whole:
        told = ", ".join(wrong) or f"{len(whole)} of {len(cells)} cells"
        yield Finding("confusions, counted again", f"{folder}confusion.csv", not wrong, told)
    if len(whole) == len(cells):
        evaluations = {job: outcomes[job].evaluation for job in experiment.jobs()}
        rows = [
            *features(experiment, {job: of.features for job, of in evaluations.items()}),
            *examples(experiment, {job: of.predicted for job, of in evaluations.items()}, raw),
        ]
        again = pd.DataFrame(rows, columns=committed.pictures.columns)
        same = _text(again) == _text(committed.pictures)
        yield Finding("pictures, drawn again", f"{folder}pictures.csv", same)


def _text(table: pd.DataFrame) -> str:
    return table.to_csv(index=False, float_format=DIGITS)


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
