"""What the bytes of a run depend on, and the key that stands for it."""

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from dropout_bench.catalogue.datasets import DATASETS
from dropout_bench.catalogue.optimisers import OPTIMISERS
from dropout_bench.catalogue.source import NAME, digest_of
from dropout_bench.params.options import active
from dropout_bench.params.run import Run
from dropout_bench.params.variants import module_of

LIBRARIES = ("lightning", "numpy", "safetensors", "scikit-learn", "torch", "torchmetrics")
"""Libraries whose output is part of what a run leaves, or decides it."""


def library_versions() -> dict[str, str]:
    """Versions of :data:`LIBRARIES`; a build's suffix such as ``+cpu`` left out."""
    return {name: _version(name) for name in LIBRARIES}


@functools.cache
def _version(library: str) -> str:
    return version(library).partition("+")[0]


def modules_of(run: Run) -> tuple[str, ...]:
    """Name the modules that train a run, besides those that they import."""
    options = (type(option).__module__.removeprefix(f"{NAME}.") for option in active(run))
    return ("training.run", module_of(run.variant), *options)


def facts_of(run: Run) -> dict[str, Any]:
    """Return the entries of the catalogue that a run uses."""
    return {
        "dataset": DATASETS[run.dataset].facts(),
        "optimiser": OPTIMISERS[run.optimiser].facts(),
    }


@dataclass(frozen=True)
class Identity:
    """All that the bytes of a run depend on: equal identities, equal bytes.

    Attributes:
        run: what is trained.
        data: digest of the dataset.
        device: what it is computed on, as :func:`~dropout_bench.training.run.device_in_use` says.
        code: digest of the code that trains it, comments and docstrings apart.
        libraries: versions of the libraries.
    """

    run: Run
    data: str
    device: str
    code: str
    libraries: tuple[tuple[str, str], ...]

    @classmethod
    def here(cls, run: Run, data: str, device: str) -> "Identity":
        """Return the identity that the run has under this process's code and libraries.

        Raises:
            OSError: the variant's file is gone.
        """
        versions = tuple(library_versions().items())
        return cls(run, data, device, digest_of(*modules_of(run)), versions)

    def as_json(self) -> dict[str, Any]:
        """Return it as values that JSON can hold.

        A value that stands at its default is left out: an option that is added later, and is
        neutral, changes no key. Of the entries of the catalogue, the used ones are in it.
        """
        return {
            "run": self.run.model_dump(mode="json", exclude_defaults=True),
            **facts_of(self.run),
            "data": self.data,
            "device": self.device,
            "code": self.code,
            "libraries": dict(self.libraries),
        }

    @property
    def key(self) -> str:
        """The run's key: 32 hexadecimal digits of a SHA-256."""
        return key_of(self.as_json())


def key_of(told: Mapping[str, Any]) -> str:
    """Return the key of an identity, as values that JSON can hold."""
    canonical = json.dumps(told, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]
