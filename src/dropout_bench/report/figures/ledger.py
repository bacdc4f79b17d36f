"""The ledger at a glance."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from dropout_bench.analysis.ledger import LedgerEntry, Verdict
from dropout_bench.report.figures.style import BLUE, VERMILION, legend

COLOURS = {
    Verdict.SUPPORTED: BLUE,
    Verdict.CONTRADICTED: VERMILION,
    Verdict.INCONCLUSIVE: "#888888",
}


def draw(entries: Sequence[LedgerEntry]) -> Figure:
    """Draw every claim's deciding check, in standard deviations over seeds, on the claim's side.

    What is drawn is the distance of the mean from the bound that the claim has to pass, divided by
    the standard deviation of the differences: right of 0 the claim holds.
    """
    verdicts = list(Verdict)
    order = sorted(entries, key=lambda entry: (verdicts.index(entry.verdict), entry.name))
    figure = Figure(figsize=(7, 0.6 + 0.2 * max(3, len(order))), layout="constrained")
    panel = figure.subplots()
    for place, entry in enumerate(order):
        mean, low, high = entry.deciding.towards_the_claim
        colour = COLOURS[entry.verdict]
        panel.plot([low, high], [place] * 2, color=colour, lw=2, label=str(entry.verdict))
        panel.plot(mean, place, "o", color=colour, ms=4)
    panel.axvline(0, color="black", lw=0.8)
    panel.set_xscale("symlog", linthresh=1)
    panel.set_yticks(range(len(order)), [entry.name for entry in order], fontsize=8)
    panel.invert_yaxis()
    panel.set(xlabel="distance from the claim's bound (standard deviations over seeds)")
    legend(figure, 3, panel)
    return figure
