"""The ledger at a glance."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from dropout_bench.analysis.ledger import LedgerEntry
from dropout_bench.analysis.rule import Verdict
from dropout_bench.report.figures.style import BLUE, VERMILION, legend

COLOURS = {
    Verdict.SUPPORTED: BLUE,
    Verdict.CONTRADICTED: VERMILION,
    Verdict.SAME: "#009E73",
    Verdict.OPEN: "#888888",
}


COLUMN = 40
"""More claims than these stand in two columns."""


def draw(entries: Sequence[LedgerEntry]) -> Figure:
    """Draw every claim's deciding check, in standard deviations over seeds, on the claim's side.

    What is drawn is the distance of the mean from the bound that the claim has to pass, divided by
    the standard deviation of the differences: right of 0 the claim holds.
    """
    verdicts = list(Verdict)
    order = sorted(entries, key=lambda entry: (verdicts.index(entry.verdict), entry.name))
    columns = 1 if len(order) <= COLUMN else 2
    length = -(-len(order) // columns)
    size = (7 if columns == 1 else 11, 0.8 + 0.19 * max(3, length))
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(1, columns, squeeze=False, sharex=True)[0]
    for number, panel in enumerate(panels):
        here = order[number * length : (number + 1) * length]
        for place, entry in enumerate(here):
            mean, low, high = entry.deciding.towards_the_claim
            colour = COLOURS[entry.verdict]
            panel.plot([low, high], [place] * 2, color=colour, lw=2, label=str(entry.verdict))
            panel.plot(mean, place, "o", color=colour, ms=4)
        panel.axvline(0, color="black", lw=0.8)
        panel.set_xscale("symlog", linthresh=1)
        panel.xaxis.set_major_formatter("{x:g}")
        panel.set_yticks(range(len(here)), [entry.name for entry in here], fontsize=8)
        panel.set_ylim(length - 0.4, -0.6)
        panel.set(xlabel="distance from the claim's bound (sd over draws)")
    legend(figure, 3, *panels)
    return figure
