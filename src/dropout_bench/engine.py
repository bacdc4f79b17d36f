"""Where many independent jobs are done at once: Dask, on this machine or on a cluster.

Nothing here knows what a run is. A job is a call of a function with picklable arguments whose
result comes back as a value, so workers share no file system with the caller.
"""

import contextlib
import ctypes
import functools
import gc
import itertools
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from multiprocessing import forkserver
from typing import Any, ClassVar, TypeVar

import dask
import psutil
from distributed import (
    Client,
    Future,
    KilledWorker,
    LocalCluster,
    Security,
    Worker,
    WorkerPlugin,
    as_completed,
)
from distributed.utils import get_mp_context
from rich import progress
from rich.console import Console
from rich.text import Text

from dropout_bench.errors import BenchError
from dropout_bench.numerics import pin_environment
from dropout_bench.sharing import Shared, asked

_DVC_STAGE = "DVC_STAGE"  # what DVC calls the stage, in the environment of its command
_LOG_EVERY = 10.0  # seconds between lines of progress where output is no terminal
_PULSE = 50.0  # seconds after which a line is repeated though no job is finished
_PATIENCE = 10.0  # seconds to wait for a worker before saying so

_GONE = "the Dask scheduler is gone; what is finished is kept: start it again, and repeat"

Result = TypeVar("Result")


