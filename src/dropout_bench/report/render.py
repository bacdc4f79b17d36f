"""Render the report from the committed tables."""

import functools
import json
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2

from dropout_bench.analysis.claims import Claims, Published
from dropout_bench.analysis.effects import Effect, accuracy_by_class, effects
from dropout_bench.analysis.ledger import Verdict, ledger
from dropout_bench.analysis.overview import overview
from dropout_bench.analysis.reproduction import Reproduction, reproductions
from dropout_bench.analysis.simulation import powers
from dropout_bench.analysis.statistics import LEVEL
from dropout_bench.catalogue.optimisers import OPTIMISERS
from dropout_bench.files import whole_folder
from dropout_bench.params.experiment import Experiment
from dropout_bench.report import html, text
from dropout_bench.report.figures import ledger as ledger_figure
from dropout_bench.report.figures import published as published_figure
from dropout_bench.report.figures.kind import Kind, draw, file_of, of_experiment, save
from dropout_bench.report.figures.style import Colours
from dropout_bench.tables.read import Results, read_results

if TYPE_CHECKING:
    from dropout_bench.compare import Comparison  # it loads DVC

REPORT = "report.md"
HTML = "report.html"
METRICS = "metrics.json"
FIGURES = "figures"


@dataclass(frozen=True)
class Section:
    """What the report shows of one experiment.

    Attributes:
        results: its tables.
        published: what a source published about it.
        reproduced: the source's figures beside ours.
        figures: its figures, by their files.
    """

    results: Results
    published: Published | None
    reproduced: Sequence[Reproduction]
    figures: Mapping[str, Kind]

    @classmethod
    def of(cls, results: Results, claims: Claims) -> "Section":
        """Return the section of an experiment."""
        published = claims.published.get(results.name)
        reproduced = reproductions(results, published) if published else []
        figures = {file_of(results, kind): kind for kind in of_experiment(results)}
        return cls(results, published, reproduced, figures)

    @property
    def title(self) -> str:
        """Its heading."""
        if self.published:
            return self.published.title
        return self.results.name.replace("-", " ").capitalize()

    @property
    def metrics(self) -> list[str]:
        """The losses and accuracies that the evaluated weights have."""
        names = (
            f"{split}/{name}" for split in ("train", "val", "test") for name in ("loss", "accuracy")
        )
        return [name for name in names if name in self.results.metrics]

    def effects(self, metric: str) -> list[Effect]:
        """Return what dropout changes in a metric."""
        return effects(self.results, metric)


def render(
    experiments: Mapping[str, Experiment],
    claims: Claims,
    reports: Path,
    left_out: Sequence[str] = (),
) -> Path:
    """Write ``report.md``, ``report.html`` and ``figures/`` from the tables in ``reports/results``.

    ``metrics.json`` counts the verdicts, for ``dvc metrics diff``. Whatever else is in the folder
    is neither read nor changed.

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
    results = [read_results(reports, name, experiment) for name, experiment in experiments.items()]
    entries = ledger(claims.claims, claims.level, {result.name: result for result in results})
    sections = [Section.of(result, claims) for result in results]
    colours = Colours(experiments.values())
    with whole_folder(reports / FIGURES) as folder, ProcessPoolExecutor() as pool:
        simulated = pool.submit(powers, claims, entries)
        drawn = []
        for each in sections:
            if each.reproduced:
                path = folder / f"{each.results.name}-published.png"
                drawn.append(
                    pool.submit(save, path, published_figure.draw, each.reproduced, colours)
                )
            drawn += [
                pool.submit(draw, folder / file, kind.name, each.results, colours)
                for file, kind in each.figures.items()
            ]
        if entries:
            drawn.append(pool.submit(save, folder / "ledger.png", ledger_figure.draw, entries))
        for figure in drawn:
            figure.result()
    reproduced = [one for each in sections for one in each.reproduced]
    markdown = layout(
        f"{REPORT}.jinja",
        sections=sections,
        versions={key: value for result in results for key, value in result.versions.items()},
        entries=entries,
        overview=overview(entries, claims.level),
        left_out=left_out,
        powers=simulated.result(),
        sources=claims.sources,
        optimisers=OPTIMISERS,
        reproduced=reproduced,
        outside_by_chance=(1 - LEVEL) * len(reproduced),
        accuracy_by_class=accuracy_by_class,
        anchors={section.results.name: html.anchor(section.title) for section in sections},
    )
    (reports / REPORT).write_text(markdown, encoding="utf-8")
    verdicts = [entry.verdict for entry in entries]
    counts: dict[str, int] = {str(verdict): verdicts.count(verdict) for verdict in Verdict}
    counts["published figures inside"] = sum(one.inside for one in reproduced)
    (reports / METRICS).write_text(json.dumps(counts, indent=1) + "\n")
    (reports / HTML).write_text(html.page(markdown, reports), encoding="utf-8")
    return reports / REPORT


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(  # noqa: S701 (Markdown, from our own tables)
        loader=jinja2.PackageLoader("dropout_bench.report", "."),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals["text"] = text
    return environment


def layout(template: str, **values: object) -> str:
    """Lay values out as Markdown; the functions of :mod:`dropout_bench.report.text` write them."""
    markdown = _environment().get_template(template).render(values)
    return re.sub(r"\n{3,}", "\n\n", markdown).strip() + "\n"


def comparison(it: "Comparison") -> str:
    """Write what differs between two states as Markdown."""
    return layout("compare.md.jinja", it=it)
