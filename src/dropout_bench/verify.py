"""Whether the committed report is what this code makes of these parameters."""

import contextlib
import hashlib
import io
import json
import math
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from dvc.exceptions import DvcException
from dvc.repo import Repo

from dropout_bench import engine
from dropout_bench.analysis import registration
from dropout_bench.analysis.claims import load_claims
from dropout_bench.data.download import Source
from dropout_bench.errors import BenchError, shortened
from dropout_bench.evaluation.pictures import examples, features
from dropout_bench.params.arms import Job
from dropout_bench.params.experiment import Experiment
from dropout_bench.params.file import Params, Suite
from dropout_bench.params.run import Run
from dropout_bench.report.render import render
from dropout_bench.tables.read import Results, keys_of, read_results, read_table, read_versions
from dropout_bench.tables.schema import TABLES
from dropout_bench.tables.write import Row, Told, Trained, write_tables
from dropout_bench.training.keys import Identity, library_versions
from dropout_bench.training.result import CURVES, epoch_file
from dropout_bench.training.store import weights_file

NOT_IN_GIT = ("data/raw/", "runs/", "evaluations/")
"""What a fresh clone lacks."""
MISSING = ("deleted", "not in cache")
"""What DVC says of it."""

TOLERANCE = 4.0
"""How far a figure may be from the mean of its cell under another arithmetic, in standard
deviations over the committed seeds: a training amplifies rounding until it is like another seed."""


@dataclass(frozen=True)
class Finding:
    """What was checked, of which file or run, and what differs; or how it was compared."""

    check: str
    place: str
    holds: bool
    told: str = ""


def committed_suites(root: Path, params: Params) -> list[Suite]:
    """List the suites whose reports are committed: all but those that Git ignores."""
    with contextlib.suppress(DvcException), Repo(str(root)) as repo:
        return [
            suite
            for suite in params.suites.values()
            if not repo.scm.is_ignored(str(root.resolve() / suite.reports / "report.md"))
        ]
    return list(params.suites.values())


def belongs_together(root: Path, params: Params) -> Iterator[Finding]:
    """Check that code, parameters, claims, ``dvc.lock``, tables, reports and history fit.

    No data are needed, and nothing in the project is written.
    """
    yield from _pipeline(root)
    yield from as_registered(root, params)
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
            if not isinstance(entry, dict):
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


def as_registered(root: Path, params: Params) -> Iterator[Finding]:
    """Check that nothing says better of when a claim was written than Git's history does.

    Without the history there is nothing to compare with, and that is told.
    """
    check, place = "claims were written when Git's history has them", str(registration.REGISTERED)
    try:
        every = load_claims(root / registration.CLAIMS, params.all_experiments)
        claims = every.about(params.experiments).claims
        told = registration.read(root / place, claims)
    except BenchError as error:
        yield Finding(check, place, False, str(error))
        return
    true = registration.registrations(root, claims, params.experiments)
    wrong = [name for name in claims if told[name].state.better(true[name].state)]
    for name in wrong:
        said, is_so = told[name].state, true[name].state
        remedy = "run: dvc repro --force --single-item report"
        yield Finding(check, place, False, f"{name} is {is_so}, not {said}; {remedy}")
    if not wrong:
        states = Counter(each.state for each in true.values())
        counted = ", ".join(f"{states[state]} {state}" for state in states)
        missing = "not compared: all of Git's history is needed, and it is not here"
        unknown = registration.State.UNKNOWN in states
        yield Finding(check, place, True, missing if unknown else counted)


def _keys(suite: Suite, root: Path) -> Iterator[Finding]:
    check = "run keys are those of code and parameters"
    for name, experiment in suite.experiments.items():
        place = str(suite.reports / "results" / name / "runs.csv")
        path = root / place
        try:
            versions = read_versions(path.parent)
            tables = (read_table(path.with_name(f"{each}.csv")) for each in ("runs", "candidates"))
            committed = {
                (arm, seed, candidate): key
                for arm, seed, candidate, key in keys_of(*tables).itertuples(index=False)
            }
            libraries = tuple((name, versions[name]) for name in library_versions())
            data = dict(part.split(" ") for part in versions["data"].split(", "))
            expected = {
                (job.cell.label, job.run.seed, job.candidate): replace(
                    Identity.here(job.run, data[job.run.dataset], versions["device"]),
                    libraries=libraries,
                ).key
                for job in experiment.jobs()
            }
        except BenchError as error:
            yield Finding(check, str(Path(place).with_name("versions.json")), False, str(error))
            continue
        except (OSError, ValueError, KeyError) as error:
            yield Finding(check, place, False, f"cannot be read: {error}; run: dvc repro")
            continue
        wrong = sum(
            committed.get(run) != expected.get(run) for run in committed.keys() | expected.keys()
        )
        told = f"{wrong} of {len(expected)} differ; run: dvc repro" if wrong else ""
        yield Finding(check, place, not wrong, told)


