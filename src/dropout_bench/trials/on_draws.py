"""A newcomer on the draws of the experiment about kinds: it alone is trained.

Its rate is chosen on validation, and what is chosen evaluated, by the same code as for all others.
The others' runs are in the tables, and are trained again where another arithmetic, or another
version, is in use; two of them always, as a check.
"""

import hashlib
import io
import tempfile
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
from distributed import Client, KilledWorker

from dropout_bench import engine
from dropout_bench.catalogue.source import digest_of
from dropout_bench.data.download import Source
from dropout_bench.errors import BenchError, one_line
from dropout_bench.params.arms import Arm, Job
from dropout_bench.params.experiment import Experiment
from dropout_bench.tables.evaluation import EVALUATION
from dropout_bench.tables.read import Results, read_table
from dropout_bench.tables.write import Told, Trained, best_of, write_tables
from dropout_bench.training.keys import Identity, library_versions
from dropout_bench.training.result import CURVES, RunResult
from dropout_bench.training.store import AGAIN, RunStore, weights_file
from dropout_bench.trials import work
from dropout_bench.trials.known import Known, with_arms
from dropout_bench.trials.newcomer import Newcomer

LABEL = "newcomer"
"""The newcomer's arm; its own name may be none that ``params.yaml`` could have."""
RATES = (0.2, 0.35, 0.5)
DRAWS = 12
CHECKED = ("none", "dropout")
"""Arms of which one run each is trained again as a check, where they are known."""
WORKED_WITH = ("dropout_bench.trials.work",)


@dataclass(frozen=True)
class Outcome:
    """What was trained and measured.

    Attributes:
        known: the kinds that it is compared with, at the trial's draws.
        own: a row a draw of the newcomer, as in ``runs.csv``; draws at which it diverged are not
            in it.
        candidates: a row a run among which validation chose; none where there is one rate.
        diverged: in words, for each of its runs whose loss did not stay finite.
        again: why known kinds were trained again; empty where their tables were used.
        checked: the runs that were trained again as a check, in words.
        trained: number of runs that were trained for this, and not reused.
    """

    known: Results
    own: pd.DataFrame
    candidates: pd.DataFrame
    diverged: tuple[str, ...]
    again: str
    checked: str
    trained: int


def arm_of(newcomer: Newcomer, rates: Sequence[float], experiment: Experiment) -> Arm:
    """Return the newcomer's arm: its rate is chosen, or without dropout its step size as of none.

    It has the name of another variant: runs are given theirs afterwards.
    """
    if newcomer.counterpart is None:
        plain = next((arm for arm in experiment.arms.values() if arm.variant == "standard"), Arm())
        return Arm(choose=plain.choose)
    if len(rates) == 1:
        return Arm(variant="dropout", dropout=tuple(rates))
    return Arm(variant="dropout", choose={"dropout": tuple(rates)})


