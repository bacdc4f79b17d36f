"""Images on which networks differ."""

from matplotlib.figure import Figure

from dropout_bench.report.figures.features import pictures, side_by_side
from dropout_bench.report.figures.kind import Kind, measures
from dropout_bench.report.figures.style import Colours
from dropout_bench.tables.read import Results


def draw(results: Results, colours: Colours) -> Figure:
    """Draw the test images on which networks with and without dropout differ most."""
    kinds = ("right with dropout", "right without dropout")
    cells = [cell for cell in results.experiment.cells() if pictures(results, cell, kinds[0])]
    names = results.experiment.source.classes
    width = results.experiment.source.shape[1]
    gap = width // 3
    figure = Figure(figsize=(9, 1.45 * len(cells)), layout="constrained")
    axes = figure.subplots(len(cells), 2, squeeze=False)
    for row, cell in zip(axes, cells, strict=True):
        for panel, kind in zip(row, kinds, strict=True):
            those = pictures(results, cell, kind)
            panel.imshow(side_by_side(results, those, gap), cmap="gray_r")
            panel.set_axis_off()
            panel.set_title(f"{cell.label}: {kind}", fontsize=8, pad=24)
            for place, picture in enumerate(those):
                true, taken = names[int(picture.true)], names[int(picture.predicted)]
                right = f"{int(picture.right_with)}:{int(picture.right_without)}"
                middle = (place + 0.5) * (width + 2 * (gap // 2))
                told = f"{true},\nnot {taken}\n{right}"
                panel.text(middle, 0, told, fontsize=5.5, ha="center", va="bottom")
    return figure


KIND = Kind(
    "examples",
    draw,
    measures("examples"),
    "The test images on which most seeds differ: in how many of them the network is right, "
    "with dropout : without.",
    place=130,
)
