"""Every arm against the network without dropout, draw by draw."""

import numpy as np
from matplotlib.figure import Figure

from dropout_bench.analysis.drawn import Compared, compared
from dropout_bench.analysis.population import Population
from dropout_bench.report import text
from dropout_bench.report.figures import rates
from dropout_bench.report.figures.kind import Kind, along_axis
from dropout_bench.report.figures.style import INTERVAL, NEUTRAL, Colours, dots, panels, title
from dropout_bench.tables.read import Results


def draw(results: Results, colours: Colours) -> Figure:
    """Draw each arm's gain in test accuracy and loss: a dot a draw, the mean with its interval."""
    rows = by_gain(results)
    figure, axes = panels(2, 0.95 + 0.25 * len(rows), sharey=True, width_ratios=[1.25, 1])
    gains = ([row.accuracy for row in rows], [row.loss for row in rows])
    told = ([row.in_accuracy for row in rows], [row.in_loss for row in rows])
    for panel, values, populations in zip(axes, gains, told, strict=True):
        for place, (row, those) in enumerate(zip(rows, values, strict=True)):
            dots(panel, those, place, colours(row.cell))
            panel.text(
                1.02, place, _better(populations[place]), va="center",
                transform=panel.get_yaxis_transform(),
            )  # fmt: skip
        panel.axvline(0, color="black", lw=0.8)
        panel.text(
            1.02, -0.5, "better\nat", va="bottom", color=NEUTRAL,
            transform=panel.get_yaxis_transform(),
        )  # fmt: skip
    several = len({row.than.label for row in rows}) > 1
    names = [f"{r.cell.label} against {r.than.label}" if several else r.cell.label for r in rows]
    axes[0].set_yticks(range(len(rows)), names)
    axes[0].set_ylim(len(rows) - 0.5, -0.5)
    than = "the one named" if several else rows[0].than.label
    axes[0].set(xlabel=f"gain in test accuracy\nover {than} (points)")
    axes[1].set(xlabel=f"lower test loss\nthan {than} (nats)")
    asked = f"Is {rows[0].cell.label} better" if len(rows) == 1 else "Which of these are better"
    other = "than the same without" if several else f"than {than}"
    title(figure, f"{asked} {other}?", text.arms_title(rows))
    return figure


def by_gain(results: Results) -> list[Compared]:
    """Sort the arms by their mean gain in accuracy, the largest first."""
    return sorted(compared(results), key=lambda row: -float(np.mean(row.accuracy)))


def _better(those: Population) -> str:
    return f"{100 * those.better.mean:.0f} %"


def applies(results: Results) -> bool:
    """Whether it has draws, and arms that lie on no axis."""
    asked = results.experiment
    if asked.draws is None or along_axis(results) or rates.applies(results):
        return False
    return bool(compared(results))


KIND = Kind(
    "arms",
    draw,
    applies,
    "Paired differences to the network without dropout, right of the line better: a dot a draw, "
    f"a diamond the mean, a bar the {INTERVAL}. Beside them the share of draws at which the arm is "
    "better.",
    place=5,
)
