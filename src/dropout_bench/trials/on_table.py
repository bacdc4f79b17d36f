"""Does dropout help on a table from outside? Trained, chosen and judged as the benchmark does.

Arms are compared draw by draw: a draw is a split of the table, initial weights and an order of the
rows, which all arms share. What is part of an arm, dropout's rate and, without it, the step size,
is chosen on validation at each draw, among as many candidates.
"""

import functools
import math
import platform
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from pydantic import ValidationError

from dropout_bench import engine
from dropout_bench.analysis.claims import LEAST_SEEDS
from dropout_bench.catalogue.source import NAME, digest_of
from dropout_bench.errors import BenchError
from dropout_bench.params.variants import module_of
from dropout_bench.training.keys import library_versions
from dropout_bench.training.store import default_store
from dropout_bench.trials import place
from dropout_bench.trials.fits import Fit, Fitted, kept_in, key
from dropout_bench.trials.newcomer import Newcomer, of_class
from dropout_bench.trials.table import LEAST, Table
from dropout_bench.trials.verdict import TableResult

if TYPE_CHECKING:
    from torch import nn

HIDDEN = (256, 128)
RATES = (0.2, 0.35, 0.5)
DRAWS = 12
LEARNING_RATE = 1e-3
ROWS = 20_000
"""Rows that a draw takes of a longer table."""
STEPS = 10_000

_TIMES = (1.0, 0.5, 2.0, 0.7, 1.4, 0.35, 2.8, 0.25, 4.0)
"""Factors of the step size that the arm without dropout chooses among, the first ones."""
_WIDEST, _DEEPEST = 8192, 20
WORKED_WITH = "dropout_bench.trials.fitting"
"""What workers start with imported."""


class _Arm(NamedTuple):
    """An arm: its network, a name or a newcomer, and its candidates."""

    variant: str | Newcomer
    candidates: tuple[tuple[float, float], ...]
    """dropout rate and factor of the step size"""


def on_table(
    table: Table,
    hidden: Sequence[int] = HIDDEN,
    rates: Sequence[float] = RATES,
    draws: int = DRAWS,
    variant: "Newcomer | type[nn.Module] | None" = None,
    *,
    learning_rate: float = LEARNING_RATE,
    rows: int = ROWS,
    steps: int = STEPS,
    workers: int | None = None,
    scheduler: str | None = None,
) -> TableResult:
    """Try dropout, and a variant from outside if one is given, on a table.

    What was trained before is taken from the cache: a second call trains nothing.

    Args:
        table: the data; see :func:`dropout_bench.trials.table.of_arrays`.
        hidden: units of each hidden layer.
        rates: dropout rates to choose among, on validation, at each draw.
        draws: number of draws; there are looks at 12, 24 and 48.
        variant: a layer, or a variant, from outside, compared beside dropout.
        learning_rate: step size of Adam.
        rows: of a longer table each draw takes so many rows.
        steps: optimiser steps at most.
        workers: local worker processes; one per core without a number.
        scheduler: address of a running Dask scheduler on this machine.

    Raises:
        BenchError: a setting cannot be, or trainings failed; the others are kept.
    """
    newcomer = of_class(variant) if isinstance(variant, type) else variant
    arms = _arms(rates, newcomer)
    if draws < LEAST_SEEDS:
        raise BenchError(f"draws: {draws}; a comparison needs {LEAST_SEEDS} at least")
    _check_rows(table, rows)
    taken = rows if rows < len(table) else None
    asked = {
        f"{arm}, draw {draw}, candidate {number + 1}": (arm, draw, number, candidate)
        for draw in range(draws)
        for arm, its in arms.items()
        for number, candidate in enumerate(its.candidates)
    }
    fits = {
        call: _settings(
            draw=draw,
            hidden=tuple(hidden),
            dropout=(rate,) * len(hidden),
            learning_rate=learning_rate * times,
            rows=taken,
            steps=steps,
        )
        for call, (_, draw, _, (rate, times)) in asked.items()
    }
    variants = {call: arms[arm].variant for call, (arm, *_) in asked.items()}
    fitted, device = _all_fitted(table, fits, variants, workers, scheduler)
    found = [
        _row(arm, draw, number, fits[call], fitted[call])
        for call, (arm, draw, number, _) in asked.items()
    ]
    curves = {
        (arm, draw, number): _by_step(fitted[call])
        for call, (arm, draw, number, _) in asked.items()
    }
    settings = {
        "hidden": list(hidden),
        "rates": list(rates),
        "draws": draws,
        "learning_rate": learning_rate,
        "rows": taken,
        "steps": steps,
        "device": device,
        **library_versions(),
    }
    notes = list(table.notes)
    if taken:
        notes.append(f"each draw takes {taken:,} of {len(table):,} rows (--rows)")
    return TableResult(table, settings, pd.DataFrame(found), curves, tuple(notes))