def _rendered(suite: Suite, root: Path, params: Params) -> Iterator[Finding]:
    check = "reports are what the tables give"
    name, reports = str(suite.reports), root / suite.reports
    with tempfile.TemporaryDirectory() as temporary:
        again = Path(temporary) / "reports"
        try:
            shutil.copytree(reports / "results", again / "results")
            if (reports / registration.REGISTERED.name).exists():
                shutil.copy(reports / registration.REGISTERED.name, again)
            claims = load_claims(root / "claims.yaml", params.all_experiments)
            render(suite.experiments, claims.about(suite.experiments), again)
        except (OSError, BenchError) as error:
            told = str(error).replace(str(again), name)
            yield Finding(check, name, False, told)
            return
        theirs, ours = _made(reports), _made(again)
        wrong = [file for file in sorted(theirs | ours) if theirs.get(file) != ours.get(file)]
        for file in wrong:
            yield Finding(check, f"{name}/{file}", False, "not what the tables give")
        if not wrong:
            yield Finding(check, name, True)


def _made(reports: Path) -> dict[str, bytes]:
    """Read what is made from the tables; times differ from one training to the next."""
    files = [
        path
        for made in ("report.*", "findings.md", "metrics.json", "figures/*")
        for path in reports.glob(made)
    ]
    return {str(path.relative_to(reports)): path.read_bytes() for path in files if path.is_file()}


class Place(NamedTuple):
    """A run in an experiment whose tables hold it, in a folder of reports."""

    reports: Path
    name: str
    experiment: Experiment
    job: Job


Places = dict[Run, list[Place]]
"""The distinct runs of some suites, each with every experiment that holds it."""


def distinct_runs(suites: Iterable[Suite]) -> Places:
    """List every run of suites once, with its places in them."""
    places: Places = {}
    for suite in suites:
        for name, experiment in suite.experiments.items():
            for job in experiment.jobs():
                places.setdefault(job.run, []).append(Place(suite.reports, name, experiment, job))
    return places


def draw(places: Places, count: int | None, seed: int) -> Places:
    """Draw distinct runs, each as likely as any other; all of them without ``count``."""
    count = len(places) if count is None else min(count, len(places))
    drawn = random.Random(seed).sample(list(places), count)  # noqa: S311
    return {run: places[run] for run in drawn}


def chance(runs: int, drawn: int, forged: int) -> float:
    """Return the chance that at least one of the forged runs is among those drawn."""
    return 1 - math.comb(runs - forged, drawn) / math.comb(runs, drawn)


Again = tuple[Told, str]
"""What a run gave that was trained and evaluated again, for one of its places, and the device."""


def trained_again(root: Path, drawn: Places) -> Iterator[Finding]:
    """Train runs from scratch, without the run store, evaluate them wherever they stand, compare.

    Raises:
        BenchError: the data are not here, or the tables cannot be read.
    """
    named = {f"{its[0].name}/{its[0].job.name}": its for its in drawn.values()}
    sources = {name: Source.of(name, root) for name in {run.dataset for run in drawn}}
    calls = {name: (places, sources[places[0].job.run.dataset]) for name, places in named.items()}
    by_experiment: dict[str, list[tuple[Place, Again]]] = {}
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
                by_experiment.setdefault(place.name, []).append((place, again))
    for name, outcomes in by_experiment.items():
        reports, _, experiment, _ = outcomes[0][0]
        results = read_results(root / reports, name, experiment)
        found = {place.job: again for place, again in outcomes}
        folder = root / reports / "results" / name
        raw = next(iter(sources.values())).raw
        yield from _compared(results, folder, found, raw)


def _again(places: list[Place], source: Source) -> list[Again]:
    """Train a run and evaluate it as each experiment does; in a worker."""
    from dropout_bench.evaluation.metrics import evaluate
    from dropout_bench.training.run import train

    raw, run = source.at_hand(), places[0].job.run
    keep = any(place.experiment.keep_every_epoch for place in places)
    result = train(run, raw, keep)
    key = Identity.here(run, source.digest, result.device).key
    seen = pd.read_csv(io.BytesIO(result.files[CURVES])).astype(float)
    curves: Any = seen.to_dict("records")
    outcomes = []
    for _, _, experiment, job in places:
        weights = result.files[weights_file(job)]
        epochs = range(1, run.epochs + 1) if experiment.keep_every_epoch else ()
        by_epoch = {epoch: result.files[epoch_file(epoch)] for epoch in epochs}
        evaluation = evaluate(run, raw, weights, by_epoch, experiment.measures)
        digest = hashlib.sha256(weights).hexdigest()[:32]
        trained = Trained(job, key, digest, curves)
        outcomes.append((Told(trained, evaluation), result.device))
    return outcomes


