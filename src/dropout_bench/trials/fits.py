"""What a training on a table is asked and what it leaves, as values; and where they are kept."""

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dropout_bench.params.values import NotNegative, Positive, PositiveInt, Rate, Seed, Strict


class Fit(Strict):
    """One training on a table: all that its result depends on, but for data, code and machine."""

    draw: Seed
    """number of the draw: it gives the split, the initial weights, the order and the masks"""
    hidden: tuple[PositiveInt, ...]
    """units of each hidden layer"""
    dropout: tuple[Rate, ...]
    """rate of each hidden layer"""
    learning_rate: Positive
    """step size of Adam"""
    rows: PositiveInt | None = None
    """how many rows a draw takes; all of them without a number"""
    batch_size: PositiveInt = 32
    """rows per optimiser step"""
    steps: PositiveInt = 10_000
    """optimiser steps at most"""
    patience: PositiveInt = 10
    """training ends when the validation loss has not fallen for so many epochs,"""
    patience_steps: PositiveInt = 300
    """and for so many steps"""


class Fitted(Strict):
    """What a training on a table leaves."""

    figures: dict[str, NotNegative]
    """loss, in nats, and accuracy of the best weights on each part: ``test/loss``"""
    curves: dict[str, tuple[float, ...]]
    """the same by epoch, as seen while training, of the training and the validation part"""
    best_epoch: PositiveInt
    """epoch of the lowest validation loss, from 1"""
    limit: PositiveInt
    """epochs that there might have been"""
    steps: PositiveInt
    """optimiser steps of an epoch"""
    rows: tuple[int, int, int]
    """rows of training, validation and test"""
    seconds: NotNegative
    """time that training took"""

    @property
    def unfinished(self) -> bool:
        """Whether its limit cut it short: its best epoch lies in the last tenth."""
        return self.best_epoch > 0.9 * self.limit


def key(**identity: Any) -> str:
    """Return the key of all that a result depends on: 32 hexadecimal digits of a SHA-256."""
    canonical = json.dumps(identity, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]


def kept_in(store: Path) -> "Kept":
    """Return what a run store has of trials on tables; its runs are something else."""
    return Kept(store / ".tables")


class Kept:
    """Finished trainings by key, a file each, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def files(self) -> list[Path]:
        """List them."""
        return [*self.folder.glob("[!.]*.json")]

    def get(self, name: str) -> Fitted | None:
        """Return what is kept under a key; None where there is nothing, or it is damaged."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, ValidationError):
            kept = json.loads((self.folder / f"{name}.json").read_bytes())
            if _checksum(kept["fitted"]) == kept["sha256"]:
                return Fitted.model_validate(kept["fitted"])
        return None

    def put(self, name: str, fitted: Fitted, identity: Mapping[str, Any]) -> None:
        """Keep a finished training, whole or not at all."""
        content = fitted.model_dump(mode="json")
        about = {"identity": identity, "sha256": _checksum(content), "fitted": content}
        self.folder.mkdir(parents=True, exist_ok=True)
        unfinished = self.folder / f".{name}.{os.getpid()}"
        unfinished.write_text(json.dumps(about, indent=1))
        unfinished.replace(self.folder / f"{name}.json")


def _checksum(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
