"""The command ``try``, and the process in which Python's ``trial`` does the same."""

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Any, cast

from rich.console import Console, RenderableType

from dropout_bench.errors import BenchError
from dropout_bench.sharing import VARIABLE
from dropout_bench.trials import newcomer
from dropout_bench.trials.on_file import on_file
from dropout_bench.trials.page import told
from dropout_bench.trials.placed import Place
from dropout_bench.trials.result import Trial
from dropout_bench.trials.session import Asked, read_rates, session
from dropout_bench.trials.sources import Sources, Text
from dropout_bench.trials.told import in_terminal


def _say(told: RenderableType) -> None:
    """Print: as wide as the terminal, elsewhere a line a row."""
    width = None if sys.stdout.isatty() else 200
    console = Console(file=sys.stdout, width=width, highlight=False)
    console.print(told, soft_wrap=isinstance(told, str))


def on_layer(
    target: str,
    place: str | None,
    rates: str,
    draws: int,
    name: str | None,
    as_json: bool,
    scheduler: str | None,
    workers: int | None,
) -> None:
    """Try a layer, or a variant, on the draws of the known kinds, and print what was found.

    Raises:
        BenchError: see :func:`~dropout_bench.trials.session.session`.
    """
    asked = Asked(read_rates(rates), draws, workers, scheduler)
    with _apart(as_json):
        trial, page = session(
            lambda: newcomer.find(target, cast("Place | None", place), name), asked, _say
        )
    if as_json:
        print(trial.model_dump_json(indent=1))
        return
    for part in in_terminal(trial):
        _say(part)
    _say(_ending(trial, page))


def on_data(
    path: Path,
    column: str | None,
    target: str | None,
    place: str | None,
    name: str | None,
    hidden: str,
    rates: str,
    as_json: bool,
    **more: Any,
) -> None:
    """Try dropout on a file's table, a layer beside it if one is named, and print what was found.

    Raises:
        BenchError: something given cannot be, or trainings failed.
    """
    at = cast("Place | None", place)
    beside = newcomer.find(target, at) if target is not None else None
    if beside is None and place is not None:
        raise BenchError("--place says where a layer stands; name one, or drop it")
    with _apart(as_json):
        if beside is not None:
            from dropout_bench.trials.laws import check_variant

            _say(check_variant(beside.load(), rates=read_rates(rates)))
        result, page = on_file(path, column, name, hidden, rates, variant=beside, **more)
    if as_json:
        print(json.dumps(result.as_json(), indent=1))
        return
    for part in told(result):
        _say(part)
    _say(f"Page: {page}")


def _apart(as_json: bool) -> contextlib.AbstractContextManager[object]:
    """With JSON nothing else is written to the standard output."""
    return contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext()


def _ending(trial: Trial, page: Path) -> str:
    trained = f"{trial.trained} runs trained" if trial.trained else "nothing had to be trained"
    return f"{trained}, {trial.seconds:.0f} s. Page: {page}"


def child() -> None:
    """Do what Python's ``trial`` asks for: a request on standard input, the answer to a file."""
    request = json.loads(sys.stdin.read())
    answer = Path(request["answer"])
    try:
        asked = Asked(**(request["asked"] | {"rates": tuple(request["asked"]["rates"])}))
        if scheduler := os.environ.get(VARIABLE):
            asked = Asked(asked.rates, asked.draws, asked.workers, asked.scheduler or scheduler)
        trial, page = session(lambda: _found(request), asked, lambda _: None)
    except BenchError as error:
        answer.write_text(json.dumps({"error": str(error)}))
    else:
        print(_ending(trial, page), flush=True)
        answer.write_text(trial.model_dump_json())


def _found(request: dict[str, object]) -> newcomer.Newcomer:
    place, name = (cast("str | None", request[key]) for key in ("place", "name"))
    at = cast("Place | None", place)
    if isinstance(target := request.get("target"), str):
        return newcomer.find(target, at, name)
    texts = cast("dict[str, tuple[str, bool]]", request["texts"])
    sources = Sources(str(request["main"]), {key: Text(*each) for key, each in texts.items()})
    return newcomer.of_sources(sources, str(request["cls"]), str(request["cls"]), at, name)
