"""What code each stage of the pipeline executes: ``reports/code.json``, the first stage's output.

The others depend on their digest in it, and not on folders of code, so that DVC runs again what a
change can reach: a comment, a docstring, a variant that an experiment does not use reach nothing.
"""

import hashlib
import json
from typing import Any

from dropout_bench.catalogue.datasets import DATASETS
from dropout_bench.catalogue.source import PACKAGE, digest_of, modules_in
from dropout_bench.evaluation.stage import measuring
from dropout_bench.params.experiment import Experiment
from dropout_bench.params.file import Params
from dropout_bench.training.keys import facts_of, modules_of

LAYOUT = {".jinja", ".css", ".js"}
"""Of the files of the report that are no Python, those that it is laid out with."""


def code_digests(params: Params) -> dict[str, str | dict[str, str]]:
    """Digest the code of each stage, by experiment or dataset where it has several instances."""
    download = digest_of("data.download", "data.digits")
    train = {name: _train(each) for name, each in params.experiments.items()}
    reports = digest_of(*modules_in("report"), *modules_in("quantities.derived"))
    laid_out = [file for file in (PACKAGE / "report").iterdir() if file.suffix in LAYOUT]
    return {
        "download": {name: _digest([download, vars(one)]) for name, one in DATASETS.items()},
        "train": train,
        "evaluate": {
            name: _digest([train[name], digest_of("evaluation.stage", *measuring(each.measures))])
            for name, each in params.experiments.items()
        },
        "report": _digest(
            [reports, *(file.read_text(encoding="utf-8") for file in sorted(laid_out))]
        ),
    }


def _train(experiment: Experiment) -> str:
    runs = {_digest([digest_of(*modules_of(run)), facts_of(run)]) for run in experiment.runs()}
    return _digest([digest_of("training.sweep"), *sorted(runs)])


def _digest(about: Any) -> str:
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:32]
