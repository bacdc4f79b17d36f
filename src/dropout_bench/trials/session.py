"""A trial from a target to a page: what the command does, and what Python's ``trial`` asks for."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import RenderableType

from dropout_bench import engine
from dropout_bench.data.download import Source, download
from dropout_bench.errors import BenchError
from dropout_bench.params.file import project_root
from dropout_bench.training.keys import library_versions
from dropout_bench.training.store import RunStore, default_store
from dropout_bench.trials import place
from dropout_bench.trials.compared import compared
from dropout_bench.trials.known import Known, known
from dropout_bench.trials.newcomer import Newcomer
from dropout_bench.trials.on_draws import DRAWS, RATES, WORKED_WITH, on_draws
from dropout_bench.trials.result import Difference, Told, Trial, chosen_among
from dropout_bench.trials.told import write_page

Say = Callable[[RenderableType], object]
MOST_DRAWS = 48


@dataclass(frozen=True)
class Asked:
    """How a newcomer is tried."""

    rates: tuple[float, ...] = RATES
    draws: int = DRAWS
    workers: int | None = None
    scheduler: str | None = None

    def check(self) -> None:
        """Check rates and draws.

        Raises:
            BenchError: they make no sense.
        """
        if not self.rates or not all(0 < rate < 1 for rate in self.rates):
            raise BenchError(f"rates {_words(self.rates)}: give one or more, above 0 and below 1")
        if len({*self.rates}) < len(self.rates):
            raise BenchError(f"rates {_words(self.rates)}: one is there twice; drop it")
        if not 2 <= self.draws <= MOST_DRAWS:
            raise BenchError(
                f"draws {self.draws}: at least 2 and at most {MOST_DRAWS}; 12, 24 and 48 are "
                "balanced"
            )


def _words(rates: Sequence[float]) -> str:
    return ", ".join(map(str, rates))


def read_rates(told: str) -> tuple[float, ...]:
    """Read ``0.2,0.5``.

    Raises:
        BenchError: these are no numbers.
    """
    try:
        return tuple(float(each) for each in told.split(",") if each.strip())
    except ValueError as error:
        raise BenchError(f'rates "{told}": write numbers with commas between: 0.2,0.5') from error


def session(find: Callable[[], Newcomer], asked: Asked, say: Say) -> tuple[Trial, Path]:
    """Find a newcomer, check its laws, try it, and write its page.

    Args:
        find: finds it; called after the workers have begun to start.
        asked: rates, draws, workers.
        say: is told what is found, as soon as it is.

    Returns:
        What was found, and the page.

    Raises:
        BenchError: it cannot be found, built, trained, or compared.
    """
    started = time.monotonic()
    asked.check()
    tables = place.tables()
    root = place.of_runs(tables)
    if not asked.scheduler:
        engine.import_once_for_all(WORKED_WITH)  # meanwhile:
    those = known(tables)
    newcomer = find()
    if newcomer.name in those.experiment.arms:
        raise BenchError(
            f'"{newcomer.name}" is the name of a known kind; give it another: --name my-dropout'
        )
    from dropout_bench.trials.laws import check_variant

    laws = check_variant(newcomer.load(), rates=asked.rates)
    say(laws)
    for name in those.experiment.datasets:
        download(name, root / "data" / "raw", lambda _: None)
    sources = {name: Source.of(name, root) for name in those.experiment.datasets}
    store = RunStore(default_store(root))
    with engine.workers(WORKED_WITH, asked.scheduler, asked.workers) as client:
        outcome = on_draws(newcomer, those, sources, store, client, asked.rates, asked.draws)
    trial = Trial(
        name=newcomer.name,
        what=_what(newcomer),
        candidates=chosen_among(outcome),
        draws=asked.draws,
        laws=tuple(Told(law=law.law, holds=law.told, means=law.means) for law in laws.laws),
        differences=tuple(map(Difference.of, compared(newcomer.name, outcome, those))),
        figures=tuple(outcome.own.to_dict("records")),
        diverged=outcome.diverged,
        again=outcome.again,
        checked=outcome.checked,
        trained=outcome.trained,
        seconds=round(time.monotonic() - started, 1),
        versions=_versions(newcomer, those),
    )
    return trial, write_page(trial, _pages() / newcomer.name)


def _what(newcomer: Newcomer) -> str:
    kind = f"a layer, {newcomer.place}" if newcomer.place else "a variant"
    return f"`{newcomer.cls}` of `{newcomer.sources.main}`, {kind}; code {newcomer.digest[:12]}."


def _versions(newcomer: Newcomer, those: Known) -> dict[str, str]:
    return library_versions() | newcomer.sources.libraries()


def _pages() -> Path:
    """Return the folder of all pages: in the current project, else in the current folder."""
    try:
        return project_root() / "trials"
    except BenchError:
        return Path("trials")
