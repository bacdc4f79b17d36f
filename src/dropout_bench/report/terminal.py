"""The ledger in the terminal: as a table, and one claim as a whole."""

import math
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from rich.table import Table
from rich.text import Text

from dropout_bench.analysis.claims import Claim, Claims
from dropout_bench.analysis.generality import generality
from dropout_bench.analysis.ledger import (
    LedgerEntry,
    ledger,
    looks_of,
    unfinished,
    what_must_hold,
)
from dropout_bench.analysis.measured import chances
from dropout_bench.analysis.registration import CLAIMS
from dropout_bench.analysis.rule import Look, Verdict
from dropout_bench.analysis.standing import Standing, standing
from dropout_bench.errors import BenchError, did_you_mean
from dropout_bench.params.file import Params, Suite
from dropout_bench.positions import lines
from dropout_bench.quantities.registry import quantity
from dropout_bench.report import sentences, text
from dropout_bench.tables.read import Results, read_results


def found(
    standings: Collection[Standing],
    verdicts: Collection[Verdict] = frozenset(Verdict),
    words: str = "",
    experiment: str | None = None,
) -> list[LedgerEntry]:
    """Return the judged claims with one of some verdicts, about words, about an experiment.

    Words are looked for in name, sentence, source, experiment, arms and quantities. Capitals, and
    hyphens in the place of spaces, make no difference.
    """
    return [
        entry
        for each in standings
        for entry in each.entries.values()
        if entry.verdict in verdicts
        and experiment in {None, entry.claim.experiment}
        and any(_plain(words) in _plain(told) for told in _told(entry, each.claims.sources))
    ]


def _told(entry: LedgerEntry, sources: Mapping[str, str]) -> Iterator[str]:
    claim = entry.claim
    yield from (entry.name, claim.says, claim.source, sources[claim.source], claim.experiment)
    for check in claim.checks:
        yield from check.cells
        for name in filter(None, (check.metric, check.along)):
            yield from (name, quantity(name).title)


def _plain(words: str) -> str:
    return " ".join(words.replace("-", " ").casefold().split())


def table_of(entries: Collection[LedgerEntry]) -> Table:
    """Lay entries of the ledger out, a row each."""
    table = Table("claim", "what is said", "verdict", "effect (95 % interval)", "draws", box=None)
    table.columns[0].no_wrap = True
    for entry in entries:
        cells = (
            entry.name, entry.claim.says, entry.verdict, text.effect(entry.deciding), entry.draws,
        )  # fmt: skip
        table.add_row(*(Text(f"{cell}") for cell in cells))
    return table


def counted(entries: Collection[LedgerEntry]) -> str:
    """Count entries by verdict: ``3 claims: 2 supported, 1 open``."""
    verdicts = [entry.verdict for entry in entries]
    counts = [f"{verdicts.count(each)} {each}" for each in Verdict if each in verdicts]
    number = f"{len(verdicts)} claim{'s' * (len(verdicts) != 1)}"
    return f"{number}: {', '.join(counts)}" if counts else number


def ending(shown: Collection[LedgerEntry], standings: Collection[Standing]) -> Iterator[str]:
    """Count what is shown, and say what there is besides."""
    every = found(standings)
    if not shown:
        about = ", ".join(dict.fromkeys(entry.claim.experiment for entry in every))
        yield f"none of {counted(every)}" + (f"; about {about}" if about else "")
    else:
        yield counted(shown) + ("" if len(shown) == len(every) else f"; of {counted(every)}")
    others = [
        claim.experiment
        for each in standings
        for claim in each.claims.claims.values()
        if claim.experiment in each.stale
    ]
    if others:
        yield (
            f"{len(others)} more about {', '.join(dict.fromkeys(others))}: not judged, their "
            f"tables are missing or not those of {Params.file}; run: dvc repro"
        )


def keys_of(params: Params, experiment: str) -> tuple[str, ...]:
    """Return the keys that lead to an experiment in ``params.yaml``."""
    suite = next(name for name, each in params.suites.items() if experiment in each.experiments)
    return ("suites", suite, experiment) if suite else ("experiments", experiment)


def explain(
    root: Path, params: Params, claims: Claims, name: str, registration: str | None = None
) -> Iterator[str]:
    """Tell all that is known of a claim, line by line.

    Args:
        root: the project's folder.
        params: its parameters.
        claims: all of ``claims.yaml``.
        name: of a claim of the ledger, one that must hold, one about times, or an untested one.
        registration: what Git's history says of it.

    Raises:
        BenchError: there is none of this name.
    """
    sections = ("claims", "must_hold", "timed", "untested")
    known = {each: one for one in reversed(sections) for each in getattr(claims, one)}
    if name not in known:
        raise BenchError(f'{CLAIMS}: no claim "{name}"; {did_you_mean(name, known)}')
    section = known[name]
    it = getattr(claims, section)[name]
    yield f"{name}: “{it.says}” ({claims.sources[it.source]})"
    if isinstance(it, Claim):
        yield from _tested(root, params, claims, section, name)
    else:
        yield f"  not tested: {it.why}"
    if registration:
        yield f"  {registration}"
    yield from _written(root / CLAIMS, section, name)
    if isinstance(it, Claim):
        yield from _written(root / Params.file, *keys_of(params, it.experiment))


