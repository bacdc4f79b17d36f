"""The command ``try``, and the process in which Python's ``trial`` does the same."""

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import cast

from rich.console import Console, RenderableType

from dropout_bench.errors import BenchError
from dropout_bench.sharing import VARIABLE
from dropout_bench.trials import newcomer
from dropout_bench.trials.on_draws import DRAWS, RATES
from dropout_bench.trials.placed import Place
from dropout_bench.trials.result import Trial
from dropout_bench.trials.session import Asked, read_rates, session
from dropout_bench.trials.sources import Sources, Text
from dropout_bench.trials.told import in_terminal


def _say(told: RenderableType) -> None:
    """Print: as wide as the terminal, elsewhere a line a row."""
    width = None if sys.stdout.isatty() else 200
    Console(file=sys.stdout, width=width, highlight=False).print(told)


def run(
    target: str,
    place: str | None,
    rates: str | None,
    draws: int | None,
    name: str | None,
    as_json: bool,
    scheduler: str | None,
    workers: int | None,
) -> None:
    """Try a target and print what was found.

    Raises:
        BenchError: see :func:`~dropout_bench.trials.session.session`.
    """
    asked = Asked(RATES if rates is None else read_rates(rates), draws or DRAWS, workers, scheduler)
    # With --json nothing else is written to the standard output.
    with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
        trial, page = session(
            lambda: newcomer.find(target, cast("Place | None", place), name), asked, _say
        )
    if as_json:
        print(trial.model_dump_json(indent=1))
        return
    for told in in_terminal(trial):
        _say(told)
    _say(_ending(trial, page))


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