class _Trainings:
    """Trains and evaluates what the store lacks, on a cluster."""

    def __init__(
        self, title: str, client: Client, sources: Mapping[str, Source], store: RunStore
    ) -> None:
        self.title, self.client, self.sources, self.store = title, client, sources, store
        self.device = engine.ask(client, work.device)
        self.count = 0

    def identities(self, jobs: Iterable[Job], newcomer: Newcomer | None) -> dict[Job, Identity]:
        """Return the identities of runs."""
        return {
            job: work.identity_of(newcomer, job.run, self.sources[job.run.dataset], self.device)
            for job in jobs
        }

    def trained(
        self,
        jobs: Mapping[Job, Identity],
        newcomer: Newcomer | None,
        title: str = "train",
        kept_as: Callable[[Identity], Identity] = lambda identity: identity,
    ) -> dict[Job, RunResult]:
        """Return what each run leaves; it is kept in the store under its key.

        Raises:
            BenchError: runs failed; the others are kept.
        """
        found = {job: self.store.get(kept_as(identity).key) for job, identity in jobs.items()}
        calls = {
            job.name: (newcomer, identity, self.sources[job.run.dataset])
            for job, identity in jobs.items()
            if found[job] is None
        }
        by_name = {job.name: job for job in jobs}
        failures = {}
        with engine.Progress(f"{title} {self.title}", len(jobs), len(jobs) - len(calls)) as line:
            for name, outcome in engine.done(self.client, work.trained, calls, line):
                if isinstance(outcome, BaseException):
                    failures[name] = outcome
                    continue
                self.store.put(kept_as(jobs[by_name[name]]), outcome)
                found[by_name[name]] = outcome
                self.count += 1
        if failures:
            raise BenchError(_failed(f"{title} {self.title}", failures, len(jobs)))
        return {job: result for job, result in found.items() if result is not None}

    def evaluated(
        self, chosen: Mapping[Job, Trained], results: Mapping[Job, RunResult],
        newcomer: Newcomer | None,
    ) -> dict[Job, bytes]:  # fmt: skip
        """Return the evaluation of each run, as JSON; it is kept beside the run."""
        beside = f"trial-{digest_of('evaluation.metrics')}"
        found = {job: self.store.get_beside(one.key, beside) for job, one in chosen.items()}
        missing = {job.name: job for job, content in found.items() if content is None}
        calls = {
            name: (
                newcomer, job.run, self.sources[job.run.dataset],
                results[job].files[weights_file(job)],
            )
            for name, job in missing.items()
        }  # fmt: skip
        title = f"evaluate {self.title}"
        with engine.Progress(title, len(found), len(found) - len(calls)) as line:
            for name, outcome in engine.done(self.client, work.evaluated, calls, line):
                if isinstance(outcome, BaseException):
                    raise BenchError(_failed(title, {name: outcome}, len(found)))
                self.store.put_beside(chosen[missing[name]].key, beside, outcome)
                found[missing[name]] = outcome
        return {job: content for job, content in found.items() if content is not None}

    def tables(
        self, experiment: Experiment, jobs: Mapping[Job, Identity], newcomer: Newcomer | None,
        title: str = "train",
    ) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:  # fmt: skip
        """Train and evaluate runs; return the tables of runs and candidates, and what diverged."""
        results = self.trained(jobs, newcomer, title)
        sound = {}
        diverged = []
        order = {job.name: place for place, job in enumerate(experiment.jobs())}
        for job in sorted(jobs, key=lambda job: order[job.name]):
            if told := results[job].files.get(work.DIVERGED):
                place = f"draw {job.run.seed}{f', {job.candidate}' if job.candidate else ''}"
                diverged.append(f"{place}: {told.decode()}")
            else:
                sound[job] = results[job]
        trained = [_trained(job, jobs[job], result) for job, result in sound.items()]
        chosen = best_of(trained)
        found = self.evaluated(chosen, sound, newcomer)
        those = [Told(one, EVALUATION.validate_json(found[job])) for job, one in chosen.items()]
        with tempfile.TemporaryDirectory() as folder:
            # The figures are rounded as the tables' are, which they are compared with.
            write_tables(Path(folder), LABEL, experiment, trained, those, [], {})
            runs, candidates = (
                read_table(Path(folder, f"{name}.csv")) for name in ("runs", "candidates")
            )
        return runs, candidates, diverged


def _trained(job: Job, identity: Identity, result: RunResult) -> Trained:
    table = pd.read_csv(io.BytesIO(result.files[CURVES]))
    curves = [{str(k): float(v) for k, v in row.items()} for row in table.to_dict("records")]
    return Trained(job, identity.key, _digest(job, result), curves)


def _digest(job: Job, result: RunResult) -> str:
    return hashlib.sha256(result.files[weights_file(job)]).hexdigest()[:32]


def _failed(title: str, failures: Mapping[str, BaseException], total: int) -> str:
    """Tell failures in a line each kind: those of outside code have no trace."""
    told: dict[str, list[str]] = {}
    for name, error in sorted(failures.items()):
        is_ours = isinstance(error, BenchError | KilledWorker)
        what = engine.told(error) if is_ours else f"{type(error).__name__}: {one_line(error)}"
        told.setdefault(what, []).append(name.removeprefix(f"{LABEL}/"))
    lines = [f"{what} ({names[0]}{_more(len(names) - 1)})" for what, names in told.items()]
    return "\n".join([f"{title}: {len(failures)} of {total} runs failed", *lines])


def _more(count: int) -> str:
    return f" and {count} more" if count else ""