def _compared(
    committed: Results, folder: Path, found: Mapping[Job, Again], raw: Path
) -> Iterator[Finding]:
    """Compare the rows of an experiment's tables with those of the runs that were trained again.

    What is summed or chosen over the runs of a cell, or of all cells, is compared where all of
    these were drawn. Under another arithmetic the figures of each run are compared alone.
    """
    name, experiment, versions = committed.name, committed.experiment, committed.versions
    jobs = [job for job in experiment.jobs() if job in found]
    again_trained = [found[job][0].trained for job in jobs]
    by_cell = list(jobs[0].cell.row())
    of_candidates = committed.candidates
    passed_over = {
        tuple(row)
        for row in of_candidates.loc[
            of_candidates["chosen"] == 0, [*by_cell, "seed", "candidate"]
        ].itertuples(index=False)
    }
    told = [
        found[job][0]
        for job in jobs
        if (*job.cell.row().values(), job.run.seed, job.candidate) not in passed_over
    ]
    pictures: list[Row] = []
    if whole_experiment := len(jobs) == len(experiment.jobs()):
        by_job = {run.trained.job: run.evaluation for run in told}
        pictures += features(experiment, {job: its.features for job, its in by_job.items()})
        pictures += examples(experiment, {job: its.predicted for job, its in by_job.items()}, raw)
    with tempfile.TemporaryDirectory() as again:
        write_tables(Path(again), name, experiment, again_trained, told, pictures, {})
        tables = {
            table: [_rows(Path(place) / f"{table}.csv", by_cell) for place in (folder, again)]
            for table in TABLES
        }

    def differences(table: str, key: Any) -> Iterator[str]:
        theirs, ours = tables[table]
        return _differences(theirs.get(key), ours.get(key))

    libraries = all(versions.get(library) == its for library, its in library_versions().items())
    same = {job: libraries and device == versions["device"] for job, (_, device) in found.items()}
    evaluated = {one.trained.job for one in told}
    for job in jobs:
        key = (*job.cell.row().values(), str(job.run.seed))
        if same[job]:
            check, right = "trained again, bit by bit", "weights, curves and figures"
            wrong = [
                f"{table}.csv, {told}"
                for table in ("runs", "curves", "measures")
                if job in evaluated
                for told in differences(table, key)
            ]
            wrong += [
                f"candidates.csv, {told}"
                for told in differences("candidates", (*key, job.candidate))
            ]
        else:
            run, device = found[job]
            check = "trained again, within tolerance"
            right = f"{device}; within {TOLERANCE:g} standard deviations over seeds"
            wrong = list(_far_off(committed, run))
        yield Finding(check, f"{name}/{job.name}", not wrong, "; ".join(wrong) or right)
    drawn = [tuple(one.trained.job.cell.row().values()) for one in told]
    whole = {
        "confusion": {key for key in drawn if drawn.count(key) == len(experiment.seeds)},
        "pictures": set().union(*tables["pictures"]) if whole_experiment else set(),
    }
    for table, cells in whole.items():
        wrong = [
            f"{' '.join(key)}: {told}" for key in sorted(cells) for told in differences(table, key)
        ]
        if cells and all(same.values()):
            told_of = "; ".join(wrong) or f"{len(cells)} of {len(experiment.cells())} cells"
            yield Finding("made again", f"{name}/{table}.csv", not wrong, told_of)


def _rows(path: Path, by_cell: list[str]) -> dict[Any, pd.DataFrame]:
    """Read the rows of a table as they are written: by run, or by cell where no seed is told."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    by = [*by_cell, *(name for name in ("seed", "candidate") if name in table)]
    return dict(iter(table.groupby(by, sort=False)))


def _differences(theirs: pd.DataFrame | None, ours: pd.DataFrame | None) -> Iterator[str]:
    """Say in which columns rows differ, and how where they do so first."""
    if theirs is None or ours is None or len(theirs) != len(ours):
        if theirs is not ours:
            yield "other rows"
        return
    for column in ours:
        for one, other in zip(theirs[column], ours[column], strict=True):
            if one != other:
                yield f"{column}: {shortened(one)}, not {shortened(other)}"
                break


def _far_off(committed: Results, told: Told) -> Iterator[str]:
    for name, value in told.evaluation.final.items():
        seeds = committed.of(told.trained.job.cell, "runs")[name].astype(float)
        if not abs(value - seeds.mean()) <= TOLERANCE * np.nan_to_num(seeds.std()) + 1e-3:
            yield f"{name}: {value:.6g}, in the mean {seeds.mean():.6g}"


def as_json(findings: list[Finding], about: Mapping[str, object]) -> str:
    """Write findings for machines."""
    holds = all(finding.holds for finding in findings)
    told = {"holds": holds, **about, "findings": [asdict(finding) for finding in findings]}
    return json.dumps(told, indent=1)
