"""Gradients by layer."""

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dropout_bench.params.values import widths_text
from dropout_bench.report.figures import style
from dropout_bench.report.figures.kind import Kind, measures
from dropout_bench.tables.read import Results


def draw(results: Results, colours: style.Colours) -> Figure:
    """Draw each hidden layer's gradient, relative to its weights; a panel for each network."""
    networks = results.experiment.hidden or ((),)  # drawn ones share a panel
    of_depth = [f"{len(widths)} hidden layers" if widths else "" for widths in networks]
    figure, axes = style.panels(len(networks), 2.6, sharey=True)
    for panel, widths, depth in zip(axes, networks, of_depth, strict=True):
        cells = [cell for cell in results.experiment.cells() if cell.hidden == widths]
        for cell, look in colours.lines(cells):
            look["label"] = style.label_without(cell, widths_text(widths))
            style.over_places(panel, results, cell, "gradients/norm", look)
        title = depth if of_depth.count(depth) == 1 else f"hidden layers {widths_text(widths)}"
        panel.set(xlabel="hidden layer", title=title, yscale="log")
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[0].set(ylabel="norm of gradient\nover norm of weights")
    style.title(figure, "Do gradients fade towards the first layer?")
    style.name_lines(figure, axes[-1])  # the others have the same
    return figure


KIND = Kind(
    "gradients",
    draw,
    measures("gradients"),
    "Gradients of the loss at the trained weights, on 1,000 training images; layer 1 is the one "
    f"after the pixels. Lines are means, bands the {style.INTERVAL}.",
    place=100,
)
