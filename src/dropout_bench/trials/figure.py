"""A newcomer against every known kind, draw by draw, as a figure."""

from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from dropout_bench.report.figures.style import (
    BLUE,
    INTERVAL,
    NEUTRAL,
    STYLE,
    VERMILION,
    dots,
    panels,
    title,
)

if TYPE_CHECKING:
    from dropout_bench.trials.result import Difference, Trial

CAPTION = (
    "Right of the line it is better: a dot a draw, a diamond the mean, a bar the "
    f"{INTERVAL}. Blue is better, orange worse, dark grey no relevant difference, after "
    "correction; pale grey is open. Beside it: at how many draws it is better, a tie counting half."
)
_COLOURS = {"better": BLUE, "worse": VERMILION, "no relevant difference": NEUTRAL}
_PALE = "#c4c4c4"


def drawn(trial: "Trial") -> Figure:
    """Draw a trial: a row a known kind, panels for loss and accuracy."""
    with mpl.rc_context(STYLE):
        by_kind = [trial.against(than) for than in trial.known]
        by_kind.sort(key=lambda each: each["test/loss"].mean, reverse=True)
        figure, axes = panels(2, 0.9 + 0.27 * max(1, len(by_kind)), sharey=True)
        for panel, metric, scale in zip(
            axes, ("test/loss", "test/accuracy"), (-1, 100), strict=True
        ):
            for place, each in enumerate(by_kind):
                one = each[metric]
                dots(panel, scale * np.array(one.differences), place, _colour(one))
                panel.text(
                    1.02, place, one.share, va="center", transform=panel.get_yaxis_transform()
                )
            panel.axvline(0, color="black", lw=0.8)
        axes[0].set_yticks(range(len(by_kind)), [each["test/loss"].than for each in by_kind])
        axes[0].set_ylim(len(by_kind) - 0.5, -0.5)
        axes[0].set_xlabel("lower test loss (nats)")
        axes[1].set_xlabel("gain in test accuracy (points)")
        title(figure, f"Is {trial.name} better than …?")
    return figure


def _colour(one: "Difference") -> str:
    return _COLOURS.get(one.verdict, _PALE)