def _arms(rates: Sequence[float], newcomer: Newcomer | None) -> dict[str, _Arm]:
    if not rates or len(set(rates)) < len(rates) or not all(0 < rate < 1 for rate in rates):
        told = ", ".join(f"{rate:g}" for rate in rates) or "none"
        raise BenchError(
            f"rates: {told}; give different numbers between 0 and 1, such as 0.2,0.35,0.5 "
            "(0 is no dropout, which is compared with anyway)"
        )
    if len(rates) > len(_TIMES):
        raise BenchError(f"rates: {len(rates)} to choose among; give {len(_TIMES)} at most")
    chosen = tuple((float(rate), 1.0) for rate in rates)
    arms = {
        "none": _Arm("standard", tuple((0.0, times) for times in _TIMES[: len(rates)])),
        "dropout": _Arm("dropout", chosen),
    }
    if newcomer is not None:
        if newcomer.name in arms:
            raise BenchError(f'"{newcomer.name}" is an arm already; name it: --name my-dropout')
        arms[newcomer.name] = _Arm(newcomer, chosen)
    return arms


def _settings(**given: Any) -> Fit:
    widths = given["hidden"]
    if not 0 < len(widths) <= _DEEPEST or not all(0 < width <= _WIDEST for width in widths):
        told = ",".join(map(str, widths)) or "none"
        raise BenchError(
            f"hidden: {told}; give 1 to {_DEEPEST} layers of 1 to {_WIDEST} units, such as 256,128"
        )
    try:
        return Fit.model_validate(given)
    except ValidationError as error:
        fault = error.errors()[0]
        name = ".".join(map(str, fault["loc"]))
        raise BenchError(f"{name}: {fault['msg']} (given: {fault['input']})") from error


def _check_rows(table: Table, rows: int) -> None:
    if rows >= len(table):
        return
    label, count = min(table.counts.items(), key=lambda item: item[1])
    share = count * rows / len(table)
    if share < LEAST:
        needed = math.ceil(LEAST * len(table) / count)
        raise BenchError(
            f"{table.name}: of {len(table):,} rows a draw takes {rows:,}, and of class {label}, "
            f"which has {count:,}, that is {share:.1f}; {LEAST} are needed: give --rows {needed}, "
            "or leave the class out"
        )


def _row(arm: str, draw: int, number: int, settings: Fit, fitted: Fitted) -> dict[str, Any]:
    return {
        "draw": draw,
        "arm": arm,
        "candidate": number,
        "dropout": settings.dropout[0],
        "learning_rate": settings.learning_rate,
        **fitted.figures,
        "epochs": len(fitted.curves["val/loss"]),
        "best_epoch": fitted.best_epoch,
        "unfinished": fitted.unfinished,
        "seconds": round(fitted.seconds, 2),
    }


def _by_step(fitted: Fitted) -> pd.DataFrame:
    """Return curves by the number of optimiser steps."""
    epochs = len(fitted.curves["val/loss"])
    steps = pd.RangeIndex(fitted.steps, (epochs + 1) * fitted.steps, fitted.steps, name="steps")
    return pd.DataFrame(fitted.curves, index=steps)


# Training.


