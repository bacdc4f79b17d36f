"""More draws for the claims that are open: of which experiments, at what cost, in params.yaml."""

import math
import re
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dropout_bench.analysis.ledger import LedgerEntry
from dropout_bench.analysis.rule import LOOKS, Verdict
from dropout_bench.analysis.standing import Standing
from dropout_bench.errors import BenchError
from dropout_bench.params.experiment import Experiment
from dropout_bench.params.file import Params, read_yaml, validated
from dropout_bench.pipeline import duration, trainings_left
from dropout_bench.positions import entry
from dropout_bench.report.sentences import wanted
from dropout_bench.report.terminal import keys_of
from dropout_bench.training.store import default_store


@dataclass(frozen=True)
class Deepening:
    """An experiment with as many draws as the next look has.

    Attributes:
        name: the experiment's.
        before: its draws.
        draws: those of the next look.
        entries: the open claims that it is for.
        trainings: runs that are not in the store yet, but for those of the deepenings before it.
        seconds: of one core, to train them; NaN where no run has been finished here.
    """

    name: str
    before: int
    draws: int
    entries: tuple[LedgerEntry, ...]
    trainings: int
    seconds: float


@dataclass(frozen=True)
class Plan:
    """What is to be deepened, the cheapest per open claim first; and why other experiments not."""

    deepenings: tuple[Deepening, ...]
    others: Mapping[str, str]


def next_look(experiment: Experiment) -> int | None:
    """Return the draws of the next look at an experiment; None where there is none."""
    return next((draws for draws in LOOKS if draws > (experiment.draws or math.inf)), None)


def plan(
    root: Path,
    params: Params,
    standings: Collection[Standing],
    names: Collection[str] = (),
    most: float = math.inf,
) -> Plan:
    """Plan to bring open claims to their next look, where nothing speaks against a verdict.

    Args:
        root: the project's folder.
        params: its parameters.
        standings: how the claims stand.
        names: of experiments; all of them if there is none.
        most: seconds of one core; an experiment that does not fit in with those before is left.

    Raises:
        BenchError: there is no experiment of a name, or what it costs is not known and limited.
    """
    for name in names:
        params.experiment(name)
    opened: dict[str, list[LedgerEntry]] = {}
    stale: dict[str, str] = {}
    for each in standings:
        stale |= each.stale
        for found in each.entries.values():
            if found.verdict is Verdict.OPEN and not found.reason:
                opened.setdefault(found.claim.experiment, []).append(found)
    others, looks = {}, {}
    for name in [name for name in params.all_experiments if not names or name in names]:
        experiment = params.experiment(name)
        if name in stale:
            others[name] = stale[name]
        elif name not in opened:
            others |= {name: "no claim about it is open"} if names else {}
        elif experiment.listed_seeds:
            others[name] = "its seeds are listed; draws, in their place, can be deepened"
        elif (draws := next_look(experiment)) is None:
            others[name] = f"it has {experiment.draws} draws, after which there is no further look"
        else:
            looks[name] = draws
    chosen = _chosen(root, params, {name: opened[name] for name in looks}, looks, most)
    for name in looks.keys() - {each.name for each in chosen}:
        others[name] = "it does not fit into --most"
    return Plan(tuple(chosen), others)


def _chosen(
    root: Path,
    params: Params,
    opened: Mapping[str, Sequence[LedgerEntry]],
    looks: Mapping[str, int],
    most: float,
) -> list[Deepening]:
    """Choose one experiment after the other, the cheapest per open claim first.

    What one trains the others need not train any more.
    """
    path = root / Params.file
    deepened = validated(Params, _content(path, params, looks), path).all_experiments
    left = trainings_left(root, {name: deepened[name] for name in looks})
    seconds = [run.seconds for run in left.values()]
    if math.isfinite(most) and any(map(math.isnan, seconds)):
        raise BenchError(
            f"{default_store(root)}: no run has been finished, so that the cost is not known; drop "
            "--most"
        )
    number = {run: place for place, run in enumerate(left)}
    waiting = {
        name: {number[run] for run in deepened[name].runs() if run in number} for name in looks
    }
    chosen: list[Deepening] = []
    while waiting:
        costs = {name: sum(seconds[run] for run in runs) for name, runs in waiting.items()}
        fitting = [name for name, cost in costs.items() if not cost > most]
        if not fitting:
            break
        name = min(fitting, key=lambda name: (costs[name] / len(opened[name]), name))
        trained = waiting.pop(name)
        most -= costs[name]
        before = params.experiment(name).draws or 0
        for_them = tuple(opened[name])
        chosen.append(Deepening(name, before, looks[name], for_them, len(trained), costs[name]))
        waiting = {other: runs - trained for other, runs in waiting.items()}
    return chosen


