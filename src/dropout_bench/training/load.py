"""A trained network, by the name of its run."""

from pathlib import Path

from safetensors import SafetensorError

from dropout_bench.errors import BenchError, did_you_mean, one_line
from dropout_bench.models.base import MLP
from dropout_bench.params.file import Params, load_params, project_root
from dropout_bench.training.run import load_weights, network_of
from dropout_bench.training.store import weights_file


def load_run(name: str, root: Path | str | None = None) -> MLP:
    """Return the trained network of a run, in evaluation mode.

    ``load_run("fashion-tutorial/dropout/dropout=0.5/seed=0")`` gives the network whose figures
    stand in the tables: with the weights that its experiment evaluates.

    Args:
        name: the run's folder in ``runs/``: experiment, variant, what varies, seed.
        root: the project's folder; without it the current one, or the nearest above it.

    Raises:
        BenchError: there is no such run in ``params.yaml``, or its weights are not here, not whole
            or those of another network.
    """
    folder = Path(root) if root is not None else project_root()
    params = load_params(folder / Params.file)
    of, _, rest = name.strip("/").partition("/")
    experiment = params.experiment(of)
    jobs = {job.name: job for job in experiment.jobs()}
    if rest not in jobs:
        raise BenchError(f'{of} has no run "{rest}"; {did_you_mean(rest, jobs)}')
    path = folder / "runs" / of / rest / weights_file(jobs[rest])
    try:
        network = load_weights(network_of(jobs[rest].run), path.read_bytes())
    except OSError as error:
        raise BenchError(f"{path}: no trained weights; run: dvc repro") from error
    except (SafetensorError, RuntimeError) as error:
        raise BenchError(f"{path}: damaged ({one_line(error)}); run: dvc repro") from error
    return network.eval()