def _all_fitted(
    table: Table,
    fits: Mapping[str, Fit],
    variants: Mapping[str, str | Newcomer],
    workers: int | None,
    scheduler: str | None,
) -> tuple[dict[str, Fitted], str]:
    """Return what each training leaves, from the cache where it has it, and the device."""
    kept = kept_in(default_store(place.home()))
    title = f"try {table.name}"
    count = min(workers or engine.cores(), len(fits))
    found: dict[str, Fitted] = {}
    failures: dict[str, BaseException] = {}
    with _no_main(), engine.workers(WORKED_WITH, scheduler, count) as client:
        identities = _identities(table, fits, variants, device := engine.ask(client, _device))
        keys = {call: key(**identity) for call, identity in identities.items()}
        for call, name in keys.items():
            if (fitted := kept.get(name)) is not None:
                found[call] = fitted
        with (
            tempfile.TemporaryDirectory() as folder,
            engine.Progress(title, len(fits), reused=len(found)) as progress,
        ):
            np.save(Path(folder, "x.npy"), table.x)
            np.save(Path(folder, "y.npy"), table.y)
            shared = (folder, len(table.classes))
            missing = {
                call: (*shared, settings, variants[call], identities[call], f"{title}: {call}")
                for call, settings in fits.items()
                if call not in found
            }
            for call, outcome in engine.done(client, _fit, missing, progress):
                if isinstance(outcome, Fitted):
                    found[call] = outcome
                    kept.put(keys[call], outcome, identities[call])
                else:
                    failures[call] = outcome
    if failures:
        call, error = next(iter(failures.items()))
        raise BenchError(
            f"{title}: {len(failures)} of {len(fits)} trainings failed; the others are kept. "
            f"The first, {call}:\n{engine.told(error)}"
        )
    return found, device


class _no_main:  # noqa: N801 (a context manager, used as a function)
    """Keep workers from running the caller's script, which they have nothing to do with.

    A process that Python starts imports the script that it was started from; in one without
    ``if __name__ == "__main__"`` each worker would begin this trial again.
    """

    def __enter__(self) -> None:
        self.main = sys.modules["__main__"]
        self.hidden = {
            name: getattr(self.main, name)
            for name in ("__file__", "__spec__")
            if hasattr(self.main, name)
        }
        for name in self.hidden:
            setattr(self.main, name, None)

    def __exit__(self, *_: object) -> None:
        for name, value in self.hidden.items():
            setattr(self.main, name, value)


def _identities(
    table: Table, fits: Mapping[str, Fit], variants: Mapping[str, str | Newcomer], device: str
) -> dict[str, dict[str, Any]]:
    """Return all that each training depends on."""
    return {
        call: {
            "data": table.digest,
            "fit": settings.model_dump(mode="json"),
            **_of_variant(variants[call]),
            **_here(device),
        }
        for call, settings in fits.items()
    }


def _here(device: str) -> dict[str, Any]:
    return {"code": _code(), "device": device, "libraries": library_versions()}


@functools.cache
def _code() -> str:
    return digest_of(WORKED_WITH.removeprefix(f"{NAME}."))


def _of_variant(variant: str | Newcomer) -> dict[str, Any]:
    """Return what a variant adds to all that a training depends on."""
    if isinstance(variant, str):
        return {"variant": digest_of(module_of(variant))}
    return {"variant": variant.digest, "its libraries": variant.sources.libraries()}


def _device() -> str:
    from dropout_bench.training.run import device_in_use  # in the worker: torch is loaded there

    return device_in_use()


@functools.lru_cache(maxsize=1)
def _mapped(folder: str) -> tuple[Any, Any]:
    import torch

    try:
        # Copy-on-write, since torch wants writable memory; nothing is ever written, so all
        # processes share it.
        x, y = (np.load(Path(folder, f"{name}.npy"), mmap_mode="c") for name in "xy")
    except FileNotFoundError as error:
        raise BenchError(
            f"{error.filename}: not seen by the worker on {platform.node()}; a table is tried with "
            "workers of this machine: leave --scheduler and $DROPOUT_BENCH_SCHEDULER out"
        ) from error
    return torch.from_numpy(x), torch.from_numpy(y)


def _fit(
    folder: str,
    classes: int,
    settings: Fit,
    variant: str | Newcomer,
    identity: Mapping[str, Any],
    name: str,
) -> Fitted:
    # In the worker: torch is loaded there.
    from dropout_bench.models.variants import variant_class
    from dropout_bench.trials.fitting import fit

    if different := [at for at, value in _here(_device()).items() if identity[at] != value]:
        raise BenchError(
            f"the worker on {platform.node()} has other {', '.join(different)} than the others; "
            "give all workers the same"
        )
    kind = variant_class(variant) if isinstance(variant, str) else variant.load()
    x, y = _mapped(folder)
    return fit(x, y, classes, settings, kind, name)