def _content(path: Path, params: Params, draws: Mapping[str, int]) -> Any:
    """Read ``params.yaml`` as plain data, with other draws of some experiments."""
    content = read_yaml(path)
    for name, count in draws.items():
        *place, last = keys_of(params, name)
        section = content
        for key in place:
            section = section[key]
        section[last] = {**section[last], "draws": count}  # whatever else is the same by an alias
    return content


def write(path: Path, params: Params, deepenings: Collection[Deepening]) -> None:
    """Write the draws into ``params.yaml``, all else there staying as it is, to the byte.

    Raises:
        BenchError: it is written so that no draws can be put into it without changing more.
    """
    draws = {each.name: each.draws for each in deepenings}
    written = path.read_bytes().decode()
    for name, count in draws.items():
        written = with_draws(written, keys_of(params, name), count)
    if _read(written) != _content(path, params, draws):
        told = ", ".join(f"{name} {count}" for name, count in draws.items())
        raise BenchError(f"{path}: draws cannot be put in by themselves; write them: {told}")
    path.write_bytes(written.encode())


def with_draws(text: str, keys: Sequence[str], draws: int) -> str:
    """Return the text of ``params.yaml`` with other draws of the experiment that keys lead to.

    Its own number is replaced; draws that come by ``<<`` get a line of their own after that one.
    """
    if own := entry(text, *keys, "draws"):
        value = _VALUE.match(text, own[0].end_mark.index)
        return f"{text[: value.end(1)]}{draws}{text[value.end() :]}" if value else text
    if (merged := entry(text, *keys, "<<")) is None:
        return text
    key, those = merged
    # Of an alias the value's mark is where its anchor is: before the key.
    end = text.find("\n", max(key.end_mark.index, those.end_mark.index)) + 1
    line_end = "\r\n" if "\r\n" in text else "\n"
    return f"{text[:end]}{' ' * key.start_mark.column}draws: {draws}{line_end}{text[end:]}"


_VALUE = re.compile(r"(\s*:\s*(?:&\S+\s+)?)[^\s,}]+")
"""What follows a key: what stands before its value, an anchor too, and the value, or an alias."""


def _read(text: str) -> Any:
    """Read YAML from a text; nothing where it is none."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / Params.file
        path.write_bytes(text.encode())
        try:
            return read_yaml(path)
        except BenchError:
            return None


def told(plan: Plan, cores: int) -> Iterator[str]:
    """Tell a plan line by line; cores are those of this machine."""
    for each in plan.deepenings:
        yield (
            f"{each.name}: {each.before} → {each.draws} draws for {_claims(len(each.entries))}: "
            f"{_cost(each.trainings, each.seconds, cores)}"
        )
        for found in each.entries:
            more = f", more than {each.draws}" if found.needed > each.draws else ""
            yield f"  {found.name}: {wanted(found)}{more}"
    for name, why in plan.others.items():
        yield f"not deepened: {name}: {why}"
    if len(plan.deepenings) > 1:
        seconds = sum(each.seconds for each in plan.deepenings)
        trainings = sum(each.trainings for each in plan.deepenings)
        claims = sum(len(each.entries) for each in plan.deepenings)
        yield (
            f"in all: {len(plan.deepenings)} experiments, for {_claims(claims)}: "
            f"{_cost(trainings, seconds, cores)}"
        )


def _claims(count: int) -> str:
    return f"{count} open claim{'s' * (count != 1)}"


def _cost(trainings: int, seconds: float, cores: int) -> str:
    told = f"{trainings:,} trainings"
    if math.isnan(seconds):
        return f"{told}, how long they take is not known"
    return f"{told}, {seconds:,.0f} core-seconds, {duration(seconds / cores)} on {cores} cores"
