"""A trial from Python: in a process of its own, so that nothing of this one is changed."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast, overload

from dropout_bench.catalogue.source import PACKAGE
from dropout_bench.errors import BenchError
from dropout_bench.trials.newcomer import Newcomer, find, of_class
from dropout_bench.trials.on_draws import DRAWS, RATES
from dropout_bench.trials.result import Trial
from dropout_bench.trials.session import Asked
from dropout_bench.trials.written import sources_of

if TYPE_CHECKING:
    from torch import nn

    from dropout_bench.trials.placed import Place
    from dropout_bench.trials.verdict import TableResult

_CHILD = "import dropout_bench.pinned; from dropout_bench.trials.command import child; child()"


@overload
def trial(
    target: "str | type[nn.Module]",
    rates: Sequence[float] = ...,
    draws: int = ...,
    place: "Place | None" = ...,
    name: str | None = ...,
    workers: int | None = ...,
    scheduler: str | None = ...,
) -> Trial: ...
@overload
def trial(
    target: "str | type[nn.Module] | None" = ...,
    rates: Sequence[float] = ...,
    draws: int = ...,
    place: "Place | None" = ...,
    name: str | None = ...,
    workers: int | None = ...,
    scheduler: str | None = ...,
    *,
    data: "tuple[Any, Any] | Path | str",
    column: str | None = ...,
    hidden: Sequence[int] = ...,
) -> "TableResult": ...
def trial(
    target: "str | type[nn.Module] | None" = None,
    rates: Sequence[float] = RATES,
    draws: int = DRAWS,
    place: "Place | None" = None,
    name: str | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    *,
    data: "tuple[Any, Any] | Path | str | None" = None,
    column: str | None = None,
    hidden: Sequence[int] = (256, 128),
) -> "Trial | TableResult":
    """Try a layer, or a variant, or dropout on data: as ``dropout-bench try``, which see.

    A layer alone is tried in a process of its own, and its page is written too; data are tried by
    worker processes. Threads, random states and loggers of this process stay as they are.

    Args:
        target: a class, of a file or a notebook; or what the command takes.
        rates: rates that validation chooses among, in (0, 1).
        draws: draws to compare at: 12, 24 or 48, or another number from 2 on.
        place: where a plain layer stands; after the activation without it.
        name: what to call it; else as its class.
        workers: local worker processes; one per core without it.
        scheduler: address of a running Dask scheduler.
        data: arrays or tables X of numbers and y of classes, or a file as the command takes it.
        column: of a CSV file, the column of classes.
        hidden: on data, units of each hidden layer.

    Raises:
        BenchError: it cannot be found, built, trained, or compared.
    """
    if data is not None:
        from dropout_bench.trials.on_table import on_table
        from dropout_bench.trials.table import of_arrays, read

        table = of_arrays(*data) if isinstance(data, tuple) else read(Path(data), column)
        newcomer: Newcomer | None = None
        if isinstance(target, str):
            newcomer = find(target, place, name)
        elif target is not None:
            newcomer = of_class(target, place, name)
        settings: dict[str, Any] = {"workers": workers, "scheduler": scheduler}
        return on_table(table, hidden, rates, draws, newcomer, **settings)
    asked = Asked(tuple(map(float, rates)), draws, workers, scheduler)
    asked.check()
    request: dict[str, Any] = {"asked": asdict(asked), "place": place, "name": name}
    if isinstance(target, str):
        request["target"] = target
    elif isinstance(target, type):
        sources = sources_of(target)
        request |= {"main": sources.main, "texts": dict(sources.texts), "cls": target.__name__}
    else:
        raise BenchError(f"{type(target).__name__} is no class; give the class, not a layer of it")
    with tempfile.TemporaryDirectory() as folder:
        request["answer"] = str(answer := Path(folder, "answer.json"))
        _run(json.dumps(request))
        if not answer.is_file():
            raise BenchError("the trial was ended from outside; the same call goes on from there")
        content = answer.read_text(encoding="utf-8")
    if error := json.loads(content).get("error"):
        raise BenchError(error)
    return Trial.model_validate_json(content)


def _run(request: str) -> None:
    """Call the child, and print what it says as it says it: also where there is no terminal."""
    environment = dict(os.environ)
    for forced in ("FORCE_COLOR", "CLICOLOR_FORCE", "TTY_COMPATIBLE"):  # Jupyter sets these: what
        environment.pop(forced, None)  # moves a terminal's cursor is a new line there each time
    places = [str(PACKAGE.parent), *filter(None, [environment.get("PYTHONPATH")])]
    environment["PYTHONPATH"] = os.pathsep.join(places)
    with subprocess.Popen(  # noqa: S603 (this Python, and a line of our own)
        [sys.executable, "-c", _CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        env=environment,
    ) as process:
        asked, told = cast("IO[str]", process.stdin), cast("IO[str]", process.stdout)
        try:
            with asked:
                asked.write(request)
            for line in told:
                print(line, end="", flush=True)
        except BaseException:
            process.terminate()
            raise
