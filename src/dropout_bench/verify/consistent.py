"""Whether the tables agree with parameters, with each other and with themselves: no data needed."""

import io
import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dropout_bench.catalogue.datasets import DATASETS
from dropout_bench.errors import BenchError, shortened
from dropout_bench.params.arms import Job
from dropout_bench.params.file import Suite
from dropout_bench.params.variants import counterpart
from dropout_bench.quantities.derived.columns import CALIBRATION, CURVES
from dropout_bench.tables.read import Results, read_results
from dropout_bench.tables.write import described, trained_on
from dropout_bench.verify.expected import PUBLISHED
from dropout_bench.verify.findings import Finding

Groups = dict[Any, pd.DataFrame]

DIGITS = 1e-6
"""Relative precision of figures in tables, which have six digits."""
_EPOCHS = [entry.name for entry in CURVES if entry.split != "test"]
_FIGURES = [entry.name for entry in (*CURVES, *CALIBRATION)]


def tables(root: Path, suites: Iterable[Suite]) -> Iterator[Finding]:
    """Check the tables of all experiments.

    Each number is finite and in its range, and tables have the rows that belong to each other, or
    they cannot be read.
    """
    check = "tables agree with parameters, each other and themselves"
    every: dict[str, Results] = {}
    for suite in suites:
        for name, experiment in suite.experiments.items():
            place = f"{suite.reports}/results/{name}"
            try:
                results = read_results(root / suite.reports, name, experiment)
                wrong = list(_of_experiment(results, root / place))
            except BenchError as error:
                yield Finding(check, place, False, str(error))
                continue
            every[place] = results
            for file, told in wrong:
                yield Finding(check, f"{place}/{file}", False, told)
            if not wrong:
                yield Finding(check, place, True)
    check = "equal keys, equal weights and figures in all tables"
    wrong = [*_alike(every), *_same_parameters(every)]
    for file, told in wrong:
        yield Finding(check, file, False, told)
    if not wrong:
        count = sum(len(each.trained) for each in every.values())
        yield Finding(check, "reports", True, f"{count} rows")


def _of_experiment(results: Results, folder: Path) -> Iterator[tuple[str, str]]:
    jobs = _jobs(results)
    for told in _described(results, jobs, folder / "runs.csv"):
        yield "runs.csv", told
    yield from _lengths(results, jobs)
    yield from _counted(results, jobs)
    for told in _confusion(results, jobs):
        yield "confusion.csv", told
    yield from _best(results)
    for told in _pictures(results):
        yield "pictures.csv", told


def _jobs(results: Results) -> dict[tuple[str, int], Job]:
    """Return the job of each run that was evaluated, by arm and seed."""
    of = {(job.cell.label, job.run.seed, job.candidate): job for job in results.experiment.jobs()}
    chosen = results.candidates[results.candidates["chosen"] == 1]
    candidate = {
        (arm, seed): name
        for arm, seed, name in chosen[["arm", "seed", "candidate"]].itertuples(index=False)
    }
    return {
        (arm, seed): of[arm, seed, candidate.get((arm, seed), "")]
        for arm, seed in results.runs[["arm", "seed"]].itertuples(index=False)
    }


def _described(results: Results, jobs: Mapping[tuple[str, int], Job], path: Path) -> Iterator[str]:
    """Compare the columns that say what each run is with those that its parameters give."""
    rows = [described(results.experiment, job.run) for job in jobs.values()]
    ours = pd.DataFrame(rows).to_csv(index=False, float_format="%.6g", lineterminator="\n")
    theirs = pd.read_csv(path, dtype=str, keep_default_na=False)
    right = pd.read_csv(io.StringIO(ours), dtype=str, keep_default_na=False)
    for column in right:
        differs = theirs[column].to_numpy() != right[column].to_numpy()
        if differs.any():
            first = int(differs.argmax())
            yield (
                f"{column} is {shortened(theirs[column][first])} in row {first + 1}, and "
                f"params.yaml gives {shortened(right[column][first])}"
            )


