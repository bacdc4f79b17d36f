"""Pictures behind the figures: what hidden units look for, and images that networks differ on.

A picture is a row of ``pictures.csv``, its pixels a byte each, written in hexadecimal.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dropout_bench.data.arrays import open_split
from dropout_bench.params.arms import Job
from dropout_bench.params.experiment import Experiment
from dropout_bench.tables.write import Row

EXAMPLES = 6
"""Examples a cell, of either kind."""


def features(experiment: Experiment, drawn: Mapping[Job, Sequence[bytes]]) -> Iterator[Row]:
    """List the weights into hidden units of each cell at the experiment's first seed."""
    for job, units in drawn.items():
        if job.run.seed == experiment.seeds[0]:
            for number, pixels in enumerate(units):
                about: Row = {"kind": "feature", "number": number, "pixels": pixels.hex()}
                yield job.cell.row() | about


def examples(experiment: Experiment, predicted: Mapping[Job, bytes], raw: Path) -> Iterator[Row]:
    """List the test images on which each cell differs most from the one without dropout.

    Those are the images that most seeds more get right with dropout than without, and the other
    way round; of equals the first in the test set. The column ``predicted`` is the class that the
    runs of the side that errs more take them for most often; the argument has the class of every
    test image, by run, or nothing where it was not asked for.
    """
    if not all(predicted.values()):
        return
    classes = np.array(experiment.resolved_classes)
    images, labels = open_split(raw / experiment.datasets[0], "test")
    chosen = np.isin(labels, classes)
    images, truth = images[chosen], labels[chosen]
    by_cell = {
        cell: np.array([classes[list(seen)] for job, seen in predicted.items() if job.cell == cell])
        for cell in experiment.cells()
    }
    for cell, with_it in by_cell.items():
        base = experiment.without_dropout(cell)
        if base is None:
            continue
        without = by_cell[base]
        right_with, right_without = (with_it == truth).sum(0), (without == truth).sum(0)
        gain = right_with - right_without
        for kind, order, wrong in (
            ("right with dropout", np.argsort(-gain, kind="stable"), without),
            ("right without dropout", np.argsort(gain, kind="stable"), with_it),
        ):
            for number, image in enumerate(order[:EXAMPLES].tolist()):
                yield {
                    **cell.row(),
                    "kind": kind,
                    "number": number,
                    "true": int(truth[image]),
                    "predicted": _most_often(wrong[:, image], truth[image]),
                    "right_without": int(right_without[image]),
                    "right_with": int(right_with[image]),
                    "pixels": images[image].tobytes().hex(),
                }


def _most_often(predicted: NDArray[np.int64], truth: int) -> int:
    """Return the wrong class that is predicted most often; the true one if none ever is."""
    wrong = predicted[predicted != truth]
    return int(np.bincount(wrong).argmax()) if len(wrong) else int(truth)
