"""What validation chose."""

import matplotlib as mpl
from matplotlib.figure import Figure

from dropout_bench.analysis.drawn import choices
from dropout_bench.report import text
from dropout_bench.report.figures.kind import Kind
from dropout_bench.report.figures.style import Colours, panels
from dropout_bench.tables.read import Results


def draw(results: Results, colours: Colours) -> Figure:
    """Draw how often each candidate of each arm was chosen: a bar an arm, its parts in order."""
    names_of = [cell.label.partition(",")[0] for cell in results.experiment.cells()]
    arms = list(dict.fromkeys(names_of))  # an arm's points along an axis stand together
    those = sorted(choices(results), key=lambda it: arms.index(it.cell.label.partition(",")[0]))
    figure, (panel,) = panels(1, 7.5, 0.9 + 0.26 * len(those))
    shades = mpl.colormaps["Blues"]
    for place, choice in enumerate(those):
        left = 0
        for number, (candidate, times) in enumerate(choice.draws.items()):
            shade = 0.2 + 0.6 * number / max(1, len(choice.draws) - 1)
            panel.barh(place, times, left=left, color=shades(shade), height=0.8, ec="white")
            if times:
                colour = "white" if shade > 0.5 else "black"
                told = f"{text.candidate(candidate)} ({times})"
                panel.text(
                    left + times / 2, place, told, color=colour, ha="center", va="center",
                    fontsize=6.5 if len(told) < 10 else 5.5,
                )  # fmt: skip
            left += times
    names = [f"{choice.cell.label} ({text.chosen_names(choice.cell.arm)})" for choice in those]
    panel.set_yticks(range(len(those)), names, fontsize=8)
    panel.set_ylim(len(those) - 0.4, -0.6)
    panel.set_xlim(0, len(results.experiment.seeds))
    panel.grid(visible=False)
    panel.set(xlabel="draws at which validation chose it")
    return figure


KIND = Kind(
    "chosen",
    draw,
    lambda results: bool(choices(results)),
    "Which of each arm's candidates had the lowest validation loss, and in brackets at how many "
    "draws: from left to right, and from light to dark, by value.",
    place=140,
)
