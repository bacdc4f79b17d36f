"""Small things to try, and a small project to try them in."""

from pathlib import Path

from project import bench, write_project

LAYER = """
import torch
from torch import nn


class MyDropout(nn.Module):
    def __init__(self, p):
        super().__init__()
        self.p = p

    def forward(self, x):
        if not self.training or self.p == 0:
            return x
        return x * (torch.rand_like(x) >= self.p) / (1 - self.p)
"""
VARIANT = """
from torch import nn

from dropout_bench.models.base import MLP
from dropout_bench.models.layers.dropout import Dropout


class Same(MLP):
    def hidden_layer(self, linear, rate, number):
        return [linear, nn.ReLU(), Dropout(rate, self.masks(number))]
"""
"""The known kind ``dropout``, as somebody else would write it."""

RATES = [0.2, 0.5]
KINDS = {
    "dataset": "mnist",
    "draw": {"train_size": {"low": 100, "high": 200}, "learning_rate": {"low": 3e-3, "high": 3e-2}},
    "draws": 3,
    "validation_images": 60,
    "hidden": [16, 8],
    "batch_size": 32,
    "epochs": 2,
    "checkpoint": "best",
    "arms": {
        "none": {"choose": {"times_learning_rate": [1.0, 0.5]}},
        "dropout": {"variant": "dropout", "choose": {"dropout": RATES}},
    },
}


def write_kinds(root: Path, workers: dict[str, str]) -> Path:
    """Make a project with tables to compare with."""
    write_project(root, kinds=KINDS)
    for command in ("train", "evaluate"):
        bench(root, command, "kinds", workers=workers)
    return root


def write(folder: Path, **texts: str) -> Path:
    """Write modules into a folder; return the file of the first one."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.py").write_text(text)
    return folder / f"{next(iter(texts))}.py"
