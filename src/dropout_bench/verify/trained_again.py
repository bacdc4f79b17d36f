"""Runs that are trained from scratch and evaluated again, beside what the tables tell of them."""

import hashlib
import io
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from dropout_bench import engine, numerics
from dropout_bench.data.download import Source
from dropout_bench.errors import BenchError, shortened
from dropout_bench.evaluation.pictures import examples, features
from dropout_bench.params.arms import Job
from dropout_bench.params.run import Run
from dropout_bench.tables.evaluation import Evaluation
from dropout_bench.tables.read import Results, read_results
from dropout_bench.tables.schema import TABLES
from dropout_bench.tables.write import Row, Told, Trained, write_tables
from dropout_bench.training.keys import Identity, library_versions
from dropout_bench.training.result import CURVES, epoch_file
from dropout_bench.training.store import weights_file
from dropout_bench.verify import near
from dropout_bench.verify.draw import Place, Places
from dropout_bench.verify.expected import PUBLISHED, locked
from dropout_bench.verify.findings import Finding
from dropout_bench.verify.witness import processor

CHECK = "trained again, bit by bit"


class Machine(NamedTuple):
    """Where something was trained: device and arithmetic, processor, whether bits are pinned."""

    device: str
    processor: str
    pinned: bool


class Again(NamedTuple):
    """What a run gave that was trained again, for one of its places: all of it, or its beginning.

    Of a beginning there is no evaluation.
    """

    trained: Trained
    evaluation: Evaluation | None
    machine: Machine


def trained_again(
    root: Path, drawn: Places, first: Mapping[Run, int], seen: set[Machine]
) -> Iterator[Finding]:
    """Train runs from scratch, without the run store, evaluate them wherever they stand, compare.

    Args:
        root: the project's folder.
        drawn: the runs.
        first: of some, so many epochs alone, whose curves are compared.
        seen: is told the machines that trained them.

    Raises:
        BenchError: the data are not here, or the tables cannot be read.
    """
    named = {f"{its[0].name}/{its[0].job.name}": its for its in drawn.values()}
    sources = {name: _source(name, root) for name in {run.dataset for run in drawn}}
    calls = {
        name: (its, sources[its[0].job.run.dataset], first.get(its[0].job.run))
        for name, its in named.items()
    }
    by_experiment: dict[tuple[Path, str], dict[Job, Again]] = {}
    count = min(engine.cores(), len(calls))
    with (
        engine.Progress("verify", len(calls)) as progress,
        engine.workers("dropout_bench.evaluation.metrics", None, count) as client,
    ):
        for name, outcome in engine.done(client, _again, calls, progress):
            if isinstance(outcome, BaseException):
                yield Finding(CHECK, name, False, engine.told(outcome))
                continue
            for place, again in zip(named[name], outcome, strict=True):
                by_experiment.setdefault((place.reports, place.name), {})[place.job] = again
                seen.add(again.machine)
    pins = locked(root / "requirements.lock")
    experiments = {(one.reports, one.name): one.experiment for its in drawn.values() for one in its}
    for (reports, name), found in by_experiment.items():
        results = read_results(root / reports, name, experiments[reports, name])
        raw = next(iter(sources.values())).raw
        yield from _compared(results, root / reports / "results" / name, found, raw, pins)


def _source(name: str, root: Path) -> Source:
    source = Source.of(name, root)
    if name in PUBLISHED and source.digest != PUBLISHED[name].digest:
        raise BenchError(
            f"{source.raw / name}: not {name} as it was published; remove it, restore "
            f"data/archives from where it was published, and run: dropout-bench download {name}"
        )
    return source


def _again(places: list[Place], source: Source, first: int | None) -> list[Again]:
    """Train a run and evaluate it as each experiment does; in a worker."""
    from dropout_bench.evaluation.metrics import evaluate
    from dropout_bench.training.run import train

    raw, run = source.at_hand(), places[0].job.run
    keep = first is None and any(place.experiment.keep_every_epoch for place in places)
    result = train(run, raw, keep, [_stop_after(first)] if first else [])
    machine = Machine(result.device, processor(), numerics.is_pinned())
    key = Identity.here(run, source.digest, result.device).key
    table = pd.read_csv(io.BytesIO(result.files[CURVES])).astype(float)
    curves: Any = table.to_dict("records")
    outcomes = []
    for _, _, experiment, job in places:
        weights = result.files[weights_file(job)]
        trained = Trained(job, key, hashlib.sha256(weights).hexdigest()[:32], curves)
        evaluation = None
        if first is None:
            epochs = range(1, run.epochs + 1) if experiment.keep_every_epoch else ()
            by_epoch = {epoch: result.files[epoch_file(epoch)] for epoch in epochs}
            evaluation = evaluate(run, raw, weights, by_epoch, experiment.measures)
        outcomes.append(Again(trained, evaluation, machine))
    return outcomes


