"""What validation chose."""

import matplotlib as mpl
from matplotlib.figure import Figure

from dropout_bench.analysis.drawn import choices
from dropout_bench.report import text
from dropout_bench.report.figures.kind import Kind
from dropout_bench.report.figures.style import Colours, panels, title
from dropout_bench.tables.read import Results


def draw(results: Results, colours: Colours) -> Figure:
    """Draw how often each candidate of each arm was chosen: a row an arm, a field a candidate."""
    names_of = [cell.label.partition(",")[0] for cell in results.experiment.cells()]
    arms = list(dict.fromkeys(names_of))  # an arm's points along an axis stand together
    those = sorted(choices(results), key=lambda it: arms.index(it.cell.label.partition(",")[0]))
    figure, (panel,) = panels(1, 0.15 + 0.22 * len(those))
    shades = mpl.colormaps["Blues"]
    most = max(len(choice.draws) for choice in those)
    for row, choice in enumerate(those):
        width = most / len(choice.draws)
        for number, (candidate, times) in enumerate(choice.draws.items()):
            share = times / sum(choice.draws.values())
            panel.barh(
                row, width, left=number * width, color=shades(0.9 * share), height=1, ec="white"
            )
            panel.text(
                (number + 0.5) * width, row, f"{text.candidate(candidate)} ({times})",
                color="white" if share > 0.6 else "black", ha="center", va="center",
            )  # fmt: skip
    names = [f"{choice.cell.label} ({text.chosen_names(choice.cell.arm)})" for choice in those]
    panel.set_yticks(range(len(those)), names)
    panel.set_ylim(len(those) - 0.5, -0.5)
    panel.set_xlim(0, most)
    panel.set_xticks([])
    panel.grid(visible=False)
    panel.spines[:].set_visible(False)
    panel.tick_params(left=False)
    title(figure, "Which values did validation choose?")
    return figure


KIND = Kind(
    "chosen",
    draw,
    lambda results: bool(choices(results)),
    "Each arm's candidates, the smallest value first, and in brackets at how many draws each had "
    "the lowest validation loss: the more, the darker.",
    place=140,
)
