"""Draw the pipeline, ``docs/images/pipeline.svg``: ``dvc dag``, with stages of one kind as one.

Stages that differ in an experiment or a dataset alone are one box, with their number. What stands
below its name is what it writes, as dvc.yaml has it.
"""

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import networkx as nx
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from ruamel.yaml import YAML

PROJECT = Path(__file__).parents[1]
PICTURE = PROJECT / "docs" / "images" / "pipeline.svg"
LINES, FILL, INK = "#555555", "#EAF3FA", "#222222"


class Pipeline(NamedTuple):
    """Kinds of stages: how many there are of each, what they write, and which needs which."""

    counts: dict[str, int]
    writes: dict[str, str]
    edges: set[tuple[str, str]]

    def labels(self) -> dict[str, str]:
        """Name each kind: ``train ×18``."""
        return {
            kind: f"{kind} ×{count}" if count > 1 else kind for kind, count in self.counts.items()
        }


def pipeline(root: Path) -> Pipeline:
    """Ask DVC for the graph of stages, and put together those of a kind."""
    words = [sys.executable, "-m", "dvc", "dag", "--mermaid"]
    done = subprocess.run(words, cwd=root, capture_output=True, text=True, check=True)  # noqa: S603
    kinds = {
        node: name.partition("@")[0]
        for node, name in re.findall(r'^\s*(node\d+)\["(.+)"\]$', done.stdout, re.MULTILINE)
    }
    edges = re.findall(r"^\s*(node\d+)-->(node\d+)$", done.stdout, re.MULTILINE)
    between = {(kinds[one], kinds[other]) for one, other in edges}
    described = YAML(typ="safe").load(root / "dvc.yaml")["stages"]
    writes = {kind: _written(described[kind]) for kind in set(kinds.values())}
    return Pipeline(dict(Counter(kinds.values())), writes, between)


def _written(stage: dict[str, object]) -> str:
    """Name what a stage writes: its first two places, without the name of the experiment."""
    its = stage.get("do", stage)
    outs = [next(iter(out)) if isinstance(out, dict) else out for out in its["outs"]]  # type: ignore[index]
    places = list(dict.fromkeys(out.partition("${")[0] for out in outs))
    return "\n".join(places[:2]) + (", …" if len(places) > 2 else "")


def draw(of: Pipeline, path: Path) -> None:
    """Draw it from left to right; the same graph gives the same bytes."""
    graph = nx.DiGraph(of.edges)
    columns = list(nx.topological_generations(graph))
    at = {
        kind: (2.6 * x, -1.2 * (y - (len(column) - 1) / 2))
        for x, column in enumerate(columns)
        for y, kind in enumerate(sorted(column))
    }
    labels = of.labels()
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "pipeline"})
    figure = Figure(figsize=(2.1 * len(columns), 1.8), facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    for kind, (x, y) in at.items():
        axes.text(
            x, y + 0.02, labels[kind], ha="center", va="bottom", color=INK, fontsize=12,
            fontweight="bold", gid=f"stage-{kind}",
        )  # fmt: skip
        axes.text(
            x, y - 0.04, of.writes[kind], ha="center", va="top", color=LINES, fontsize=9,
            linespacing=1.2,
        )  # fmt: skip
        box = FancyBboxPatch(
            (x - 0.95, y - 0.5), 1.9, 0.86, boxstyle="round,pad=0,rounding_size=0.08",
            facecolor=FILL, edgecolor=LINES, zorder=0,
        )  # fmt: skip
        axes.add_patch(box)
    for one, other in sorted(of.edges):
        axes.add_patch(_arrow(one, other, at))
    lowest, highest = (extreme(y for _, y in at.values()) for extreme in (min, max))
    axes.set(xlim=(-1.1, 2.6 * (len(columns) - 1) + 1.1), ylim=(lowest - 0.6, highest + 1.5))
    axes.set_axis_off()
    figure.savefig(path, metadata={"Date": None, "Creator": None})
    path.write_text(re.sub(r"[ \t]+$", "", path.read_text(), flags=re.MULTILINE))


def _arrow(one: str, other: str, at: dict[str, tuple[float, float]]) -> FancyArrowPatch:
    """Draw an arrow; one that passes a box goes above it."""
    (x, y), (to_x, to_y) = at[one], at[other]
    apart = round((to_x - x) / 2.6)
    begin, end = ((x + 0.95, y), (to_x - 0.95, to_y))
    bend = 0.0
    if apart > 1:
        begin, end, bend = (x + 0.3, y + 0.36), (to_x - 0.3, to_y + 0.36), -0.22
    return FancyArrowPatch(
        begin, end, arrowstyle="-|>", mutation_scale=11, color=LINES, linewidth=1.1,
        connectionstyle=f"arc3,rad={bend}", shrinkA=0, shrinkB=1, gid=f"{one}-to-{other}",
    )  # fmt: skip


if __name__ == "__main__":
    os.chdir(PROJECT)
    draw(pipeline(PROJECT), PICTURE)
