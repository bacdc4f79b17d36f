"""A kind of figure is one file in this folder, with its ``KIND``; nothing else lists it."""

import functools
import importlib
import pkgutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from dropout_bench.report import figures
from dropout_bench.report.figures.style import STYLE, Colours
from dropout_bench.tables.read import Results

COLOURS = 128
"""A palette's, of which each picture has its own."""


class Kind(NamedTuple):
    """A kind of figure.

    Attributes:
        applies: whether an experiment has it.
        caption: what is to be said below it.
        place: figures stand in the report by place, then by name.
        of_drawn: what is to be said besides where settings are drawn.
    """

    name: str
    draw: Callable[[Results, Colours], Figure]
    applies: Callable[[Results], bool]
    caption: str
    place: int = 100
    of_drawn: str = ""

    def told(self, results: Results) -> str:
        """Return what is to be said below it, of an experiment."""
        return self.caption + (self.of_drawn if results.experiment.draw.names else "")


def measures(*names: str) -> Callable[[Results], bool]:
    """Say of an experiment whether it measures one of these."""
    return lambda results: not set(names).isdisjoint(results.experiment.measures)


def along_axis(results: Results) -> bool:
    """Whether the experiment varies the training-set size or the network."""
    return len(results.experiment.train_size) > 1 or len(results.experiment.hidden) > 1


@functools.cache
def kinds() -> dict[str, Kind]:
    """Find the kinds, in their order."""
    names = [module.name for module in pkgutil.iter_modules(figures.__path__)]
    modules = [importlib.import_module(f"{__package__}.{name}") for name in names]
    found: list[Kind] = [module.KIND for module in modules if hasattr(module, "KIND")]
    return {kind.name: kind for kind in sorted(found, key=lambda kind: (kind.place, kind.name))}


def of_experiment(results: Results) -> list[Kind]:
    """List the kinds of figures that answer an experiment's question."""
    return [kind for kind in kinds().values() if kind.applies(results)]


def file_of(results: Results, kind: Kind) -> str:
    """Name the file of a figure."""
    return f"{results.name}-{kind.name}.png"


def draw(path: Path, kind: str, results: Results, colours: Colours) -> None:
    """Draw a figure of an experiment, by the name of its kind."""
    save(path, kinds()[kind].draw, results, colours)


def save(path: Path, drawing: Callable[..., Figure], *args: object) -> None:
    """Write what a function draws, in the report's style, with a palette: a third of the bytes."""
    with mpl.rc_context(STYLE):
        canvas = FigureCanvasAgg(drawing(*args))
        canvas.draw()  # type: ignore[no-untyped-call]
        pixels = canvas.buffer_rgba()  # type: ignore[no-untyped-call]
        image = Image.fromarray(np.asarray(pixels)).convert("RGB")
    # Of few pixels of a colour it would take too little notice otherwise.
    palette = image.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    palette.save(path, optimize=True)
