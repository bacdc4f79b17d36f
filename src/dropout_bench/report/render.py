"""Render the report from the committed tables."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import jinja2

from dropout_bench.analysis.claims import Claims
from dropout_bench.analysis.results import read_results
from dropout_bench.files import whole_folder
from dropout_bench.params import Experiment
from dropout_bench.report import figures, tables

REPORT = "report.md"
FIGURES = "figures"
TIMINGS = "timings"


def render(experiments: Mapping[str, Experiment], claims: Claims, reports: Path) -> Path:
    """Write ``report.md`` and ``figures/`` from the tables in ``reports/results``.

    Results of experiments that ``params.yaml`` no longer has are removed. Beside the report,
    ``timings.md`` shows the times in ``reports/timings``, which are no part of the results.

    Args:
        experiments: the experiments to report, in order.
        claims: what the sources published.
        reports: the folder of results and report.

    Returns:
        The report's path.

    Raises:
        BenchError: results are missing or are not those of the experiments.
    """
    results_folder = reports / "results"
    for folder in results_folder.glob("*"):
        if folder.is_dir() and folder.name not in experiments:
            shutil.rmtree(folder)
    results = [
        read_results(results_folder, name, experiment) for name, experiment in experiments.items()
    ]
    sections = []
    with whole_folder(reports / FIGURES) as folder:
        for result in results:
            published = claims.published.get(result.name)
            compared = tables.comparisons(result, published) if published else []
            figures.learning_curves(result, folder / f"{result.name}-curves.png")
            if compared:
                path = folder / f"{result.name}-published.png"
                figures.published_beside_ours(result, compared, path)
            sections.append({"results": result, "published": published, "compared": compared})
    environment = jinja2.Environment(  # noqa: S701 (Markdown, from our own tables)
        loader=jinja2.PackageLoader("dropout_bench.report", "."),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    context = {
        "sections": sections,
        "effects": tables.effects,
        "mean_and_sd": tables.mean_and_sd,
        "number": tables.number,
        "percent": tables.percent,
        "timings": tables.timings,
        "versions": {key: value for result in results for key, value in result.versions.items()},
        "timings_folder": reports / TIMINGS,
    }
    for name in (REPORT, f"{TIMINGS}.md"):
        text = environment.get_template(f"{name}.jinja").render(context)
        (reports / name).write_text(text, encoding="utf-8")
    return reports / REPORT
