"""What workers do of a trial: train a run and evaluate it, of a newcomer or of a known kind."""

from dropout_bench.data.download import Source
from dropout_bench.errors import BenchError
from dropout_bench.evaluation.metrics import evaluate
from dropout_bench.params.run import Run
from dropout_bench.tables.evaluation import EVALUATION
from dropout_bench.training.keys import Identity
from dropout_bench.training.result import BEST, CURVES, LAST, RunResult
from dropout_bench.training.run import Diverged, device_in_use, train
from dropout_bench.trials.newcomer import Newcomer

DIVERGED = "diverged"
"""The file that a training leaves whose loss did not stay finite: what happened, in words."""


def device() -> str:
    """Describe what this worker computes on."""
    return device_in_use()


def identity_of(newcomer: Newcomer | None, run: Run, source: Source, device: str) -> Identity:
    """Return a run's identity; without a newcomer it is of a known kind."""
    if newcomer is None:
        return Identity.here(run, source.digest, device)
    return newcomer.identity(run, source.digest, device)


def trained(newcomer: Newcomer | None, identity: Identity, source: Source) -> RunResult:
    """Train a run.

    Raises:
        BenchError: this worker is not like its caller, or the dataset cannot be had.
    """
    if newcomer is not None:
        newcomer.install()
    if identity_of(newcomer, identity.run, source, device_in_use()) != identity:
        raise BenchError("a worker has another device, other code or other libraries than others")
    try:
        result = train(identity.run, source.at_hand())
    except Diverged as error:
        return RunResult({DIVERGED: str(error).encode(), CURVES: b""}, identity.device)
    if LAST in result.files and BEST not in result.files:
        told = b"the validation loss was finite in no epoch"
        return RunResult({DIVERGED: told, CURVES: b""}, identity.device)
    return result


def evaluated(newcomer: Newcomer | None, run: Run, source: Source, weights: bytes) -> bytes:
    """Evaluate trained weights; what comes out is JSON of an evaluation."""
    if newcomer is not None:
        newcomer.install()
    return EVALUATION.dump_json(evaluate(run, source.at_hand(), weights, {}))
