"""Weights into the first hidden layer."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from dropout_bench.params.arms import Cell
from dropout_bench.report.figures.kind import Kind, measures
from dropout_bench.report.figures.style import WIDTH, Colours, title
from dropout_bench.tables.read import Results


def pictures(results: Results, cell: Cell, kind: str) -> list[Any]:
    """Return a cell's pictures of a kind, in their order."""
    rows = cell.rows_of(results.pictures)
    return list(rows[rows["kind"] == kind].sort_values("number").itertuples())


def side_by_side(results: Results, those: Sequence[Any], gap: int) -> Any:
    """Put pictures into one row, as floats, with gaps that are not drawn between them."""
    padded = [
        np.pad(
            np.frombuffer(bytes.fromhex(picture.pixels), np.uint8)
            .reshape(results.experiment.source.shape)
            .astype(float),
            gap // 2,
            constant_values=np.nan,
        )
        for picture in those
    ]
    return np.hstack(padded)


def draw(results: Results, colours: Colours) -> Figure:
    """Draw the weights into units of the first hidden layer: orange above 0, purple below."""
    cells = results.experiment.cells()
    columns = 12
    of_cells = [pictures(results, cell, "feature") for cell in cells]
    rows = -(-max(map(len, of_cells)) // columns)
    size = (WIDTH, (0.6 * rows + 0.3) * len(cells))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(cells), 1, squeeze=False)[:, 0]
    for panel, cell, drawn in zip(axes, cells, of_cells, strict=True):
        parts = [drawn[first : first + columns] for first in range(0, len(drawn), columns)]
        lines = [side_by_side(results, part, gap=2) for part in parts]
        widest = max(line.shape[1] for line in lines)
        montage = np.vstack(
            [
                np.pad(line, ((0, 0), (0, widest - line.shape[1])), constant_values=np.nan)
                for line in lines
            ]
        )
        panel.imshow(montage, cmap="PuOr_r", vmin=1, vmax=255)
        panel.set_axis_off()
        panel.set_title(cell.label)
    title(figure, "What do the units of the first hidden layer look at?")
    return figure


KIND = Kind(
    "features",
    draw,
    measures("features"),
    "Weights into the first units of the first hidden layer, unchosen, at one seed: orange is "
    "above 0, purple below; each network has its own scale.",
    place=110,
)
