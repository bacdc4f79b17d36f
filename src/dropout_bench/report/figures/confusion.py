"""What classes are taken for."""

import numpy as np
from matplotlib.figure import Figure

from dropout_bench.report.figures.kind import Kind, measures
from dropout_bench.report.figures.style import Colours, panels
from dropout_bench.tables.read import Results


def draw(results: Results, colours: Colours) -> Figure:
    """Draw what each class is taken for, in % of its test images."""
    cells = results.experiment.cells()
    labels = results.experiment.resolved_classes
    few = len(labels) <= 4
    side = 1.9 if few else 3
    figure, axes = panels(len(cells), side * len(cells), side + 1.1, sharey=True)
    for panel, cell in zip(axes, cells, strict=True):
        images = cell.rows_of(results.confusion).pivot_table(
            index="true", columns="predicted", values="images"
        )
        shares = (100 * images.div(images.sum(axis=1), axis=0)).to_numpy()
        errors = np.where(np.eye(len(labels), dtype=bool), np.nan, shares)
        panel.imshow(errors, cmap="OrRd", vmin=0)
        for (true, taken), share in np.ndenumerate(shares):
            dark = true != taken and share > 0.6 * np.nanmax(errors)
            size, colour = 8 if few else 5, "white" if dark else "black"
            told = f"{share:.1f}"
            panel.text(taken, true, told, fontsize=size, color=colour, ha="center", va="center")
        names = [results.experiment.source.classes[label] for label in labels]
        panel.set_xticks(range(len(labels)), names, rotation=45 if max(map(len, names)) > 2 else 0)
        panel.set_yticks(range(len(labels)), names)
        panel.grid(visible=False)
        panel.set(title=cell.label, xlabel="taken for")
    axes[0].set(ylabel="is")
    return figure


def applies(results: Results) -> bool:
    """Whether pictures are asked for, and classes are those of one dataset."""
    pictures = measures("examples", "features")(results)
    return pictures and len(results.experiment.datasets) == 1


KIND = Kind(
    "confusion",
    draw,
    applies,
    "What the images of a class are taken for, in % of them, over all seeds; the diagonal is "
    "the accuracy by class.",
    place=120,
)
