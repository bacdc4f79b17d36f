"""Learning curves."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from dropout_bench.params.arms import Cell
from dropout_bench.params.experiment import Experiment
from dropout_bench.report.figures.kind import Kind
from dropout_bench.report.figures.style import AXES, SPLIT_NAMES, Colours, legend, panels
from dropout_bench.tables.read import Results

MOST = 5
"""More cells than these are too many for one panel."""
COLUMNS = 4
STYLES = {"train": "-", "val": "--", "test": ":"}


def draw(results: Results, colours: Colours) -> Figure:
    """Draw loss and accuracy by epoch: mean over seeds, a band of one standard deviation.

    Networks that are too many for one panel get small ones, on the same scales.
    """
    splits = [split for split in STYLES if results.curves[f"{split}/loss"].notna().any()]
    groups = grouped(results.experiment, colours)
    if len(groups) == 1:
        figure, axes = panels(2, 9, 3.6)
        for panel, metric in zip(axes, AXES, strict=True):
            _curves(panel, results, groups[0], splits, metric, colours)
            panel.set(xlabel="epoch", ylabel=AXES[metric])
        legend(figure, min(len(groups[0]), 3), axes[0])
        return figure
    columns = min(COLUMNS, len(groups))
    bands = -(-len(groups) // columns)
    figure = Figure(figsize=(9, 0.5 + 3.6 * bands), dpi=130, layout="constrained")
    grid = figure.subplots(2 * bands, columns, squeeze=False)
    for row, metric in enumerate(AXES):
        for place in range(bands * columns):
            band, column = divmod(place, columns)
            panel = grid[2 * band + row, column]
            if place >= len(groups):
                panel.remove()
                continue
            _curves(panel, results, groups[place], splits, metric, colours)
            if place:
                panel.sharey(grid[row, 0])
            if not column:
                panel.set(ylabel=metric if metric == "loss" else AXES[metric])
            if row:
                panel.set(xlabel="epoch")
            else:
                _name(panel, groups[place])
    samples = [Line2D([], [], color="black", ls=STYLES[split]) for split in splits]
    names = [SPLIT_NAMES[split] for split in splits]
    figure.legend(samples, names, loc="outside lower center", ncols=len(splits))
    return figure


def _name(panel: Axes, cells: Sequence[Cell]) -> None:
    """Write what its cells share above a panel, and in it what tells them apart."""
    labels = [cell.label.split(", ") for cell in cells]
    shared = [part for part in labels[0] if all(part in label for label in labels)]
    names = [", ".join(part for part in label if part not in shared) for label in labels]
    panel.set_title(", ".join(shared), fontsize=7)
    if len(cells) > 1:
        solid = [line for line in panel.lines if line.get_linestyle() == "-"]
        panel.legend(solid, names, fontsize=5.5, loc="upper right")


def grouped(experiment: Experiment, colours: Colours) -> list[list[Cell]]:
    """Split cells into panels: few to a panel, each of another colour.

    All in one if they fit. Else a variant's rates stand together, beside the network without.
    """
    cells = experiment.cells()
    if len(cells) <= MOST and len({*map(colours, cells)}) == len(cells):
        return [cells]
    bases = {cell: experiment.without_dropout(cell) for cell in cells}
    groups: dict[tuple[object, ...], list[list[Cell]]] = {}
    for cell, base in bases.items():
        if cell in bases.values():
            continue
        key = (cell.variant, cell.input_dropout, cell.hidden, cell.train_size, cell.options)
        group = groups.setdefault(key, [])
        for panel in group:
            if len(panel) < MOST and colours(cell) not in map(colours, panel):
                panel.append(cell)
                break
        else:
            group.append([base, cell] if base else [cell])
    return [panel for group in groups.values() for panel in group]


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
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))


def applies(results: Results) -> bool:
    """Whether all trainings have one setting: epochs of several have no common length."""
    return not results.experiment.draw.names


KIND = Kind(
    "curves",
    draw,
    applies,
    "Mean over seeds, as far as all of a network's trainings go; the band is one standard "
    "deviation. Training figures are those seen while training: with dropout they are those of "
    "the thinned networks.",
    place=40,
)
