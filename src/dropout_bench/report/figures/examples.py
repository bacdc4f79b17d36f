"""Images on which networks differ."""

from matplotlib.figure import Figure

from dropout_bench.report.figures.features import pictures, side_by_side
from dropout_bench.report.figures.kind import Kind, measures
from dropout_bench.report.figures.style import SIZE, WIDTH, Colours, title
from dropout_bench.tables.read import Results

SHOWN = 4
"""Of the pictures of a cell, those on which most seeds differ."""


def draw(results: Results, colours: Colours) -> Figure:
    """Draw the test images on which networks with and without dropout differ most."""
    kinds = ("right with dropout", "right without dropout")
    cells = [cell for cell in results.experiment.cells() if pictures(results, cell, kinds[0])]
    names = results.experiment.source.classes
    width = results.experiment.source.shape[1]
    gap = width // 3
    figure = Figure(figsize=(WIDTH, 1.42 * len(cells)), layout="constrained")
    axes = figure.subplots(len(cells), 2, squeeze=False)
    for row, cell in zip(axes, cells, strict=True):
        for panel, kind in zip(row, kinds, strict=True):
            those = pictures(results, cell, kind)[:SHOWN]
            panel.imshow(side_by_side(results, those, gap), cmap="gray_r", interpolation="nearest")
            panel.set_axis_off()
            panel.set_title(f"{cell.label}: {kind}", pad=40)
            for place, picture in enumerate(those):
                true, taken = names[int(picture.true)], names[int(picture.predicted)]
                right = f"{int(picture.right_with)} : {int(picture.right_without)}"
                middle = (place + 0.5) * (width + 2 * (gap // 2))
                told = f"{true},\nnot {taken}\n{right}"
                panel.text(middle, 0, told, fontsize=SIZE - 1, ha="center", va="bottom")
    title(figure, "On which images do networks with and without dropout differ?")
    return figure


KIND = Kind(
    "examples",
    draw,
    measures("examples"),
    "The test images on which most seeds differ: what they are, what else they are taken for, and "
    "in how many seeds the network is right, with dropout : without.",
    place=130,
)
