"""The command line: one thin command per stage of the pipeline, and the suites beside it.

Heavy libraries are imported by the command that needs them, so that help and errors are quick.
"""

import contextlib
import json
import math
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from dropout_bench._version import __version__
from dropout_bench.catalogue.datasets import DATASETS
from dropout_bench.errors import BenchError, did_you_mean
from dropout_bench.files import write_text
from dropout_bench.numerics import pin_environment

if TYPE_CHECKING:
    from rich.console import RenderableType

    from dropout_bench.analysis.claims import Claims
    from dropout_bench.analysis.standing import Standing
    from dropout_bench.params.experiment import Experiment
    from dropout_bench.params.file import Params
    from dropout_bench.training.store import RunStore
    from dropout_bench.verify.findings import Finding

app = typer.Typer(
    name="dropout-bench",
    help="What tutorials say about dropout, as experiments that anyone can re-run.\n\n"
    "The pipeline is DVC's: `dvc repro` calls the commands below, in their order, for whatever "
    "has changed; `dropout-bench repro` does it with one start of the workers. They can be called "
    "by hand from anywhere inside the project.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)


def _tell_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"dropout-bench {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_tell_version, is_eager=True, help="Tell the release and leave."
        ),
    ] = False,
) -> None:
    """Take what stands before a command."""


def _experiments() -> list[str]:
    """Complete the name of an experiment, in a shell; outside a project there is none."""
    with contextlib.suppress(BenchError):
        return list(_params()[1].all_experiments)
    return []


def _claim_names() -> list[str]:
    from dropout_bench.analysis.claims import load_claims

    with contextlib.suppress(BenchError):
        root, params = _params()
        claims = load_claims(root / "claims.yaml", params.all_experiments)
        return [*claims.claims, *claims.must_hold, *claims.timed, *claims.untested]
    return []


def _suites() -> list[str]:
    with contextlib.suppress(BenchError):
        return list(_params()[1].apart)
    return []


def _stages() -> list[str]:
    from dropout_bench.pipeline import stages

    with contextlib.suppress(BenchError):
        return stages(_params()[1])
    return []


ExperimentName = Annotated[
    str,
    typer.Argument(help="Name of an experiment in params.yaml.", autocompletion=_experiments),
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        envvar="DROPOUT_BENCH_SCHEDULER",
        help="Address of a running Dask scheduler, such as tcp://127.0.0.1:8786. "
        "Without it, workers are started on this machine.",
    ),
]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Local worker processes; one per core by default.")
]


def _root() -> Path:
    from dropout_bench.params.file import project_root

    return project_root()


def _params() -> tuple[Path, "Params"]:
    from dropout_bench.params.file import Params, load_params

    root = _root()
    return root, load_params(root / Params.file)


def _standings(root: Path, params: "Params") -> list["Standing"]:
    """Read how the claims stand, suite by suite."""
    from dropout_bench.analysis.claims import load_claims
    from dropout_bench.analysis.standing import standing

    claims = load_claims(root / "claims.yaml", params.all_experiments)
    return [standing(root, suite, claims) for suite in params.suites.values()]


