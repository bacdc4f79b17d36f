"""Render the report from the committed tables."""

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2

from dropout_bench.analysis.claims import Claims
from dropout_bench.analysis.ledger import Verdict, decided_by_holm, ledger
from dropout_bench.analysis.simulation import powers
from dropout_bench.files import whole_folder
from dropout_bench.params.experiment import Experiment
from dropout_bench.report import figures, html, tables
from dropout_bench.tables.read import read_results

if TYPE_CHECKING:
    from dropout_bench.analysis.compare import Comparison  # it loads DVC

REPORT = "report.md"
HTML = "report.html"
METRICS = "metrics.json"
FIGURES = "figures"
TIMINGS = "timings"


def render(
    experiments: Mapping[str, Experiment],
    claims: Claims,
    reports: Path,
    left_out: Sequence[str] = (),
) -> Path:
    """Write ``report.md``, ``report.html`` and ``figures/`` from the tables in ``reports/results``.

    ``metrics.json`` counts the verdicts, for ``dvc metrics diff``. Results of experiments that
    ``params.yaml`` no longer has are removed. Beside the report, ``timings.md`` shows the times in
    ``reports/timings``, which are no part of the results.

    Args:
        experiments: the experiments to report, in order.
        claims: what the sources published.
        reports: the folder of results and report.
        left_out: claims that cannot be tested on these experiments, each with the reason.

    Returns:
        The report's path.

    Raises:
        BenchError: results are missing or are not those of the experiments.
    """
    results_folder = reports / "results"
    for folder in results_folder.glob("*"):
        if folder.is_dir() and folder.name not in experiments:
            shutil.rmtree(folder)
    results = [read_results(reports, name, experiment) for name, experiment in experiments.items()]
    by_name = {result.name: result for result in results}
    entries = ledger(claims.claims, claims.level, by_name)
    timed = all(not by_name[claim.experiment].timings.empty for claim in claims.timed.values())
    sections: list[dict[str, Any]] = []
    with whole_folder(reports / FIGURES) as folder, ProcessPoolExecutor() as pool:
        simulated = pool.submit(powers, claims, entries)
        drawn = []
        for result in results:
            published = claims.published.get(result.name)
            compared = tables.comparisons(result, published) if published else []
            if compared:
                path = folder / f"{result.name}-published.png"
                drawn.append(pool.submit(figures.published_beside_ours, result, compared, path))
            kinds = figures.of_experiment(result)
            drawn += [pool.submit(figures.draw, result, kind.name, folder) for kind in kinds]
            title = published.title if published else result.name.replace("-", " ").capitalize()
            sections.append(
                {
                    "title": title,
                    "results": result,
                    "published": published,
                    "compared": compared,
                    "drawn": [(figures.file_of(result, kind), kind) for kind in kinds],
                }
            )
        if entries:
            drawn.append(pool.submit(figures.ledger, entries, folder / "ledger.png"))
        for figure in drawn:
            figure.result()
    context = {
        "most_curves": figures.MOST_CURVES,
        "sections": sections,
        "effects": tables.effects,
        "mean_and_sd": tables.mean_and_sd,
        "number": tables.number,
        "percent": tables.percent,
        "timings": tables.timings,
        "versions": {key: value for result in results for key, value in result.versions.items()},
        "entries": entries,
        "left_out": left_out,
        "powers": simulated.result(),
        "by_holm": decided_by_holm(entries, claims.level),
        "level": claims.level,
        "sources": claims.sources,
        "timed": ledger(claims.timed, claims.level, by_name) if timed else [],
        "effect": tables.effect,
        "told": tables.told,
        "costs": tables.costs,
        "seeds": tables.seeds,
        "options": tables.options,
        "by_class": tables.by_class,
        "anchors": {section["results"].name: html.anchor(section["title"]) for section in sections},
    }
    names = (REPORT, f"{TIMINGS}.md")
    texts = {name: _tidy(_template(f"{name}.jinja").render(context)) for name in names}
    for name, text in texts.items():
        (reports / name).write_text(text, encoding="utf-8")
    verdicts = [entry.verdict for entry in entries]
    counts: dict[str, int] = {str(verdict): verdicts.count(verdict) for verdict in Verdict}
    compared = [comparison for section in sections for comparison in section["compared"]]
    counts["published figures inside"] = sum(comparison.inside for comparison in compared)
    (reports / METRICS).write_text(json.dumps(counts, indent=1) + "\n")
    page = html.page(texts[REPORT], reports)
    (reports / HTML).write_text(page, encoding="utf-8")
    return reports / REPORT


def _template(name: str) -> jinja2.Template:
    environment = jinja2.Environment(  # noqa: S701 (Markdown, from our own tables)
        loader=jinja2.PackageLoader("dropout_bench.report", "."),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(name)


def comparison(it: "Comparison") -> str:
    """Write what differs between two states as Markdown."""
    text = _template("compare.md.jinja").render(
        it=it, mean_and_sd=tables.mean_and_sd, effect=tables.effect
    )
    return _tidy(text)


def _tidy(markdown: str) -> str:
    return re.sub(r"\n{3,}", "\n\n", markdown).strip() + "\n"
