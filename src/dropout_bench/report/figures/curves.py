"""Learning curves."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from dropout_bench.params.arms import Cell
from dropout_bench.params.experiment import Experiment
from dropout_bench.report.figures.kind import Kind
from dropout_bench.report.figures.style import AXES, SPLIT_NAMES, WIDTH, Colours, title
from dropout_bench.tables.read import Results

COLUMNS = 4
STYLES = {"train": "-", "val": "--", "test": ":"}


def draw(results: Results, colours: Colours) -> Figure:
    """Draw loss and accuracy by epoch: mean over seeds, a band of one standard deviation.

    Each network has its panels, beside the same without dropout in grey, all on the same scales. A
    single one has them side by side.
    """
    splits = [split for split in STYLES if results.curves[f"{split}/loss"].notna().any()]
    groups = grouped(results.experiment)
    single = len(groups) == 1
    columns = min(COLUMNS, len(groups))
    bands = -(-len(groups) // columns)
    size = (WIDTH, 2.7 if single else 0.4 + 3 * bands)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(*((1, 2) if single else (2 * bands, columns)), squeeze=False)
    for row, metric in enumerate(AXES):
        first = grid[0, row] if single else grid[row, 0]
        for place in range(bands * columns):
            band, column = divmod(place, columns)
            panel = first if single else grid[2 * band + row, column]
            if place >= len(groups):
                panel.remove()
                continue
            _curves(panel, results, groups[place], splits, metric, colours)
            if place:
                panel.sharey(first)
                panel.tick_params(labelleft=column == 0)
            if not column:
                panel.set(ylabel="loss (nats)" if metric == "loss" else AXES[metric])
            if row or single:
                panel.set(xlabel="epoch")
            if not row:
                panel.set_title(groups[place][-1].label)
    samples = [Line2D([], [], color="black", ls=STYLES[split]) for split in splits]
    names = [SPLIT_NAMES[split] for split in splits]
    bases = [group[0] for group in groups if len(group) > 1]
    if bases:
        same = {base.label for base in bases}
        samples.append(Line2D([], [], color=colours(bases[0]), lw=4, alpha=0.5))
        names.append(same.pop() if len(same) == 1 else "the same without dropout")
    figure.legend(samples, names, loc="outside lower center", ncols=len(names))
    title(figure, "How does training go, and how far is it from new images?")
    return figure


def grouped(experiment: Experiment) -> list[list[Cell]]:
    """Return what has panels of its own: each network, after the same without dropout."""
    bases = {cell: experiment.without_dropout(cell) for cell in experiment.cells()}
    return [
        [base, cell] if base else [cell]
        for cell, base in bases.items()
        if cell not in bases.values()
    ]


def _curves(
    panel: Axes,
    results: Results,
    cells: Sequence[Cell],
    splits: Sequence[str],
    metric: str,
    colours: Colours,
) -> None:
    scale = 100 if metric == "accuracy" else 1
    for cell in cells:
        rows = results.of(cell, "curves")
        colour = colours(cell)
        for split in splits:
            by_epoch = rows.groupby("epoch")[f"{split}/{metric}"]
            of_all = by_epoch.size() == rows["seed"].nunique()
            mean, sd = (scale * each[of_all] for each in (by_epoch.mean(), by_epoch.std()))
            sd = sd.fillna(0.0)
            label = f"{cell.label}, {SPLIT_NAMES[split]}"
            panel.plot(mean.index, mean, STYLES[split], color=colour, label=label)
            panel.fill_between(mean.index, mean - sd, mean + sd, color=colour, alpha=0.15, lw=0)
    panel.xaxis.set_major_locator(MaxNLocator(5, integer=True))


def applies(results: Results) -> bool:
    """Whether all trainings have one setting: epochs of several have no common length."""
    return not results.experiment.draw.names


KIND = Kind(
    "curves",
    draw,
    applies,
    "In colour the network named above, in grey the same without dropout. Lines are means over "
    "seeds, as far as all trainings of a network go; bands are one standard deviation over seeds. "
    "Training figures are those seen while training: with dropout they are those of the thinned "
    "networks. The loss is the negative log-likelihood.",
    place=40,
)
