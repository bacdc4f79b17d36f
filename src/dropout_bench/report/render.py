"""Render the report from the committed tables."""

import json
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import jinja2

from dropout_bench.analysis import registration
from dropout_bench.analysis.claims import Claims, Published
from dropout_bench.analysis.drawn import Dependence, compared, dependence, ended
from dropout_bench.analysis.effects import accuracy_by_class, effects
from dropout_bench.analysis.findings import findings
from dropout_bench.analysis.generality import generality
from dropout_bench.analysis.ledger import ledger, what_must_hold
from dropout_bench.analysis.overview import overview
from dropout_bench.analysis.reproduction import Reproduction, reproductions
from dropout_bench.analysis.rule import Verdict
from dropout_bench.analysis.simulation import powers
from dropout_bench.analysis.statistics import LEVEL
from dropout_bench.catalogue.datasets import DATASETS
from dropout_bench.catalogue.optimisers import OPTIMISERS
from dropout_bench.files import whole_folder
from dropout_bench.params.experiment import Experiment
from dropout_bench.report import html, sentences, text
from dropout_bench.report.figures import headline, published
from dropout_bench.report.figures import ledger as ledger_figure
from dropout_bench.report.figures.kind import Kind, draw, file_of, of_experiment, save
from dropout_bench.report.figures.style import AXES, SPLIT_NAMES, Colours
from dropout_bench.tables.read import Results, read_results


class Section(NamedTuple):
    """What the report shows of one experiment: figures by their files, metrics by their names."""

    results: Results
    title: str
    published: Published | None
    reproduced: list[Reproduction]
    figures: dict[str, Kind]
    metrics: list[str]
    dependence: Dependence | None


def _section(results: Results, source: Published | None) -> Section:
    names = [f"{split}/{name}" for split in SPLIT_NAMES for name in AXES]
    return Section(
        results,
        title_of(results.name, results.experiment, source),
        source,
        reproductions(results, source) if source else [],
        {file_of(results, kind): kind for kind in of_experiment(results)},
        [name for name in names if name in results.metrics],
        dependence(results),
    )


def title_of(name: str, experiment: Experiment, source: Published | None) -> str:
    """Return the heading of an experiment's section: its source's title, or its question."""
    if source:
        return source.title
    return experiment.question or name.replace("-", " ").capitalize()


def render(
    experiments: Mapping[str, Experiment],
    claims: Claims,
    reports: Path,
    left_out: Sequence[str] = (),
) -> Path:
    """Write ``report.md``, ``report.html`` and ``figures/`` from the tables in ``reports/results``.

    ``findings.md`` is the report's beginning by itself, for the README.
    ``metrics.json`` counts the verdicts and has the gain of the first sentence, for ``dvc metrics``
    and ``dvc exp``: a few figures, which fit a terminal. Whatever else is in the folder
    is neither read nor changed. What is said of claims that were ``left_out`` stands in the
    report, whose path is returned.

    Raises:
        BenchError: results are missing or are not those of the experiments.
    """
    results = [read_results(reports, name, experiment) for name, experiment in experiments.items()]
    by_name = {result.name: result for result in results}
    entries = ledger(claims.claims, claims.level, by_name, claims.smallest)
    sections = [_section(result, claims.published.get(result.name)) for result in results]
    found = findings(results)
    colours = Colours(experiments.values())
    with whole_folder(reports / "figures") as folder, ProcessPoolExecutor() as pool:
        simulated = pool.submit(powers, len(entries), claims.level)
        drawn = [
            pool.submit(draw, folder / file, kind.name, section.results, colours)
            for section in sections
            for file, kind in section.figures.items()
        ]
        for section in sections:
            if section.reproduced:
                path = folder / f"{section.results.name}-published.png"
                drawn.append(pool.submit(save, path, published.draw, section.reproduced, colours))
        if entries:
            drawn.append(pool.submit(save, folder / "ledger.png", ledger_figure.draw, entries))
        if found:
            drawn.append(pool.submit(save, folder / "headline.png", headline.draw, found, colours))
        for figure in drawn:
            figure.result()
    reproduced = [one for section in sections for one in section.reproduced]
    shown: dict[str, Any] = {
        "sections": sections,
        "found": found,
        "experiments": experiments,
        "generalities": {
            each.name: generality(each, by_name[each.claim.experiment]) for each in entries
        },
        "registered": registration.read(reports / registration.REGISTERED.name, claims.claims),
        "titles": {section.results.name: section.title for section in sections},
        "versions": {key: value for result in results for key, value in result.versions.items()},
        "entries": entries,
        "held": what_must_hold(claims.must_hold, by_name),
        "untested": claims.untested,
        "compared": compared,
        "ended": ended,
        "overview": overview(entries, claims.level),
        "left_out": left_out,
        "powers": simulated.result(),
        "sources": claims.sources,
        "references": claims.references,
        "optimisers": OPTIMISERS,
        "trained_on": [
            entry.title
            for name, entry in DATASETS.items()
            if any(name in experiment.datasets for experiment in experiments.values())
        ],
        "trained_by": [
            entry.title
            for name, entry in OPTIMISERS.items()
            if any(experiment.optimiser == name for experiment in experiments.values())
        ],
        "reproduced": reproduced,
        "published_effects": [
            (effect, section.results.experiment)
            for section in sections
            if section.published
            for effect in effects(section.results, "test/accuracy")
            if effect.cell.label in {figure.cell for figure in section.published.figures}
        ],
        "outside_by_chance": (1 - LEVEL) * len(reproduced),
        "effects": effects,
        "accuracy_by_class": accuracy_by_class,
        "anchors": {section.results.name: html.anchor(section.title) for section in sections},
    }
    markdown = layout("report.md.jinja", **shown)
    path = reports / "report.md"
    path.write_text(markdown, encoding="utf-8")
    (reports / "findings.md").write_text(layout("findings.md.jinja", **shown), encoding="utf-8")
    verdicts = [entry.verdict for entry in entries]
    metrics: dict[str, float] = {str(verdict): verdicts.count(verdict) for verdict in Verdict}
    metrics["published figures inside"] = sum(one.inside for one in reproduced)
    if found:
        gain = (found.chosen or found.best).in_accuracy.gain.mean
        metrics["gain (points)"] = round(gain, 2)
    (reports / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n")
    (reports / "report.html").write_text(html.page(markdown, reports), encoding="utf-8")
    return path


_TEMPLATES = jinja2.Environment(  # noqa: S701 (Markdown, from our own tables)
    loader=jinja2.PackageLoader("dropout_bench.report", "."),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


def layout(template: str, **values: object) -> str:
    """Lay values out as Markdown; the functions of :mod:`dropout_bench.report.text` write them."""
    markdown = _TEMPLATES.get_template(template).render(values, text=text, say=sentences)
    return re.sub(r"\n{3,}", "\n\n", markdown).strip() + "\n"
