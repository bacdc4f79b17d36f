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
    drawn = bool(experiment.draw.names)
    figure, axes = style.panels(2, 2.8)
    lines_of_gain = 0
    for first, look in colours.lines(by_first):
        cells = by_first[first]
        x = [cell.train_size if by_size else experiment.hidden.index(cell.hidden) for cell in cells]
        said = f"{first.train_size} images" if by_size else widths_text(first.hidden)
        shown = look | {"label": style.label_without(first, said)}
        errors = [style.error(results, cell) for cell in cells]
        if drawn:  # their spread is that of the settings
            axes[0].plot(x, [error.mean for error in errors], ms=4, lw=1.2, **shown)
        else:
            style.with_bars(axes[0], x, errors, **shown)
        gains = [(at, style.gain(results, cell)) for at, cell in zip(x, cells, strict=True)]
        if there := [(at, gain) for at, gain in gains if gain]:
            places, intervals = zip(*there, strict=True)
            shift = lines_of_gain - 1
            lines_of_gain += 1
            beside = [at * 1.04**shift if by_size else at + 0.06 * shift for at in places]
            style.with_bars(axes[1], beside, intervals, **shown)
    axes[1].axhline(0, color="black", lw=0.8)
    for panel in axes:
        if by_size:
            panel.set_xscale("log")
            panel.set_xticks(experiment.resolved_train_sizes)
            panel.xaxis.set_major_formatter("{x:,.0f}")
            panel.minorticks_off()
            panel.tick_params(axis="x", rotation=30)
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
    axes[1].set(ylabel="gain by dropout (points)")
    over = "With how many training images" if by_size else "In which networks"
    style.title(figure, f"{over} does dropout help?")
    style.name_lines(figure, *axes)
    return figure


KIND = Kind(
    "gain",
    draw,
    along_axis,
    "Left, mean test error; right, the test accuracy that dropout adds, paired by seed: above the "
    f"line it helps. Bars are the {style.INTERVAL}, over seeds or draws of the setting; the error "
    "at drawn settings has none, as its spread is that of the settings.",
    place=20,
)
