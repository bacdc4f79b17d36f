"""Trains every variant a little and prints a digest of each; see ``test_bits.py``.

``make bits`` writes them to ``digests.json``; with a folder as its argument, of the data there.
"""

import hashlib
import json
import sys
import tempfile
import warnings
from pathlib import Path

from conftest import make_dataset

import dropout_bench.pinned  # noqa: F401 (before torch is loaded)
from dropout_bench.params.experiment import Experiment
from dropout_bench.params.variants import VARIANTS, counterpart
from dropout_bench.training.keys import library_versions
from dropout_bench.training.run import device_in_use, train

SETTINGS = {
    "dataset": "mnist",
    "train_size": 200,
    "validation": 0.2,
    "hidden": [24, 16],
    "learning_rate": 1e-2,
    "batch_size": 32,
    "epochs": 2,
    "seeds": [3],
    "input_noise": 0.1,
    "shift": 1,
    "max_norm": 2.0,
    "l1": 1e-5,
    "l2": 1e-4,
    "learning_rate_decay": "linear",
}

OF_IMAGES = {"wrong_labels": 0.2, "rare": 4}
"""Options that change what is trained on; with them one variant is trained besides."""


def digests(raw: Path) -> dict[str, str]:
    """Digest what each variant's training leaves; and name the device and the libraries."""
    found = {"device": device_in_use(), **library_versions()}
    trained = {variant: (variant, SETTINGS) for variant in sorted(VARIANTS)}
    trained["dropout, other images"] = ("dropout", SETTINGS | OF_IMAGES)
    for name, (variant, settings) in trained.items():
        without = counterpart(variant) is None
        noise = {"dropout": [0.0]} if without else {"dropout": ["0.5/0.3"], "input_dropout": [0.1]}
        experiment = Experiment.model_validate(settings | noise | {"variants": [variant]})
        (run,) = experiment.runs()
        files = train(run, raw).files
        content = b"".join(files[name] for name in sorted(files))
        found[name] = hashlib.sha256(content).hexdigest()[:32]
    return found


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        if not sys.argv[1:]:
            make_dataset(Path(folder, "mnist"))
        print(json.dumps(digests(Path(*sys.argv[1:] or [folder])), indent=1))
