"""What classes are taken for."""

import numpy as np
from matplotlib.figure import Figure

from dropout_bench.report.figures.kind import Kind, measures
from dropout_bench.report.figures.style import SIZE, WIDTH, Colours, title
from dropout_bench.tables.read import Results

FEW = 4
"""Matrices of no more classes are small, and have names of classes; larger ones stand in pairs."""


def draw(results: Results, colours: Colours) -> Figure:
    """Draw what each class is taken for, in % of its test images; all on one scale of colour."""
    cells = results.experiment.cells()
    labels = results.experiment.resolved_classes
    names = [results.experiment.source.classes[label] for label in labels]
    few = len(labels) <= FEW
    columns = min(len(cells), 5 if few else 2)
    rows = -(-len(cells) // columns)
    size = (WIDTH, rows * (WIDTH / columns - 0.1) + (1.05 if few else 0.4))
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    shares = {}
    for cell in cells:
        images = cell.rows_of(results.confusion).pivot_table(
            index="true", columns="predicted", values="images"
        )
        shares[cell] = (100 * images.div(images.sum(axis=1), axis=0)).to_numpy()
    right = np.eye(len(labels), dtype=bool)
    largest = max(float(each[~right].max()) for each in shares.values()) or 1.0
    for panel, (cell, of_cell) in zip(grid.flat, shares.items(), strict=False):
        panel.imshow(np.where(right, np.nan, of_cell), cmap="Blues", vmin=0, vmax=largest)
        panel.set_facecolor("#eeeeee")  # of the diagonal: the errors are what is seen
        for (true, taken), share in np.ndenumerate(of_cell):
            dark = true != taken and share > 0.6 * largest
            told = f"{share:.1f}" if few else f"{share:.0f}"
            panel.text(
                taken, true, told, fontsize=SIZE - 1, color="white" if dark else "black",
                ha="center", va="center",
            )  # fmt: skip
        panel.set_xticks(range(len(labels)), names, rotation=90 if max(map(len, names)) > 2 else 0)
        panel.set_yticks(range(len(labels)), names)
        panel.grid(visible=False)
        panel.set_title(cell.label)
    for panel in grid.flat[len(cells) :]:
        panel.remove()
    figure.supxlabel("taken for", fontsize=SIZE)
    figure.supylabel("is", fontsize=SIZE)
    title(figure, "Which classes are taken for which?")
    return figure


def applies(results: Results) -> bool:
    """Whether pictures are asked for, and classes are those of one dataset."""
    pictures = measures("examples", "features")(results)
    return pictures and len(results.experiment.datasets) == 1


KIND = Kind(
    "confusion",
    draw,
    applies,
    "What the test images of a class are taken for, in % of them, over all seeds. The darker, the "
    "more errors, on one scale for all networks; on the diagonal, in grey, is the accuracy by "
    "class.",
    place=120,
)