def _show(table: "RenderableType") -> None:
    """Print a table or a text: as wide as the terminal, and elsewhere a line a row."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else 10_000
    Console(width=width, highlight=False).print(table)


def _place(root: Path, params: "Params", title: str, experiment: str | None = None) -> None:
    """Say which stage of how many this is, where DVC runs it; lines of progress say so too."""
    from dropout_bench.pipeline import Outlook, place

    if not (where := place(params)):
        return
    typer.echo(f"{where}{title}")
    if experiment is not None:
        from dropout_bench.engine import Progress

        Progress.place, Progress.outlook = where, Outlook(root, params, experiment)


@app.command(context_settings={"ignore_unknown_options": True})
def repro(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[STAGES] [OPTIONS OF DVC REPRO]",
            help="Stages, such as evaluate@rates, with all that they need; without them all. Then, "
            "for example, --force.",
            autocompletion=_stages,
        ),
    ] = None,
    workers: Workers = None,
) -> None:
    """Run the pipeline: `dvc repro`, whose stages share workers.

    Workers take seconds to start. By itself each stage that needs them starts its own; here they
    are started once, when the first stage needs them, and not at all where nothing has changed.
    They end with this command, however it ends. Results are the same bits either way.

    The line of progress says which stage of how many is under way, and how long the trainings of
    all stages to come will take. Each experiment says what it found as soon as it is evaluated.
    """
    from dropout_bench.pipeline import repro as run_pipeline

    raise typer.Exit(run_pipeline(_root(), words or [], workers))


@app.command()
def code() -> None:
    """Write reports/code.json: digests of the code that each stage of the pipeline executes.

    DVC runs a stage again when its digest there is another one. Comments and docstrings are no
    part of it.
    """
    from dropout_bench.stages import code_digests

    root, params = _params()
    _place(root, params, "code")
    path = root / "reports" / "code.json"
    path.parent.mkdir(exist_ok=True)
    write_text(path, json.dumps(code_digests(params), indent=1) + "\n")


@app.command()
def download(
    datasets: Annotated[
        list[str],
        typer.Argument(
            help=f"Any of: {', '.join(DATASETS)}.", autocompletion=lambda: list(DATASETS)
        ),
    ],
) -> None:
    """Unpack datasets into data/raw, each archive checked against its published MD5 sum.

    The archives of MNIST and Fashion-MNIST come with the project, in data/archives. One that is
    not there is fetched from torchvision's mirrors. $DROPOUT_BENCH_ARCHIVES names another folder.
    """
    from dropout_bench.data.download import download as download_dataset

    root = _root()
    for name in datasets:
        if name not in DATASETS:
            raise BenchError(f'no dataset "{name}"; {did_you_mean(name, DATASETS)}')
    if "DVC_STAGE" in os.environ:
        _place(*_params(), f"download {' '.join(datasets)}")
    for name in datasets:
        download_dataset(name, root / "data" / "raw", typer.echo)


@app.command()
def train(experiment: ExperimentName, scheduler: Scheduler = None, workers: Workers = None) -> None:
    """Train all runs of an experiment and write their weights and curves to runs/.

    Runs that the run store has are reused. Weights and curves of each run go to the store as it
    finishes, so a sweep that is stopped goes on where it was.
    """
    root, params = _params()
    settings = params.experiment(experiment)
    _claims(root, params)  # one that cannot be tested is told before anything trains
    _place(root, params, f"train {experiment}", experiment)
    _train(root, experiment, settings, scheduler, workers)


def _train(
    root: Path, name: str, experiment: "Experiment", scheduler: str | None, workers: int | None
) -> None:
    from dropout_bench.data.download import Source
    from dropout_bench.tensorboard.live import live_curves
    from dropout_bench.training.store import RunStore, default_store
    from dropout_bench.training.sweep import sweep, write_timings

    sources = {dataset: Source.of(dataset, root) for dataset in experiment.datasets}
    store = RunStore(default_store(root))
    times = sweep(name, experiment, root, sources, store, scheduler, workers, live_curves)
    write_timings(name, times, root / "timings")


@app.command()
def evaluate(
    experiment: ExperimentName, scheduler: Scheduler = None, workers: Workers = None
) -> None:
    """Evaluate the trained runs of an experiment and write its tables to reports/results/.

    This is the only command that reads the test set. Evaluations that the run store has are reused.
    """
    root, params = _params()
    params.experiment(experiment)  # or it is told that there is none
    _place(root, params, f"evaluate {experiment}", experiment)
    _evaluate(root, params, experiment, scheduler, workers)


def _evaluate(
    root: Path, params: "Params", name: str, scheduler: str | None, workers: int | None
) -> None:
    from dropout_bench.data.download import Source
    from dropout_bench.evaluation.stage import evaluate_experiment
    from dropout_bench.pipeline import found
    from dropout_bench.training.store import RunStore, default_store

    experiment = params.experiment(name)
    sources = {dataset: Source.of(dataset, root) for dataset in experiment.datasets}
    store = RunStore(default_store(root))
    results = root / params.reports_of(name) / "results"
    evaluate_experiment(name, experiment, root, sources, store, results, scheduler, workers)
    typer.echo(found(results.parent, name, experiment))


@app.command()
def report() -> None:
    """Render reports/report.md and its figures from the tables in reports/results/.

    Tables of experiments that params.yaml no longer has are removed first. Whether each claim was
    in Git before its runs is read from Git's history, and kept in reports/registered.json; in a
    clone without the history the file stays as it is.

    A claim in claims.yaml about a network that params.yaml does not have is an error; but in an
    experiment of DVC (dvc exp run) it is left out, and the report says so.
    """
    root, params = _params()
    _place(root, params, "report")
    from dropout_bench.analysis import registration
    from dropout_bench.report.render import render
    from dropout_bench.tables.write import remove_gone

    for gone in remove_gone(root / "reports" / "results", params.experiments):
        typer.echo(f"removed: {gone}, of no experiment in params.yaml")
    claims, left_out = _claims(root, params)
    for told in left_out:
        typer.echo(f"left out in this trial: {told}")
    about = claims.about(params.experiments)
    registered = registration.registrations(root, about.claims, params.experiments)
    registration.write(root / registration.REGISTERED, registered, about.claims)
    typer.echo(f"report: {render(params.experiments, about, root / 'reports', left_out)}")


def _claims(root: Path, params: "Params") -> tuple["Claims", list[str]]:
    """Read claims.yaml; in a trial (dvc exp run) leave out what it cannot test, and say why."""
    from dropout_bench.analysis.claims import load_claims

    left_out: list[str] = []
    leave_out = left_out.append if "DVC_EXP_BASELINE_REV" in os.environ else None
    return load_claims(root / "claims.yaml", params.all_experiments, leave_out), left_out


@app.command()
def timings() -> None:
    """Write reports/timings.md from the times that training has left in timings/.

    Times differ from one training to the next, so they are no part of the report: this command
    alone writes them down.
    """
    from dropout_bench.analysis.claims import load_claims
    from dropout_bench.report.timings import report_timings

    root, params = _params()
    times = root / "timings"
    claims = load_claims(root / "claims.yaml", params.all_experiments)
    suites = list(params.suites.values())
    timed = [
        suite
        for suite in suites
        if any((times / f"{name}.csv").is_file() for name in suite.experiments)
    ]
    for experiments, reports in timed or suites[:1]:
        path = report_timings(experiments, claims.about(experiments), root / reports, times)
        typer.echo(f"times: {path}")


@app.command("claims")
def list_claims(
    opened: Annotated[bool, typer.Option("--open", help="Those that are open.")] = False,
    supported: Annotated[bool, typer.Option("--supported", help="The supported ones.")] = False,
    contradicted: Annotated[
        bool, typer.Option("--contradicted", help="The contradicted ones.")
    ] = False,
    same: Annotated[
        bool, typer.Option("--same", help="Those found to be no relevant difference.")
    ] = False,
    about: Annotated[
        str,
        typer.Option(
            "--about",
            metavar="TEXT",
            help="Those with it in name, sentence, source, experiment, arms or quantities; "
            "capitals and hyphens make no difference.",
        ),
    ] = "",
    experiment: Annotated[
        str | None,
        typer.Option(
            "--experiment",
            metavar="NAME",
            help="Those that it tests.",
            autocompletion=_experiments,
        ),
    ] = None,
) -> None:
    """List the claims of the ledger with verdict, effect and draws: all of them, or some.

    Options of verdicts add up; the others narrow down. Verdicts are those of the whole ledger,
    whatever is shown of it.
    """
    from dropout_bench.analysis.rule import Verdict
    from dropout_bench.report.terminal import ending, found, table_of

    root, params = _params()
    if experiment is not None:
        params.experiment(experiment)
    options = {
        Verdict.OPEN: opened,
        Verdict.SUPPORTED: supported,
        Verdict.CONTRADICTED: contradicted,
        Verdict.SAME: same,
    }
    verdicts = {verdict for verdict, asked in options.items() if asked} or set(Verdict)
    standings = _standings(root, params)
    shown = found(standings, verdicts, about, experiment)
    if shown:
        _show(table_of(shown))
    for line in ending(shown, standings):
        typer.echo(line)


@app.command()
def explain(
    claim: Annotated[
        str,
        typer.Argument(help="Name of a claim in claims.yaml.", autocompletion=_claim_names),
    ],
) -> None:
    """Tell all that is known of a claim: what was said, what was measured, what follows.

    Its checks with their effects; the p of each look; its verdict; over drawn settings how often
    it holds, and what it depends on; the claims against it; and its lines in claims.yaml and
    params.yaml. What must hold, what is not tested and what is about times is told too.
    """
    from dropout_bench.analysis.claims import load_claims
    from dropout_bench.analysis.registration import registrations
    from dropout_bench.report import sentences, terminal

    root, params = _params()
    claims = load_claims(root / "claims.yaml", params.all_experiments)
    told = None
    if claim in (those := claims.about(params.experiments).claims):
        found = registrations(root, {claim: those[claim]}, params.experiments)[claim]
        told = sentences.history(found)
    for line in terminal.explain(root, params, claims, claim, told):
        typer.echo(line)


@app.command()
def deepen(
    experiments: Annotated[
        list[str] | None,
        typer.Argument(help="Experiments; without them all.", autocompletion=_experiments),
    ] = None,
    most: Annotated[
        float | None,
        typer.Option("--most", metavar="MINUTES", min=0, help="What training may take here."),
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Change draws in params.yaml, and nothing else there.")
    ] = False,
) -> None:
    """Plan more draws for the claims that are open: for which, of what, at what cost.

    Each experiment with open claims would go on to the next look, 12, 24 or 48 draws; the cheapest
    per open claim comes first. The cost is of the trainings that are not in the run store yet, by
    how long those of the same experiment took. Claims that can have no verdict, as a training was
    cut short, ask for no draws.

    Nothing is changed without --write; then `dvc repro` trains what is new.
    """
    from dropout_bench import deepening
    from dropout_bench.engine import cores

    root, params = _params()
    seconds = math.inf if most is None else most * 60 * cores()
    plan = deepening.plan(root, params, _standings(root, params), experiments or (), seconds)
    for line in deepening.told(plan, cores()):
        typer.echo(line)
    if not plan.deepenings:
        typer.echo("nothing to deepen")
    elif write:
        deepening.write(root / "params.yaml", params, plan.deepenings)
        typer.echo("params.yaml: draws are changed (dvc params diff); run: dvc repro")
    else:
        typer.echo("params.yaml is as it was: --write changes draws in it")


@app.command()
def compare(
    before: Annotated[str, typer.Argument(metavar="[REV]", help="A Git revision.")] = "HEAD",
    after: Annotated[
        str | None,
        typer.Argument(metavar="[REV]", help="Another; without it, the files as they are now."),
    ] = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="As Markdown, for a pull request.")
    ] = False,
) -> None:
    """Compare two states: the parameters that differ, and what that did to figures and verdicts.

    Without a revision, the files as they are now are compared with the last commit. Differences
    are taken seed by seed, with 95 % intervals.
    """
    from rich.console import Console
    from rich.markdown import Markdown

    from dropout_bench.compare import compare as compared
    from dropout_bench.compare import read_state
    from dropout_bench.report.render import layout

    root = _root()
    it = compared(read_state(root, before), read_state(root, after))
    text = layout("compare.md.jinja", it=it)
    if markdown:
        typer.echo(text, nl=False)
    else:
        Console(width=None if sys.stdout.isatty() else 120).print(Markdown(text))


@app.command()
def verify(
    sample: Annotated[
        int, typer.Option("--sample", min=0, help="Train so many runs again, and compare.")
    ] = 0,
    draw: Annotated[
        int | None,
        typer.Option("--draw", help="Seed that decides which; the commit's if not given."),
    ] = None,
    whole: Annotated[bool, typer.Option("--whole", help="Train all runs again.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Tell it as JSON.")] = False,
    witness: Annotated[
        Path | None, typer.Option(help="Write to a file what was checked where, for others.")
    ] = None,
) -> None:
    """Check that the committed reports are what this code makes of these parameters.

    First, in seconds and without data: dvc.yaml is the pipeline that it must be, code,
    params.yaml, claims.yaml, dvc.lock and tables fit each other, tables agree among themselves,
    every run has the key that belongs to it, data, arithmetic and versions are the pinned ones,
    and reports and pictures, made again from the tables, are the same to the byte.

    Then, if asked: runs are drawn, each as likely as any other, trained from scratch, and
    evaluated for every experiment whose tables hold them. In the same numeric environment weights,
    curves and figures must be the same to the last bit. In another one the means of each cell's
    figures must be within tolerance, unless the one that the report declares could have been had
    here: then that is a difference. Of M distinct runs of which m were never produced by this
    code, a sample of n finds at least one with probability 1 - C(M-m, n) / C(M, n): about
    1 - (1 - m/M)^n. Confusions and pictures are made from all runs of a cell, or of an experiment:
    they are compared where all of these were drawn.

    Of the large network of `make paper` a sample trains the first two epochs alone; --whole trains
    all of it, for an hour more. Everyone draws the same of a commit; whoever distrusts its author
    gives --draw a number of their own. Times are no part of what is compared.

    Nothing in the project is written. The exit status is 0 for the same bits, 1 where something
    differs, 3 where nothing does, but something was compared within tolerance.
    """
    import random

    from rich.console import Console

    from dropout_bench.verify import belongs_together
    from dropout_bench.verify import draw as drawing
    from dropout_bench.verify import findings as found
    from dropout_bench.verify import witness as witnesses

    root, params = _params()
    commit = drawing.commit_of(root)
    about: dict[str, object] = {"commit": commit}
    findings: list[found.Finding] = []
    with Console(stderr=True).status("verify: files") as shown:
        for finding in belongs_together.belongs_together(root, params):
            shown.update(f"verify: {len(findings)} checks, {finding.place}")
            findings.append(finding)
    if sample or whole:
        from dropout_bench.verify import trained_again

        seed = draw
        if seed is None:
            seed = drawing.seed_of(commit) if commit else random.SystemRandom().randrange(10**6)
        places = drawing.distinct_runs(belongs_together.committed_suites(root, params))
        drawn = drawing.draw(places, None if whole else sample, seed)
        first = {} if whole else drawing.beginnings(drawn, params)
        about |= {"draw": seed, "drawn": len(drawn), "of": len(places), "beginnings": len(first)}
        seen: set[trained_again.Machine] = set()
        with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
            typer.echo(drawing.told(len(places), len(drawn), len(first), seed))
            findings += trained_again.trained_again(root, drawn, first, seen)
        about["arithmetic"] = sorted({machine.device for machine in seen})
        about["processors"] = sorted({machine.processor for machine in seen})
    outcome = found.outcome(findings)
    if witness:
        witnesses.write(witnesses.witness(findings, about), witness)
    if as_json:
        typer.echo(found.as_json(findings, about))
    else:
        _show_findings(findings)
    wrong = [finding for finding in findings if not finding.holds]
    if wrong:
        raise BenchError(f"{len(wrong)} of {len(findings)} checks failed: {wrong[0].place}")
    raise typer.Exit(outcome.status)


def _show_findings(findings: list["Finding"]) -> None:
    from rich.markup import escape
    from rich.table import Table

    from dropout_bench.verify.findings import NOT_FOUND, Outcome, outcome

    looks = {Outcome.SAME: "green", Outcome.NEAR: "yellow", Outcome.DIFFERS: "red"}
    table = Table("checked", "where", "", "", box=None)
    for finding in findings:
        word = outcome([finding])
        marked = f"[{looks[word]}]{word}[/]"
        table.add_row(finding.check, escape(finding.place), marked, escape(finding.told))
    _show(table)
    typer.echo("What is not found here, and what finds it:")
    for what, by in NOT_FOUND.items():
        typer.echo(f"- {what}: {by}")
    if outcome(findings) is Outcome.NEAR:
        typer.echo("Nothing differs; what was compared within tolerance is not the same bits.")


@app.command()
def runs(
    experiments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[EXPERIMENT]...",
            help="With --export: whose runs; without one, those of all.",
            autocompletion=_experiments,
        ),
    ] = None,
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove the runs that no experiment needs.")
    ] = False,
    trials: Annotated[
        bool,
        typer.Option(
            "--trials", help="With --prune or --export: those of `dropout-bench try` as well."
        ),
    ] = False,
    export: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the runs that experiments need to a new archive."),
    ] = None,
    import_from: Annotated[
        Path | None,
        typer.Option("--import", metavar="FILE", help="Take in the runs of such an archive."),
    ] = None,
) -> None:
    """List the run store: every finished run, where experiments need it, its age and size.

    A run that no experiment needs was trained for parameters, data, code or library versions
    that are not those of now, or for a trial. It is kept, for the day they come back, until it is
    pruned; those of trials until it is asked for.

    An archive is one file, with a checksum of every file in it: `runs --export paper.tar
    large-network` here, and `runs --import paper.tar` where the hour is to be saved. All of it is
    checked before any of it is taken in; a run that is there already stays as it is.
    """
    from dropout_bench.pipeline import digests
    from dropout_bench.training import listed
    from dropout_bench.training.store import RunStore, default_store, needed_by
    from dropout_bench.trials.fits import kept_in

    if sum((prune, export is not None, import_from is not None)) > 1:
        raise BenchError("runs: --prune, --export and --import are three calls")
    if experiments and export is None:
        raise BenchError("runs: names of experiments go with --export FILE")
    if trials and not prune and export is None:
        raise BenchError("runs: --trials goes with --prune or --export FILE")
    root, params = _params()
    store = RunStore(default_store(root))
    if export is not None:
        _export(store, export, root, params, experiments or [], trials)
        return
    brought = _import(store, import_from) if import_from is not None else None
    entries = store.entries()
    if brought is not None:
        entries = [entry for entry in entries if entry.key in brought]
    needs = needed_by(entries, params.all_experiments, digests(root))
    if brought is not None:
        needed = sum(bool(places) for places in needs.values())
        typer.echo(f"{needed} of its {len(brought)} runs are needed by experiments here")
        return
    typer.echo("\n".join(listed.table(entries, needs)))
    typer.echo(f"{listed.told(entry.size for entry in entries)} in {store.folder}")
    idle = [entry for entry in entries if not needs[entry.key] and (trials or not entry.trial)]
    for entry in idle if prune else []:
        store.drop(entry.key)
    removed = "removed" if prune else "--prune removes them"
    freed = listed.told(entry.size for entry in idle)
    typer.echo(f"{freed} needed by no experiment{f': {removed}' if idle else ''}")
    of_trials = [entry for entry in entries if entry.trial]
    fits = kept_in(store.folder).files()
    sizes = [*(entry.size for entry in of_trials), *(file.stat().st_size for file in fits)]
    for file in fits if prune and trials else []:
        file.unlink(missing_ok=True)
    if sizes and not (prune and trials):
        typer.echo(f"{listed.told(sizes)} of trials: --prune --trials removes them too")


def _export(
    store: "RunStore", path: Path, root: Path, params: "Params", names: list[str], trials: bool
) -> None:
    from dropout_bench.pipeline import digests
    from dropout_bench.training import listed
    from dropout_bench.training.archive import export_runs
    from dropout_bench.training.store import needed_by

    chosen = {name: params.experiment(name) for name in names} or params.all_experiments
    listed.adopt_restored(store, chosen, root / "runs")
    entries = store.entries()
    needs = needed_by(entries, chosen, digests(root))
    asked = [entry for entry in entries if needs[entry.key] or (trials and entry.trial)]
    for name, (missing, count) in listed.lacking(chosen, needs).items():
        typer.echo(f"{name}: {missing} of {count} runs are not trained, and not in the archive")
    if not asked:
        raise BenchError(f"{path}: nothing to export; train first: dropout-bench train EXPERIMENT")
    export_runs(store, [entry.key for entry in asked], path)
    typer.echo(f"{path}: {listed.told(entry.size for entry in asked)}")


def _import(store: "RunStore", path: Path) -> set[str]:
    from dropout_bench.training.archive import import_runs

    new, kept = import_runs(store, path)
    typer.echo(f"{path}: {len(new)} runs are new here, {len(kept)} were here already")
    return {*new, *kept}


@app.command(context_settings={"ignore_unknown_options": True})
def tensorboard(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[EXPERIMENT] [TENSORBOARD'S OWN OPTIONS]",
            help="An experiment in params.yaml; then, for example, --port 6007.",
            autocompletion=_experiments,
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Every seed; and without EXPERIMENT every experiment.")
    ] = False,
) -> None:
    """Open TensorBoard on the three tutorials, or on an experiment.

    It shows the first seed of each network and the mean over all seeds, from the tables in
    reports/, so nothing need be trained here. Curves of a training under way are there as it goes,
    if its experiment is named.
    """
    from dropout_bench.files import whole_folder
    from dropout_bench.params.file import read_yaml
    from dropout_bench.tables.read import read_results
    from dropout_bench.tensorboard.board import TICKED, Shown, under_way, write_board

    root, params = _params()
    options = list(words or [])
    name = options.pop(0) if options and not options[0].startswith("-") else None
    if name is not None:
        chosen = {name: params.experiment(name)}
    elif everything:
        chosen = params.all_experiments
    else:
        published = read_yaml(root / "claims.yaml").get("published") or params.experiments
        chosen = {name: one for name, one in params.experiments.items() if name in published}
    shown = {}
    for each, experiment in chosen.items():
        reports = root / params.reports_of(each)
        tables, results = reports / "results" / each, None
        if tables.is_dir():
            try:
                results = read_results(reports, each, experiment)
            except BenchError as error:  # of other parameters, for one: its training is shown
                typer.echo(f"left out: {error}")
        live = under_way(root / "logs" / "live" / each, tables / "runs.csv")
        shown[each] = Shown(experiment, results, root / "evaluations" / each, live)
    place = root / "logs" / "shown" / (name or ("all" if everything else "tutorials"))
    with whole_folder(place) as empty:
        counts = write_board(empty, shown, everything)
    if not counts.total():
        raise BenchError(f"{', '.join(chosen)}: no tables and no curves; run: dvc repro")
    typer.echo(
        f"tensorboard: {counts['mean']} means over seeds, {counts['seed']} single seeds, "
        f"{counts['live']} under way"
    )
    if counts["mean"] and not counts["seed"]:
        typer.echo(f"  no single seeds: with them it were over {TICKED} runs; --all shows them")
    if counts.total() > TICKED:
        typer.echo(f"  TensorBoard ticks no run by itself beyond {TICKED}: tick those you want")
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(place), *options]
    os.execv(sys.executable, command)  # noqa: S606


@app.command("suite")
def run_suite(
    name: Annotated[
        str,
        typer.Argument(help="Name of a suite in params.yaml.", autocompletion=_suites),
    ],
    scheduler: Scheduler = None,
    workers: Workers = None,
) -> None:
    """Run a suite that is no part of the pipeline, from data to a report of its own.

    **demo** takes scikit-learn's 8×8 digits, which come with the package: 20 seconds. They are no
    stand-in for MNIST, and the report says what it is about. **paper** trains the large network of
    the paper that introduced dropout: about an hour on two cores. The report of a suite is in
    reports/NAME/.
    """
    from dropout_bench import engine
    from dropout_bench.analysis.claims import load_claims
    from dropout_bench.data.download import download as download_dataset
    from dropout_bench.pipeline import WORKED_WITH
    from dropout_bench.report.render import render

    root, params = _params()
    suite = params.suite(name)
    claims = load_claims(root / "claims.yaml", params.all_experiments).about(suite.experiments)
    reports = root / suite.reports
    if not scheduler:
        engine.import_once_for_all(WORKED_WITH)  # meanwhile:
    for dataset in sorted({name for one in suite.experiments.values() for name in one.datasets}):
        download_dataset(dataset, root / "data" / "raw", typer.echo)
    with engine.workers(WORKED_WITH, scheduler, workers) as client:
        address = engine.address_of(client)
        for each, experiment in suite.experiments.items():
            _train(root, each, experiment, address, workers)
            _evaluate(root, params, each, address, workers)
    typer.echo(f"report: {render(suite.experiments, claims, reports)}")


@app.command("try")
def try_out(
    layer: Annotated[
        str | None,
        typer.Argument(
            help="my_dropout.py, my_dropout.py:Class, package.module:Class, or the name of an "
            "entry point in the group dropout_bench.variants."
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="A table: .npz with arrays X and y, or CSV with --target."),
    ] = None,
    target: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Of CSV, the column of classes.")
    ] = None,
    place: Annotated[
        str | None,
        typer.Option(
            help="Where a plain layer stands: after-activation, as without this; "
            "before-activation; before-linear; or input, in front of the first layer alone."
        ),
    ] = None,
    hidden: Annotated[
        str, typer.Option(metavar="WIDTHS", help="On a table: units of each hidden layer.")
    ] = "256,128",
    rates: Annotated[
        str, typer.Option(help="Dropout rates that validation chooses among.")
    ] = "0.2,0.35,0.5",
    draws: Annotated[
        int, typer.Option(min=2, help="Draws to compare at; 12, 24 and 48 are looks.")
    ] = 12,
    step: Annotated[float, typer.Option(help="On a table: step size of Adam.")] = 1e-3,
    rows: Annotated[
        int, typer.Option(min=1, help="Rows that a draw takes of a longer table.")
    ] = 20_000,
    name: Annotated[
        str | None, typer.Option(help="What to call the layer, or the table, and its page.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    scheduler: Scheduler = None,
    workers: Workers = None,
) -> None:
    """Try a layer of your own, or dropout on data of your own, or both.

    A layer, or a variant: its laws are checked. Then it alone is trained, on the draws of the
    experiment about kinds, its rate chosen on validation as that of all others, and compared with
    each of them draw by draw.

    A table of numbers and classes (--data): at each draw the rows are split anew, and a network is
    trained without dropout, with it, and with the layer if there is one; the answer is a sentence.

    What was found is printed, and written to trials/NAME/: Markdown, one HTML file, figures. A
    second call trains nothing.
    """
    from dropout_bench.trials import command

    if data is not None:
        more = {"draws": draws, "learning_rate": step, "rows": rows, "workers": workers}
        command.on_data(
            data, target, layer, place, name, hidden, rates, as_json, scheduler=scheduler, **more
        )
    elif layer is not None:
        command.on_layer(layer, place, rates, draws, name, as_json, scheduler, workers)
    else:
        raise BenchError("try what? A layer (my_dropout.py), data (--data my.npz), or both")


@app.command()
def init(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A new folder, or an empty one.", show_default="")
    ],
) -> None:
    """Write a project of your own: an experiment, a claim, the pipeline, a layer of your own, CI.

    In it `dvc repro` makes a report; nothing is downloaded for it, as its digits come with
    scikit-learn. The comments in its params.yaml and claims.yaml say what may be changed.
    """
    from dropout_bench.init.project import write

    for file in write(folder):
        typer.echo(file)
    typer.echo(
        f"next: cd {folder} && git init && dvc init && git add --all && "
        'git commit --message "A claim, before its runs" && dvc repro'
    )


def _stop(signal_number: int, frame: object) -> NoReturn:
    for stops in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stops, _stop_at_once)
    name = signal.Signals(signal_number).name
    sys.stderr.write(f"dropout-bench: stopped by {name}; the same call goes on from here\n")
    raise SystemExit(128 + signal_number)


def _stop_at_once(signal_number: int, frame: object) -> NoReturn:
    # A second time, while workers are being stopped: they notice that this process is gone.
    if sys.stdout.isatty():
        sys.stdout.write("\x1b[?25h\n")  # the cursor, which is hidden beside a line of progress
        sys.stdout.flush()
    os._exit(128 + signal_number)


def main() -> None:
    """Run the command line; an error that a user can mend is printed without a trace."""
    pin_environment()
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    try:
        app()
    except BenchError as error:
        sys.exit(f"dropout-bench: {error}")
    except OSError as error:
        sys.exit(f"dropout-bench: {error.filename or ''}: {error.strerror or error}")
