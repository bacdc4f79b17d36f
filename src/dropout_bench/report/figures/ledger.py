"""The ledger at a glance."""

import textwrap
from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from dropout_bench.analysis.ledger import LedgerEntry
from dropout_bench.analysis.rule import Verdict
from dropout_bench.report.figures.style import (
    BLUE,
    NEUTRAL,
    SIZE,
    VERMILION,
    WIDTH,
    legend,
    title,
)

MARKS: dict[Verdict, dict[str, Any]] = {
    Verdict.SUPPORTED: {"color": BLUE, "marker": "o"},
    Verdict.CONTRADICTED: {"color": VERMILION, "marker": "X"},
    Verdict.SAME: {"color": "#CC79A7", "marker": "s"},
    Verdict.OPEN: {"color": NEUTRAL, "marker": "o", "mfc": "white", "lw": 1},
}
"""Of the verdicts, in the order in which they stand."""
LONGEST = 88
"""Characters of a claim that there is room for."""


def draw(entries: Sequence[LedgerEntry]) -> Figure:
    """Draw every claim's deciding check, in standard deviations over seeds, on the claim's side.

    What is drawn is the distance of the mean from the bound that the claim has to pass, divided by
    the standard deviation of the differences: right of 0 the claim holds. Claims stand by verdict,
    then by this distance, the largest first.
    """
    verdicts = list(MARKS)
    distances = {entry.name: entry.deciding.towards_the_claim for entry in entries}
    order = sorted(
        entries,
        key=lambda entry: (verdicts.index(entry.verdict), -distances[entry.name].mean),
    )
    figure = Figure(figsize=(WIDTH, 0.9 + 0.14 * max(3, len(order))), layout="constrained")
    panel = figure.subplots()
    for place, entry in enumerate(order):
        mean, low, high = distances[entry.name]
        look: dict[str, Any] = {"ms": 5, "ls": "none", "label": str(entry.verdict)} | MARKS[
            entry.verdict
        ]
        panel.plot([low, high], [place] * 2, color=look["color"], lw=look.get("lw", 2))
        panel.plot(mean, place, **look)
    panel.axvline(0, color="black", lw=0.8)
    panel.set_xscale("symlog", linthresh=1)
    panel.xaxis.set_major_formatter("{x:g}")
    names = [textwrap.shorten(entry.claim.says, LONGEST, placeholder=" …") for entry in order]
    panel.set_yticks(range(len(order)), names, fontsize=SIZE - 1.5)
    panel.set_ylim(len(order) - 0.4, -0.6)
    panel.set(xlabel="to the claim's side (sd)")
    legend(figure, 4, panel)
    title(
        figure,
        "Which claims hold?",
        "Right of the line as the claim says, left of it the opposite; filled: clearly.",
    )
    return figure