def _lengths(results: Results, jobs: Mapping[tuple[str, int], Job]) -> Iterator[tuple[str, str]]:
    """Compare how long each training was with what it was allowed."""
    by_name = {
        (job.cell.label, job.run.seed, job.candidate): job.run for job in results.experiment.jobs()
    }
    for file, table in (("runs.csv", results.runs), ("candidates.csv", results.candidates)):
        for row in table.to_dict("records"):
            arm, seed = row["arm"], row["seed"]
            run = (
                by_name[arm, seed, row["candidate"]] if "candidate" in row else jobs[arm, seed].run
            )
            least = 1 if run.patience else run.epochs  # type: ignore[attr-defined]
            if row["limit"] != run.epochs or not least <= row["epochs"] <= run.epochs:
                told = f"{row['epochs']:g} epochs of {row['limit']:g} at {arm}, seed {seed}"
                yield file, f"{told}; params.yaml gives {run.epochs}"
                break
            if row["best_epoch"] > row["epochs"]:
                yield file, f"best epoch {row['best_epoch']:g} of {row['epochs']:g} at {arm}"
                break


def _counted(results: Results, jobs: Mapping[tuple[str, int], Job]) -> Iterator[tuple[str, str]]:
    """Find accuracies that no number of right images gives."""
    # Every run sees the same test images: those of a cell's confusion, by the number of its runs.
    runs = results.runs.groupby(["arm", "dataset"]).size()
    tested: Any = results.confusion.groupby(["arm", "dataset"])["images"].sum() / runs
    images = {
        place: {
            "val": job.run.train_size - trained_on(job.run),
            "test": tested.get((job.cell.label, job.run.dataset), 0),
        }
        for place, job in jobs.items()
    }
    for file, table in (
        ("runs.csv", results.runs), ("curves.csv", results.curves),
        ("candidates.csv", results.candidates),
    ):  # fmt: skip
        places = list(zip(table["arm"], table["seed"], strict=True))
        for split in ("val", "test"):
            if (name := f"{split}/accuracy") in table and len(table):
                count = np.array([images[place][split] for place in places], dtype=float)
                right = table[name].to_numpy(dtype=float) * count
                off = np.abs(right - np.round(right)) > count * DIGITS + 1e-9
                if off.any():
                    first = int(off.argmax())
                    value, of = table[name].iloc[first], int(count[first])
                    yield (
                        file,
                        f"{name} is {value:.6g} in row {first + 1}: not so many of {of} images",
                    )


def _confusion(results: Results, jobs: Mapping[tuple[str, int], Job]) -> Iterator[str]:
    """Compare the confusion of each cell with its accuracies and with the test images."""
    accuracy = defaultdict(list)
    for row in results.runs.to_dict("records"):
        accuracy[row["arm"], row["dataset"]].append(row["test/accuracy"])
    by_cell: Groups = dict(iter(results.confusion.groupby(["arm", "dataset"], sort=False)))
    totals: dict[tuple[str, int], float] = {}
    for (arm, dataset), of in accuracy.items():
        rows = by_cell[arm, dataset]
        right = rows.loc[rows["true"] == rows["predicted"], "images"].sum() / rows["images"].sum()
        if not abs(right - np.mean(of)) <= DIGITS:
            mean = f"accuracy is {np.mean(of):.6g}"
            yield f"{arm}, {dataset}: {right:.6g} are on the diagonal, {mean}"
        published = PUBLISHED.get(dataset)
        images_of: Any = rows.groupby("true")["images"].sum()
        for label, images in images_of.items():
            per_seed = images / len(of)
            known = published.test_per_class[label] if published else per_seed
            if per_seed != totals.setdefault((dataset, label), known):
                yield (
                    f"{arm}, {dataset}: {per_seed:g} test images of class {label}, not "
                    f"{totals[dataset, label]:g}"
                )


def _best(results: Results) -> Iterator[tuple[str, str]]:
    """Compare the curves with the epochs, figures and candidates that are read from them."""
    if not results.experiment.has_validation:
        return
    checkpoint = {cell.label: cell.checkpoint for cell in results.experiment.cells()}
    by, curves = ["arm", "seed"], results.curves
    runs = results.runs
    best = runs["arm"].map(checkpoint) == "best"
    runs = runs.assign(epoch=runs["epochs"].where(~best, runs["best_epoch"]))
    lowest = curves.groupby(by, as_index=False)["val/loss"].min()
    at_best = runs.drop(columns="epoch").merge(
        curves, left_on=[*by, "best_epoch"], right_on=[*by, "epoch"], suffixes=("", " then")
    )
    both = lowest.merge(at_best, on=by, suffixes=(" lowest", ""))
    for row in both[both["val/loss lowest"] != both["val/loss then"]][by].to_dict("records")[:1]:
        told = f"{row['arm']}, seed {row['seed']}: its lowest val/loss is not at the best epoch"
        yield "curves.csv", told
    evaluated = runs.merge(curves, on=[*by, "epoch"], suffixes=("", " then"))
    for name in ("val/loss", "val/accuracy", "test/loss", "test/accuracy"):
        one, then = evaluated[name], evaluated[f"{name} then"]
        far = then.notna() & ~((one - then).abs() <= 1e-3 * one.abs() + 1e-5)
        for row in evaluated[far].to_dict("records")[:1]:
            told = f"{row[name]:.6g}, and {row[f'{name} then']:.6g} in its curve"
            yield "runs.csv", f"{row['arm']}, seed {row['seed']}: {name} is {told}"
    chosen = results.candidates[results.candidates["chosen"] == 1]
    of = evaluated.merge(chosen, on=by, suffixes=("", " chosen"))
    for name in ("val/loss", "val/accuracy"):
        for row in of[of[f"{name} then"] != of[f"{name} chosen"]].to_dict("records")[:1]:
            told = f"{row['arm']}, seed {row['seed']}: {name} is not that of its curve"
            yield "candidates.csv", told


