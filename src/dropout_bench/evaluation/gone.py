"""Tables of experiments that are gone."""

import shutil
from collections.abc import Container
from pathlib import Path


def remove_gone(results: Path, experiments: Container[str]) -> list[Path]:
    """Remove the tables of experiments that are gone, and return their folders.

    A folder that is not tables alone is somebody else's, and stays.

    Args:
        results: the folder of all results.
        experiments: those that there are.
    """
    gone = [
        folder
        for folder in sorted(results.glob("*/"))
        if folder.name not in experiments
        and all(path.suffix in {".csv", ".json"} for path in folder.iterdir())
    ]
    for folder in gone:
        shutil.rmtree(folder)
    return gone