def _stop_after(epochs: int) -> Any:
    """Return what ends a training after so many epochs, its schedule being that of all."""
    import lightning as L

    class Stop(L.Callback):
        def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
            trainer.should_stop = trainer.current_epoch + 1 >= epochs

    return Stop()


def _compared(
    committed: Results, folder: Path, found: Mapping[Job, Again], raw: Path, pins: Mapping[str, str]
) -> Iterator[Finding]:
    """Compare the rows of an experiment's tables with those of the runs that were trained again.

    Under the arithmetic and the versions that the tables declare, bit by bit. Under others within
    tolerance, by cell, unless those declared were to be had here: then that is a difference.
    """
    exact, other = {}, {}
    for job, again in found.items():
        told, possible = _otherwise(committed.versions, again.machine, pins)
        if told and possible:
            place = f"{committed.name}/{job.name}"
            yield Finding(CHECK, place, False, f"the report declares {told}")
        elif told:
            other[job] = again
        else:
            exact[job] = again
    for chosen, compare in ((exact, _bit_by_bit), (other, _within_tolerance)):
        if chosen:
            yield from compare(committed, folder, chosen, raw)


def _otherwise(
    versions: Mapping[str, str], machine: Machine, pins: Mapping[str, str]
) -> tuple[str, bool]:
    """Say what a report declares that is not what was used, and whether it could have been."""
    here = library_versions()
    others = [name for name in here if versions.get(name) != here[name]]
    for name in others:
        if pins.get(name, "").partition("+")[0] == here[name]:
            declared = f"{name} {versions.get(name)}"
            return f"{declared}, and requirements.lock pins {here[name]}, which is here", True
    if others:
        return ", ".join(f"{name} {versions.get(name)}" for name in others), False
    if (declared := versions["device"]) != machine.device:
        possible = machine.pinned and declared.endswith(numerics.PORTABLE)
        remedy = "; this machine can do that: repeat with CUDA_VISIBLE_DEVICES=-1"
        return f"{declared}, and this was {machine.device}{remedy * possible}", possible
    return "", False


def _written(
    committed: Results, found: Mapping[Job, Again], folder: Path, raw: Path
) -> tuple[bool, list[Told]]:
    """Write the tables of what was trained again, as ``evaluate`` does.

    Pictures are of all runs of an experiment but for the first weights, which are of a seed.

    Returns:
        Whether these are all that tables tell of, and those of them that were evaluated.
    """
    name, experiment = committed.name, committed.experiment
    jobs = [job for job in experiment.jobs() if job in found]
    candidates = committed.candidates
    passed_over = {
        tuple(row)
        for row in candidates.loc[
            candidates["chosen"] == 0, ["arm", "seed", "candidate"]
        ].itertuples(index=False)
    }
    told = [
        Told(found[job].trained, found[job].evaluation or _nothing(job))
        for job in jobs
        if (job.cell.label, job.run.seed, job.candidate) not in passed_over
    ]
    by_job = {one.trained.job: one.evaluation for one in told}
    pictures: list[Row] = []
    pictures += features(experiment, {job: its.features for job, its in by_job.items()})
    evaluated = [one for one in told if found[one.trained.job].evaluation]
    if whole := len(evaluated) == len(experiment.cells()) * len(experiment.seeds):
        pictures += examples(experiment, {job: its.predicted for job, its in by_job.items()}, raw)
    trained = [found[job].trained for job in jobs]
    write_tables(folder, name, experiment, trained, told, pictures, {})
    return whole, evaluated


def _nothing(job: Job) -> Evaluation:
    """Return what is told of a run's beginning besides its curves."""
    classes = len(job.run.classes)
    return Evaluation(0, {}, {}, [[0] * classes] * classes, [])


