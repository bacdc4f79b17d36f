"""How long the trainings took: beside the report, and no part of it."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from dropout_bench.analysis.claims import Claims
from dropout_bench.analysis.effects import costs, timings
from dropout_bench.analysis.ledger import ledger
from dropout_bench.errors import BenchError
from dropout_bench.files import write_text
from dropout_bench.params.experiment import Experiment
from dropout_bench.report.render import layout
from dropout_bench.tables.read import Results, read_results

KEPT = "timings"
"""Folder of the times in a report's."""


def timed_results(
    experiments: Mapping[str, Experiment], reports: Path, times: Path
) -> dict[str, Results]:
    """Read the tables of the experiments that have times, in ``times`` or kept in the report.

    Raises:
        BenchError: there are no times at all, or some are not of the runs in the results.
    """
    results = {}
    for name, experiment in experiments.items():
        for path in (times / f"{name}.csv", reports / KEPT / f"{name}.csv"):
            if path.is_file():
                results[name] = read_results(reports, name, experiment, path.parent)
                if results[name].timings.empty:
                    raise BenchError(
                        f"{path}: times of other runs than the results have; "
                        f"remove it, or run: dropout-bench train {name}"
                    )
                break
    if not results:
        raise BenchError(f"{times}: no times of {', '.join(experiments)}; run: dropout-bench train")
    return results


def report_timings(
    experiments: Mapping[str, Experiment], claims: Claims, reports: Path, times: Path
) -> Path:
    """Write ``timings.md``, whose path is returned, and a copy of its times into ``timings/``.

    An experiment that has no times in ``times``, which training writes to, keeps the report's.

    Raises:
        BenchError: there are no times at all, or some are not of the runs in the results.
    """
    results = timed_results(experiments, reports, times)
    kept = reports / KEPT
    kept.mkdir(exist_ok=True)
    for name in experiments:
        if (times / f"{name}.csv").is_file():
            shutil.copy(times / f"{name}.csv", kept)
    markdown = layout(
        "timings.md.jinja",
        timed=ledger(claims.about(results).timed, claims.level, results, claims.smallest),
        sources=claims.sources,
        costs=costs(results.values()),
        timings={name: timings(it, claims.published.get(name)) for name, it in results.items()},
    )
    path = reports / "timings.md"
    write_text(path, markdown)
    return path
