"""Let ``import torchvision`` succeed beside a CPU-only torch.

torchvision's Linux wheels are built against CUDA. Beside a CPU-only torch their compiled extension
cannot be loaded, its operators stay undeclared, and ``import torchvision`` (so ``import lightning``
and ``import torchmetrics`` too) fails with «operator torchvision::nms does not exist»
(https://github.com/pytorch/vision/issues/9085). This project uses none of those operators, so
declaring the two schemas that the import looks for is enough. Where the extension loads, as with a
matching CUDA build, nothing is declared.

The work is put off until something imports torchvision: this module costs nothing otherwise.
"""

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_libraries: list[Any] = []  # a torch Library's declarations live as long as it does


class _BeforeTorchvision(importlib.abc.MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname == "torchvision":
            sys.meta_path.remove(self)
            spec = importlib.machinery.PathFinder.find_spec(fullname)
            if spec is not None and spec.origin is not None:
                _declare_unless_loadable(Path(spec.origin).parent)
        return None


def _declare_unless_loadable(torchvision_folder: Path) -> None:
    import torch

    try:
        for extension in torchvision_folder.glob("_C*"):
            torch.ops.load_library(extension)
            return
    except (OSError, RuntimeError):  # built for another torch: CUDA's libraries are not there
        pass
    library = torch.library.Library("torchvision", "FRAGMENT")
    for schema in _SCHEMAS:
        library.define(schema)
    _libraries.append(library)


def declare_when_needed() -> None:
    """Arrange for the schemas to be declared just before torchvision is first imported."""
    if "torchvision" not in sys.modules:
        sys.meta_path.insert(0, _BeforeTorchvision())
