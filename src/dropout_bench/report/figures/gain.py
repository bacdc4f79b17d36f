"""What dropout gains over training-set size or network."""

from matplotlib.figure import Figure

from dropout_bench.params.arms import Cell
from dropout_bench.params.values import widths_text
from dropout_bench.report.figures import style
from dropout_bench.report.figures.kind import Kind, along_axis
from dropout_bench.tables.read import Results


def draw(results: Results, colours: style.Colours) -> Figure:
    """Draw test error, and what dropout gains, over training-set size or network.

    A line for each combination of all else that the experiment varies.
    """
    experiment = results.experiment
    by_size = len(experiment.train_size) > 1
    found: dict[tuple[object, ...], list[Cell]] = {}
    for cell in experiment.cells():
        line = (str(cell.arm), cell.options, cell.hidden if by_size else cell.train_size)
        found.setdefault(line, []).append(cell)
    by_first = {cells[0]: cells for cells in found.values()}
    figure, axes = style.panels(2, 8, 3.2)
    for first, look in colours.lines(by_first):
        cells = by_first[first]
        x = [cell.train_size if by_size else experiment.hidden.index(cell.hidden) for cell in cells]
        said = f"{first.train_size} images" if by_size else widths_text(first.hidden)
        shown = look | {"marker": "o", "label": style.label_without(first, said)}
        style.with_bars(axes[0], x, [style.error(results, cell) for cell in cells], **shown)
        gains = [(at, style.gain(results, cell)) for at, cell in zip(x, cells, strict=True)]
        if there := [(at, gain) for at, gain in gains if gain]:
            style.with_bars(axes[1], *zip(*there, strict=True), **shown)
    axes[1].axhline(0, color="black", lw=0.8)
    for panel in axes:
        if by_size:
            panel.set_xscale("log")
            panel.set(xlabel="training images")
        else:
            names = [
                widths_text(w) if len(w) < 3 else f"{len(w)} × {w[0]}" for w in experiment.hidden
            ]
            panel.set_xticks(range(len(names)), names)
            panel.set(xlabel="hidden layers (units)")
    axes[0].set(ylabel="test error (%)", yscale="log")
    axes[0].yaxis.set_major_formatter("{x:g}")
    axes[0].yaxis.set_minor_formatter("{x:g}")
    axes[1].set(ylabel="accuracy gained by dropout (points)")
    style.legend(figure, 3, axes[0])
    return figure


KIND = Kind(
    "gain",
    draw,
    along_axis,
    "Left, test error; right, the accuracy that dropout adds, paired by seed: "
    "above the line it helps. Bars are 95 % intervals over seeds.",
    place=20,
)