def cores() -> int:
    """Number of processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_SETTINGS = {
    "distributed.worker.multiprocessing-method": "forkserver",
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
    # A worker has one job and no queue: if it dies, no other job is blamed with the one it did.
    "distributed.scheduler.worker-saturation": 1.0,
    # A job computes on its core for seconds: what Dask measures meanwhile is time lost.
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "500ms",
}


@contextmanager
def workers(
    modules: str | Sequence[str], scheduler: str | None = None, count: int | None = None
) -> Iterator[Client]:
    """Connect to a scheduler, or start a worker process for each core of this machine.

    Args:
        modules: those whose functions local workers will call; they start with them imported.
        scheduler: address of a running Dask scheduler, or of who lends one
            (:mod:`dropout_bench.sharing`), else ``$DROPOUT_BENCH_SCHEDULER``.
        count: number of local workers; one per core without it.

    Raises:
        BenchError: no scheduler answers at that address.
    """
    _stop_with_dvc()
    shared = asked(scheduler)
    for name in ("distributed", "distributed.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what goes wrong is told by us, once
    with dask.config.set(_SETTINGS):
        if shared:
            try:
                client = Client(shared.scheduler, timeout=10, security=_security(shared))
            except (OSError, ValueError, TimeoutError, TypeError) as error:
                raise BenchError(
                    f"no Dask scheduler answers at {shared.scheduler} ({error}); start one with: "
                    "dask scheduler --host 127.0.0.1"
                ) from error
            with client:
                client.register_plugin(_Pinned())
                yield client
            return
        import_once_for_all(modules)
        # Whoever may connect runs what they like in the workers: on a machine that others use too,
        # nobody may but who has the keys, which are made for this cluster and written nowhere.
        security = Security.temporary()
        with (
            LocalCluster(
                n_workers=count or cores(),
                threads_per_worker=1,
                host="127.0.0.1",
                protocol="tls",
                security=security,
                dashboard_address="127.0.0.1:0",  # any free port: two sweeps do not meet there
                silence_logs=logging.CRITICAL,
            ) as cluster,
            Client(cluster) as client,
        ):
            _OURS[cluster.scheduler_address] = security
            try:
                yield client
            finally:
                del _OURS[cluster.scheduler_address]


class _Pinned(WorkerPlugin):
    """Pins the numeric environment of a worker that somebody else started, before its first job."""

    name = "dropout-bench: numeric environment"

    def setup(self, worker: Worker) -> None:
        pin_environment()


def import_once_for_all(modules: str | Sequence[str]) -> None:
    """Start the process that workers are forked from, with modules imported; do not wait for it.

    Importing torch and Lightning takes seconds and 400 MB, so it is done once for all workers.
    Nothing has computed, or started a thread, in the process that is forked.
    """
    with dask.config.set(_SETTINGS):
        get_mp_context()  # sets Dask's own list of modules, which the next line replaces
    names = [modules] if isinstance(modules, str) else modules
    # The environment is pinned first: torch reads it when it is loaded.
    multiprocessing.set_forkserver_preload(["dropout_bench.pinned", "distributed", *names])
    # Ctrl-C goes to the workers too. They leave it to this process to stop them.
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    forkserver.ensure_running()
    signal.signal(signal.SIGINT, handler)


def _stop_with_dvc() -> None:
    """End this process when the DVC that called it is gone: killed outright it leaves its stages.

    A command that was started by hand, in the background of a shell, goes on when that is gone.
    """
    if _DVC_STAGE not in os.environ:
        return
    # DVC's own environment lacks what it gives its stages; a shell between it and us has it.
    with contextlib.suppress(StopIteration, psutil.Error):
        us = psutil.Process()
        called, dvc = next(
            (process, parent)
            for process, parent in itertools.pairwise([us, *us.parents()])
            if _DVC_STAGE not in parent.environ()
        )
        threading.Thread(target=_stop_without, args=(called, dvc.pid), daemon=True).start()


def _stop_without(called: psutil.Process, parent: int) -> None:
    with contextlib.suppress(psutil.Error):
        while called.ppid() == parent:
            time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


_ALONE = threading.Lock()


def _do(function: Callable[..., Result], *arguments: Any) -> Result:
    """Do a job in a worker: alone in its process, and without leaving anything behind.

    Two jobs at once in one process share torch's threads and random state; a worker started with
    several threads does them one after the other. A finished training is a heap of reference
    cycles that hold its data: they are collected at once, not when Python comes to it.
    """
    with _ALONE:
        _prepare()
        try:
            return function(*arguments)
        finally:
            gc.collect()


_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt, as malloc.h has them


@functools.cache
def _prepare() -> None:
    """Set imported modules apart, and have malloc keep what is freed.

    Dask has it give memory back at once, and a training asks for it again at once: under Dask's
    setting a run takes nearly twice as long.
    """
    gc.freeze()  # what was imported is never garbage; without it a collection takes 0.25 s
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(_TRIM_THRESHOLD, 2**30)
        libc.mallopt(_MMAP_THRESHOLD, 2**25)  # the largest that there is


def address_of(client: Client) -> str:
    """Return the address of the scheduler, which this process can use by it."""
    return str(client.scheduler_info(n_workers=0)["address"])


_KEYS = ("tls_ca_file", "tls_client_cert", "tls_client_key")
_OURS: dict[str, Security] = {}  # of schedulers that this process started, by their addresses


def _security(shared: Shared) -> Security | None:
    if not shared.keys:
        return _OURS.get(shared.scheduler)
    return Security(require_encryption=True, **dict(zip(_KEYS, shared.keys, strict=True)))


def shared_by(client: Client) -> Shared:
    """Return the scheduler of a client, and what other processes need to use it."""
    keys = (getattr(client.security, name) for name in _KEYS)
    return Shared(address_of(client), tuple(key for key in keys if key))


def ask(client: Client, function: Callable[[], Result]) -> Result:
    """Return what ``function`` says on a worker, as soon as there is one."""
    future = client.submit(_do, function, pure=False)
    try:
        try:
            future.result(timeout=_PATIENCE)
        except TimeoutError:
            print(
                "waiting for a worker; to start one: dask worker ADDRESS --nthreads 1", flush=True
            )
        answer: Result = future.result()
    except CancelledError as error:
        raise BenchError(_GONE) from error
    return answer


def done(
    client: Client,
    function: Callable[..., Result],
    jobs: Mapping[str, tuple[Any, ...]],
    progress: "Progress",
) -> Iterator[tuple[str, Result | BaseException]]:
    """Call ``function`` with each job's arguments; yield name and result as each is finished.

    A job that raises, or that kills its worker again and again, yields its exception; the others
    go on. A job whose worker is lost is started again elsewhere.
    """
    with warnings.catch_warnings():
        # The weights of a large network go to its worker once: that is what is meant here.
        warnings.filterwarnings("ignore", "Sending large graph")
        names = {
            client.submit(_do, function, *arguments, pure=False): name
            for name, arguments in jobs.items()
        }
    progress.started(len(client.scheduler_info(n_workers=-1)["workers"]))
    future: Future[Result]
    for future in (finished := as_completed(list(names), raise_errors=False)):
        status = future.status
        if status == "cancelled":
            raise BenchError(_GONE)
        if status not in {"finished", "error"}:
            finished.add(future)  # lost with its worker before it was fetched: it is done again
            continue
        name = names.pop(future)
        failed = status == "error"
        outcome = future.exception() if failed else future.result()
        # Kept futures would be computed again if the worker that holds them dies.
        future.release()
        del future
        progress.count(failed)
        yield name, outcome


def told(error: BaseException) -> str:
    """Tell a job's exception: with its trace from the worker, unless the user can mend it."""
    if isinstance(error, BenchError):
        return str(error)
    if isinstance(error, KilledWorker):
        return (
            f"It ended the worker process {error.allowed_failures + 1} times, by a crash or for "
            "want of memory; the machine's log (dmesg) may say which."
        )
    return "".join(traceback.format_exception(error)).rstrip()