def _written(path: Path, *keys: str) -> Iterator[str]:
    """Quote what a file has under some keys, with the numbers of its lines."""
    there = lines(path.read_text(encoding="utf-8"), *keys)
    yield f"{path.name}:"
    yield from (f"{number:>6}  {line}" for number, line in there.items())


class _Case(NamedTuple):
    """A claim with what it was judged with."""

    entry: LedgerEntry
    entries: Mapping[str, LedgerEntry]
    results: Results


def _tested(root: Path, params: Params, claims: Claims, section: str, name: str) -> Iterator[str]:
    """Tell what was measured, and what follows."""
    claim: Claim = getattr(claims, section)[name]
    suite = next(each for each in params.suites.values() if claim.experiment in each.experiments)
    experiment = suite.experiments[claim.experiment]
    if claim.because:
        yield f"  because: {claim.because}"
    yield f"  tested by {claim.experiment}, {text.draws(experiment)}: {experiment.question or '–'}"
    try:
        case = _case(root, suite, claims, section, name)
    except BenchError as error:
        yield from (f"  check {text.told(check)}" for check in claim.checks)
        yield f"  not judged: {error}"
        return
    yield from _checks(case.entry)
    if section == "must_hold":
        yield f"  {_HELD[case.entry.verdict]}, by its intervals alone"
        return
    yield from _looks(case)
    yield from _verdict(case, claims.level)
    yield from _generality(case)
    yield from _opposed(case, claims)


_HELD = {
    Verdict.SUPPORTED: "it holds, as it must",
    Verdict.CONTRADICTED: "it does NOT hold, as it must: the code is wrong",
    Verdict.SAME: "unclear",
    Verdict.OPEN: "unclear",
}


def _case(root: Path, suite: Suite, claims: Claims, section: str, name: str) -> _Case:
    """Judge a claim as its place in ``claims.yaml`` asks for; an error says why it cannot be."""
    claim: Claim = getattr(claims, section)[name]
    reports, of = root / suite.reports, claims.about(suite.experiments)
    if section == "claims":
        stands = standing(root, suite, claims)
        if claim.experiment in stands.stale:
            raise BenchError(stands.stale[claim.experiment])
        return _Case(stands.entries[name], stands.entries, stands.results[claim.experiment])
    if section == "must_hold":
        results = read_results(reports, claim.experiment, suite.experiments[claim.experiment])
        (entry,) = what_must_hold({name: claim}, {claim.experiment: results})
        return _Case(entry, {}, results)
    from dropout_bench.report.timings import timed_results  # and so all figures

    asked = {each.experiment: suite.experiments[each.experiment] for each in of.timed.values()}
    timed = timed_results(asked, reports, root / "timings")
    if claim.experiment not in timed:
        raise BenchError(f"no times of {claim.experiment}; run: dropout-bench timings")
    entries = ledger(of.about(timed).timed, of.level, timed, of.smallest)
    by_name = {entry.name: entry for entry in entries}
    return _Case(by_name[name], by_name, timed[claim.experiment])


def _checks(entry: LedgerEntry) -> Iterator[str]:
    for measured in entry.measured:
        decides = " (decides)" if len(entry.measured) > 1 and measured is entry.deciding else ""
        yield f"  check {text.told(measured.check)}{decides}"
        yield f"    {text.effect(measured)}; {text.relevant(measured)}"


def _looks(case: _Case) -> Iterator[str]:
    """Tell the looks: the p of each way to a verdict, and what it comes to."""
    entry = case.entry
    of = zip(looks_of(case.results).items(), entry.looks, strict=True)
    for (draws, weight), measured in of:
        look = Look(weight, chances(list(measured)))
        ways = zip(("for", "against", "no relevant difference"), look.chances, strict=True)
        reason = unfinished(entry.claim, case.results, draws)
        yield (
            f"  look at {draws} draws: p {', '.join(f'{way} {text.p(p)}' for way, p in ways)}; "
            + (reason or f"twice the smallest over its weight {weight:g}: {text.p(look.p)}")
        )


def _verdict(case: _Case, level: float) -> Iterator[str]:
    entry = case.entry
    below = "below" if entry.corrected < level else "not below"
    yield (
        f"  {entry.verdict}, with {entry.draws} draws: p {text.p(entry.p)}, corrected over "
        f"{len(case.entries)} claims {text.p(entry.corrected)}, {below} {level:g}"
    )
    if entry.reason:
        yield f"    no verdict: {entry.reason}"
    elif entry.verdict is Verdict.OPEN:
        power = "" if math.isinf(entry.needed) else ", with a power of 80 %"
        yield f"    {sentences.wanted(entry)}{power}"


def _generality(case: _Case) -> Iterator[str]:
    found, check = generality(case.entry, case.results), case.entry.deciding.check
    if found is None:
        return
    told = f"  over drawn settings: on the claim's side at {text.share(found.holds)} of them"
    if not check.often:  # of ones and zeros such an interval says nothing
        told += f"; one more would lie at {text.one_more(check, found.one_more)}"
    yield told
    if of := text.general(found, check):
        yield f"    {of}"


def _opposed(case: _Case, claims: Claims) -> Iterator[str]:
    """Name the claims that cannot be true together with this one, whichever of them says so."""
    name = case.entry.name
    for other, claim in claims.claims.items():
        if name in claim.contradicts or other in case.entry.claim.contradicts:
            verdict = case.entries[other].verdict if other in case.entries else "not judged"
            yield f"  against {other}: “{claim.says}” ({verdict})"