def _bit_by_bit(
    committed: Results, folder: Path, found: Mapping[Job, Again], raw: Path
) -> Iterator[Finding]:
    """Compare every row. What is of all runs of a cell, or of all cells, where all were drawn."""
    name, experiment = committed.name, committed.experiment
    with tempfile.TemporaryDirectory() as again:
        whole, told = _written(committed, found, Path(again), raw)
        tables = {
            table: [_rows(Path(place) / f"{table}.csv") for place in (folder, again)]
            for table in TABLES
        }

    def differences(table: str, key: Any) -> Iterator[str]:
        theirs, ours = tables[table]
        for told in _differences(theirs.get(key), ours.get(key)):
            yield f"{table}.csv, {told}"

    evaluated = {one.trained.job for one in told}
    for job in (job for job in experiment.jobs() if job in found):
        key = (job.cell.label, str(job.run.seed))
        right = "weights, curves and figures"
        if found[job].evaluation is None:
            epochs = len(found[job].trained.curves)
            right = f"the curves of the first {epochs} epochs"
            wrong = list(_beginning(tables["curves"][0].get(key), found[job].trained))
        else:
            wrong = list(differences("candidates", (*key, job.candidate)))
            if job in evaluated:
                for table in ("runs", "curves", "measures"):
                    wrong += differences(table, key)
                if job.run.seed == experiment.seeds[0] and "features" in experiment.measures:
                    wrong += differences("pictures", (job.cell.label, "feature"))
        yield Finding(CHECK, f"{name}/{job.name}", not wrong, "; ".join(wrong) or right)
    drawn = [one.trained.job.cell.label for one in told]
    cells = {label for label in drawn if drawn.count(label) == len(experiment.seeds)}
    summed = {
        "confusion": {(label,) for label in cells},
        "pictures": set().union(*tables["pictures"]) if whole else set(),
    }
    for table, keys in summed.items():
        wrong = [told for key in sorted(keys) for told in differences(table, key)]
        if keys:
            right = f"{len(cells)} of {len(experiment.cells())} cells"
            yield Finding("made again", f"{name}/{table}.csv", not wrong, "; ".join(wrong) or right)
    yield from _no_fewer(tables["confusion"], sorted(set(drawn) - cells), name)


def _no_fewer(
    tables: list[dict[Any, pd.DataFrame]], labels: list[str], name: str
) -> Iterator[Finding]:
    """Compare the confusions of cells of which some runs were drawn: the whole is no less."""
    theirs, ours = tables
    columns = ["dataset", "true", "predicted"]
    wrong = []
    for label in labels:
        part = ours[(label,)].set_index(columns)["images"].astype(int)
        all_of_it = theirs.get((label,), ours[(label,)].iloc[:0])
        whole = all_of_it.set_index(columns)["images"].astype(int).reindex(part.index)
        if not (whole >= part).all():
            wrong.append(f"{label}: fewer images than the runs that were drawn have alone")
    if labels:
        right = f"no fewer images than were drawn, in {len(labels)} cells"
        yield Finding("made again", f"{name}/confusion.csv", not wrong, "; ".join(wrong) or right)


def _beginning(theirs: pd.DataFrame | None, trained: Trained) -> Iterator[str]:
    """Compare the curves of the first epochs with what the table tells of them."""
    ours = pd.DataFrame(trained.curves).to_csv(index=False, float_format="%.6g")
    told = pd.read_csv(io.StringIO(ours), dtype=str, keep_default_na=False)
    if theirs is None:
        yield "curves.csv, other rows"
        return
    first = theirs[theirs["epoch"].isin(told["epoch"])].reset_index()
    for difference in _differences(first, told):
        yield f"curves.csv, {difference}"


def _within_tolerance(
    committed: Results, folder: Path, found: Mapping[Job, Again], raw: Path
) -> Iterator[Finding]:
    with tempfile.TemporaryDirectory() as again:
        _written(committed, found, Path(again), raw)
        devices = ", ".join(sorted({each.machine.device for each in found.values()}))
        for label, wrong in near.cells(folder, Path(again)).items():
            place = f"{committed.name}, {label}"
            check = "trained again, within tolerance"
            yield Finding(check, place, not wrong, "; ".join(wrong) or devices, same=False)


def _rows(path: Path) -> dict[Any, pd.DataFrame]:
    """Read the rows of a table as they are written: by run, by cell, by kind of picture."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    by = ["arm", *(name for name in ("seed", "candidate", "kind") if name in table)]
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