class Progress(progress.Progress):
    """One line on how far a sweep is: kept in place on a terminal, repeated in a log file.

    ``total`` is the number of all jobs, ``reused`` of those whose result was there already.
    """

    place: ClassVar[str] = ""
    """where the sweep stands in something larger, before its title: ``[7 of 28] ``"""
    outlook: ClassVar[Callable[[int], str]] = staticmethod(lambda workers: "")
    """what is left of that something for so many workers, in words at the end of the line"""

    def __init__(self, title: str, total: int, reused: int = 0) -> None:
        self.title, self.total, self.reused = title, total, reused
        self.done = self.failed = self.workers = 0
        self._since = time.monotonic()
        self._over = threading.Event()
        width = None if sys.stdout.isatty() else 200
        console = Console(file=sys.stdout, highlight=False, width=width)
        super().__init__(console=console, refresh_per_second=2)

    def start(self) -> None:
        """Show the line from now on."""
        super().start()
        if not self.console.is_terminal:
            threading.Thread(target=self._repeat, daemon=True).start()

    def stop(self) -> None:
        """Show the line a last time."""
        self._over.set()
        super().stop()

    def started(self, workers: int) -> None:
        """Say that the jobs are handed to so many workers."""
        self.workers, self._since = workers, time.monotonic()

    def count(self, failed: bool) -> None:
        """Count one more job."""
        self.done += not failed
        self.failed += failed

    def get_renderables(self) -> Iterator[Text]:
        """Write the line: done, running, failed, reused, throughput and time left."""
        finished = self.done + self.failed
        left = self.total - self.reused - finished
        line = (
            f"{self.place}{self.title}: {self.done} done, {min(left, self.workers)} running, "
            f"{self.failed} failed, {self.reused} reused, of {self.total}"
        )
        elapsed = time.monotonic() - self._since
        if self.workers:
            line += f" · {finished / elapsed:.2f} runs/s" if finished else ""
            line += f" · {left * elapsed / finished:.0f} s left" if finished * left else ""
            line += "" if finished * left else f" · {elapsed:.0f} s"
            line += type(self).outlook(self.workers) if left else ""
        yield Text(line, no_wrap=True, overflow="ellipsis")

    def _repeat(self) -> None:
        said, at = -1, 0.0
        while not self._over.is_set():
            finished, now = self.done + self.failed, time.monotonic()
            if finished != said or now - at > _PULSE:
                said, at = finished, now
                self.print(*self.get_renderables())
            self._over.wait(_LOG_EVERY)