def _pictures(results: Results) -> Iterator[str]:
    """Check the order in which examples are shown: those on which networks differ most first."""
    of = results.pictures[results.pictures["kind"] != "feature"]
    for (arm, kind), rows in of.groupby(["arm", "kind"], sort=False):
        in_order = rows.sort_values("number")
        gain = (in_order["right_with"] - in_order["right_without"]).to_numpy()
        if (np.diff(gain if kind == "right without dropout" else -gain) < 0).any():
            yield f"{arm}: {kind}: in another order than the numbers of seeds say"


def _alike(every: Mapping[str, Results]) -> Iterator[tuple[str, str]]:
    """Find rows of the same run that differ, of the same experiment or of several."""
    columns = ["key", "checkpoint", "weights", "place", *_FIGURES, "parameters"]
    runs, curves = [], []
    for place, results in every.items():
        checkpoint = {cell.label: cell.checkpoint for cell in results.experiment.cells()}
        for file in ("runs", "candidates"):
            table = getattr(results, file)
            where = f"{place}/{file}.csv"
            # The last weights may be the best ones.
            apart = table["best_epoch"] != table["epochs"]
            evaluated = table["arm"].map(checkpoint).where(apart, "last")
            table = table.assign(place=where, checkpoint=evaluated)
            runs.append(table.reindex(columns=columns))
        keys = results.runs[["arm", "seed", "key"]]
        curves.append(results.curves.merge(keys).assign(place=f"{place}/curves.csv"))
    if not runs:
        return
    of_runs = pd.concat([each for each in runs if len(each)], ignore_index=True)
    yield from _differing(of_runs, ["key", "checkpoint"], ["weights"])
    of_evaluated = of_runs[of_runs["place"].str.endswith("/runs.csv")]
    yield from _differing(of_evaluated, ["weights"], [*_FIGURES, "parameters"])
    yield from _differing(pd.concat(curves, ignore_index=True), ["key", "epoch"], _EPOCHS)


def _differing(table: pd.DataFrame, by: list[str], columns: list[str]) -> Iterator[tuple[str, str]]:
    counts = table.groupby(by)[columns].nunique(dropna=False)
    for column in columns:
        wrong = counts.index[counts[column] > 1]
        if len(wrong):
            mine = table.set_index(by).loc[[wrong[0]]]
            files = ", ".join(dict.fromkeys(mine["place"]))
            what = " ".join(map(str, wrong[0] if isinstance(wrong[0], tuple) else [wrong[0]]))
            yield files, f"{column} differs within {by[0]} {what}; {len(wrong)} such"


def _same_parameters(every: Mapping[str, Results]) -> Iterator[tuple[str, str]]:
    """Count the trained parameters again.

    A network has weights and biases, Σ (inputs + 1) · outputs, and each of its variant's hidden
    units may have the same number more. The standard network has none, and dropout adds none.
    """
    more: dict[str, float] = {"standard": 0}
    for place, results in every.items():
        rows: Any = results.runs.set_index(["arm", "seed"])["parameters"].to_dict()
        for (arm, seed), job in _jobs(results).items():
            run = job.run
            widths = [DATASETS[run.dataset].pixels, *run.hidden, len(run.classes)]
            plain = sum((one + 1) * other for one, other in itertools.pairwise(widths))
            row = rows[arm, seed]
            extra = (row - plain) / sum(run.hidden)
            kind = counterpart(run.variant) or run.variant
            if extra < 0 or extra % 1 or extra != more.setdefault(kind, extra):
                told = f"parameters is {row} at {arm}, seed {seed}"
                right = plain + more[kind] * sum(run.hidden)
                yield f"{place}/runs.csv", f"{told}; {right:g} are right"
                break