def on_draws(
    newcomer: Newcomer,
    known: Known,
    sources: Mapping[str, Source],
    store: RunStore,
    client: Client,
    rates: Sequence[float] = RATES,
    draws: int = DRAWS,
) -> Outcome:
    """Train and evaluate a newcomer on the first draws of the known kinds.

    Raises:
        BenchError: runs failed; those that did not are kept.
    """
    experiment = with_arms(known.experiment, draws, known.experiment.arms)
    its_own = with_arms(experiment, draws, {LABEL: arm_of(newcomer, rates, experiment)})
    trainings = _Trainings(newcomer.name, client, sources, store)
    reasons, checked, usable = _usable(trainings, known, experiment)
    jobs = [
        job._replace(run=job.run.model_copy(update={"variant": newcomer.variant}))
        for job in sorted(its_own.jobs(), key=_cost(known.results), reverse=True)
    ]
    identities = trainings.identities(jobs, newcomer)  # the longest first: none is waited for
    own, candidates, diverged = trainings.tables(its_own, identities, newcomer)
    comparators = _comparators(trainings, known.results, experiment, usable)
    return Outcome(comparators, own, candidates, tuple(diverged), reasons, checked, trainings.count)


def _cost(results: Results) -> Callable[[Job], float]:
    """Estimate what a run takes by what the known kinds took at its draw."""
    runs = results.runs
    of_draw = (runs["epochs"] * runs["train_size"]).groupby(runs["seed"]).mean()
    costs = {int(str(seed)): float(cost) for seed, cost in of_draw.items()}
    return lambda job: costs.get(job.run.seed, max(costs.values()))


def _usable(
    trainings: _Trainings, known: Known, experiment: Experiment
) -> tuple[str, str, frozenset[int]]:
    """Say which draws of the tables can be compared with; why others cannot; what was checked."""
    runs = known.results.runs
    seeds = [seed for seed in experiment.seeds if seed in {*known.experiment.seeds}]
    jobs = [job for job in experiment.jobs() if job.run.seed in seeds]
    by_key = {each.key: job for job, each in trainings.identities(jobs, None).items()}
    rows = runs[runs["seed"].isin(seeds)]
    if not {*rows["key"]} <= by_key.keys():
        return _otherwise(trainings, known), "", frozenset()
    checked = {}
    for label in CHECKED:
        of_arm = rows[rows["arm"] == label]
        if len(of_arm):
            work_of = (of_arm["epochs"] * of_arm["train_size"]).to_numpy()
            quickest = of_arm.iloc[int(work_of.argmin())]
            checked[by_key[str(quickest["key"])]] = str(quickest["weights"])
    identities = trainings.identities(checked, None)
    results = trainings.trained(
        identities, None, "check", lambda each: replace(each, code=each.code + AGAIN)
    )
    told = " and ".join(f"{job.cell.label} at draw {job.run.seed}" for job in checked)
    if any(_digest(job, results[job]) != weights for job, weights in checked.items()):
        reason = f"two runs of the tables, trained here again, have other weights ({told})"
        return reason, "", frozenset()
    return "", told, frozenset(seeds)


def _otherwise(trainings: _Trainings, known: Known) -> str:
    """Say what is not as it was when the tables were made."""
    there = known.results.versions
    here = {**library_versions(), "device": trainings.device}
    here["data"] = ", ".join(sorted(f"{n} {each.digest}" for n, each in trainings.sources.items()))
    told = [
        f"{name} is another" if name == "data" else f"{name} {value}, not {there[name]}"
        for name, value in here.items()
        if name in there and there[name] != value
    ]
    return ", ".join(told) or "the code that trains is another than the tables were made with"


def _comparators(
    trainings: _Trainings, results: Results, experiment: Experiment, usable: Collection[int]
) -> Results:
    """Return the known kinds at the trial's draws: of the tables, the others trained."""
    runs = results.runs[results.runs["seed"].isin(usable)]
    candidates = results.candidates[results.candidates["seed"].isin(usable)]
    missing = [job for job in experiment.jobs() if job.run.seed not in usable]
    if missing:
        jobs = trainings.identities(sorted(missing, key=lambda job: job.run.seed), None)
        known = "known kinds for"
        more, chosen, diverged = trainings.tables(experiment, jobs, None, f"train {known}")
        if diverged:
            raise BenchError(f"a known kind diverged here: {'; '.join(diverged)}")
        runs = pd.concat([runs, more], ignore_index=True)
        candidates = pd.concat([candidates, chosen], ignore_index=True)
    nothing = {name: getattr(results, name).iloc[:0] for name in ("curves", "measures")}
    return replace(results, experiment=experiment, runs=runs, candidates=candidates, **nothing)
