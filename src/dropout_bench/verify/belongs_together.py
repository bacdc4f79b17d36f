"""Whether code, parameters, claims, ``dvc.lock``, tables, reports and history fit.

No data are needed.
"""

import contextlib
import multiprocessing
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

from dvc.exceptions import DvcException
from dvc.repo import Repo

from dropout_bench.analysis import registration
from dropout_bench.analysis.claims import load_claims
from dropout_bench.errors import BenchError
from dropout_bench.params.file import Params, Suite, load_params
from dropout_bench.tables.read import keys_of, read_table, read_versions
from dropout_bench.training.keys import Identity, library_versions
from dropout_bench.verify import consistent, expected
from dropout_bench.verify.findings import Finding

NOT_IN_GIT = ("data/raw/", "runs/", "evaluations/")
"""What a fresh clone lacks."""
MISSING = ("deleted", "not in cache")
"""What DVC says of it."""


def committed_suites(root: Path, params: Params) -> list[Suite]:
    """List the suites whose reports are committed: all but those that Git ignores."""
    ignored = _ignored(root)
    suites = params.suites.values()
    return [suite for suite in suites if not ignored(root / suite.reports / "report.md")]


def _ignored(root: Path) -> Callable[[Path], bool]:
    """Return what says of a path whether Git ignores it; where there is no Git, it does not."""
    with contextlib.suppress(DvcException), Repo(str(root)) as repo:
        scm = repo.scm
        return lambda path: bool(scm.is_ignored(str(path.resolve().parent / path.name)))
    return lambda path: False


def belongs_together(root: Path, params: Params) -> Iterator[Finding]:
    """Check that code, parameters, claims, ``dvc.lock``, tables, reports and history fit.

    No data are needed, and nothing in the project is written.
    """
    suites, ignored = committed_suites(root, params), _ignored(root)
    held = [list(expected.files(root, suite, params.suites.values(), ignored)) for suite in suites]
    # From Python 3.14 on the default under Linux is a server of forks, which would then run without
    # what engine has it import.
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else None)
    with ProcessPoolExecutor(1, mp_context=context) as beside:
        # Pictures take longest: they are made while all else is checked.
        rendered = [
            beside.submit(_rendered, suite.reports, root)
            for suite, findings in zip(suites, held, strict=True)
            if not any(" link" in finding.told for finding in findings)
        ]
        yield from _pipeline(root, params)
        yield from expected.code(root, params)
        yield from as_registered(root, params)
        yield from expected.versions(root, suites)
        yield from consistent.tables(root, suites)
        for suite, findings in zip(suites, held, strict=True):
            yield from findings
            yield from _keys(suite, root)
        for finding in rendered:
            yield from finding.result()


def _pipeline(root: Path, params: Params) -> Iterator[Finding]:
    check = "DVC would run nothing"
    try:
        with Repo(str(root)) as repo:
            yield from expected.pipeline(repo.index.stages, params, root)
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
                for path, what in files.items():
                    file = Path(path).as_posix()  # on Windows DVC has its separators
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


def _rendered(folder: Path, root: Path) -> list[Finding]:
    """Render a suite's reports again, in a process of its own."""
    from dropout_bench.report.render import render

    check = "reports are what the tables give"
    params = load_params(root / Params.file)
    suite = next(one for one in params.suites.values() if one.reports == folder)
    name, reports = str(folder), root / folder
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
            return [Finding(check, name, False, told)]
        theirs, ours = _made(reports), _made(again)
        wrong = [file for file in sorted(theirs | ours) if theirs.get(file) != ours.get(file)]
    told = "not what the tables give"
    return [Finding(check, f"{name}/{file}", False, told) for file in wrong] or [
        Finding(check, name, True)
    ]


def _made(reports: Path) -> dict[str, bytes]:
    """Read what is made from the tables; times differ from one training to the next."""
    files = [
        path
        for made in ("report.*", "findings.md", "metrics.json", "figures/*")
        for path in reports.glob(made)
    ]
    return {str(path.relative_to(reports)): path.read_bytes() for path in files if path.is_file()}
