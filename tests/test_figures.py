"""Figures show what they say: labels, order and values of what is drawn."""

import dataclasses
import itertools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import experiment
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb, to_rgba
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Annotation
from test_compare import write_tables

from dropout_bench.analysis.reproduction import Reproduction
from dropout_bench.analysis.statistics import Interval
from dropout_bench.params.experiment import Experiment
from dropout_bench.params.variants import VARIANTS, counterpart
from dropout_bench.report import figures
from dropout_bench.report.figures import (
    cells,
    confusion,
    corruption,
    curves,
    gain,
    gradients,
    kind,
    ledger,
    masks,
    published,
    rates,
)
from dropout_bench.report.figures.style import FEW, HUES, NEUTRAL, Colours, apart
from dropout_bench.tables.read import Results, read_results

TWO_OPTIONS: dict[str, Any] = {"with": {"nothing": {}, "decay": {"l2": 0.1}}}


def results_of(folder: Path, **changes: Any) -> Results:
    """Results whose accuracy is another in every cell and at every seed."""
    asked = experiment(**changes)
    gains = {cell.label: 0.003 * place for place, cell in enumerate(asked.cells())}
    write_tables(folder / "results" / "small", asked.model_copy(update={"measures": ()}), gains)
    without = read_results(folder, "small", asked.model_copy(update={"measures": ()}))
    return dataclasses.replace(without, experiment=asked)


def colours_of(results: Results) -> Colours:
    return Colours([results.experiment])


def error(results: Results, label: str) -> float:
    (cell,) = [cell for cell in results.experiment.cells() if cell.label == label]
    return float(100 * (1 - np.mean(results.figures(cell, "test/accuracy"))))


def xs(line: Line2D) -> list[float]:
    return [float(x) for x in np.ravel(np.asarray(line.get_xdata()))]


def ys(line: Line2D) -> list[float]:
    return [float(y) for y in np.ravel(np.asarray(line.get_ydata()))]


def bars(panel: Axes) -> dict[str, tuple[list[float], list[float], Any]]:
    """What is drawn with error bars: places, values and look, by label."""
    found = {}
    for container in panel.containers:
        assert isinstance(container, ErrorbarContainer)
        line = container.lines[0]
        look = (to_rgba(line.get_color()), line.get_linestyle())
        found[str(container.get_label())] = (xs(line), ys(line), look)
    return found


def shown(figure: Figure) -> set[str]:
    """What lines are named: in the figure's legend, or at their ends."""
    legends = {text.get_text() for legend in figure.legends for text in legend.get_texts()}
    return legends | {name for panel in figure.axes for name in at_ends(panel)}


def at_ends(panel: Axes) -> dict[str, tuple[Any, tuple[float, ...]]]:
    """What stands at the ends of a panel's lines: the leader's colour, and where the line ends."""
    found = {}
    for told in panel.texts:
        if isinstance(told, Annotation) and told.arrow_patch:
            colour = to_rgba(told.arrow_patch.get_edgecolor())
            found[told.get_text()] = (colour, tuple(map(float, told.xy)))
    return found


def asked(figure: Figure) -> str:
    """The question that is a figure's title."""
    return figure.get_suptitle().strip()


def test_a_line_over_rates_for_each_variant_input_rate_and_combination(tmp_path: Path) -> None:
    results = results_of(
        tmp_path,
        variants=["dropout", "gaussian-dropout"],
        dropout=[0.5, 0.0, 0.3],
        input_dropout=[0.0, 0.1],
        **TWO_OPTIONS,
    )
    assert rates.KIND.applies(results)
    figure = rates.draw(results, colours_of(results))
    drawn = {str(line.get_label()): line for line in figure.axes[0].lines if len(xs(line)) > 1}
    expected = {}
    for variant, options in itertools.product(("dropout", "gaussian-dropout"), TWO_OPTIONS["with"]):
        plain = [f"{name}, {options}" for name in ("standard", f"{variant} 0.3", f"{variant} 0.5")]
        noisy = [f"{variant} input 0.1{rate}, {options}" for rate in ("", " 0.3", " 0.5")]
        expected[f"{variant}, 0 % of the pixels dropped, {options}"] = plain
        expected[f"{variant}, 10 % of the pixels dropped, {options}"] = noisy
    assert shown(figure) == set(expected)
    for label, those in expected.items():
        assert xs(drawn[label]) == [0.0, 0.3, 0.5]
        assert ys(drawn[label]) == pytest.approx([error(results, n) for n in those])
    of_variants = {(label.split(",")[0], to_rgba(x.get_color())) for label, x in drawn.items()}
    assert len(of_variants) == len({colour for _, colour in of_variants}) == 2


def test_a_single_line_needs_no_legend(tmp_path: Path) -> None:
    results = results_of(tmp_path, dropout=[0.0, 0.3, 0.5, "0.5/0.3"])
    figure = rates.draw(results, colours_of(results))
    assert not figure.legends
    line = figure.axes[0].lines[0]
    assert xs(line) == [0.0, 0.3, 0.5], "two rates have no place on the axis"


AXES = [
    ({"train_size": [100, 200, 300]}, [100, 200, 300], "{} images"),
    ({"hidden": [[8, 8], [16, 8], [8]]}, [0, 1, 2], "{}"),
]


@pytest.mark.parametrize(("axis", "places", "part"), AXES)
def test_a_line_along_an_axis_for_each_combination_of_the_rest(
    axis: dict[str, Any], places: list[int], part: str, tmp_path: Path
) -> None:
    results = results_of(tmp_path, **axis, **TWO_OPTIONS)
    figure = gain.draw(results, colours_of(results))
    drawn = bars(figure.axes[0])
    assert set(drawn) == shown(figure) == {
        "standard, nothing", "standard, decay", "dropout 0.5, nothing", "dropout 0.5, decay"
    }  # fmt: skip
    named = ["-".join(map(str, w)) for w in axis.get("hidden", [])] or places
    for label, (x, y, _) in drawn.items():
        network, options = label.split(", ")
        cells = [f"{network}, {part.format(value)}, {options}" for value in named]
        assert x == places
        assert y == pytest.approx([error(results, cell) for cell in cells])
    assert len({look for _, _, look in drawn.values()}) == 4, "told apart"
    assert set(bars(figure.axes[1])) == {"dropout 0.5, nothing", "dropout 0.5, decay"}


def test_gains_of_networks_and_sizes_at_once_are_a_line_each(tmp_path: Path) -> None:
    results = results_of(tmp_path, train_size=[100, 300], hidden=[[8], [16]])
    drawn = bars(gain.draw(results, colours_of(results)).axes[0])
    assert set(drawn) == {"standard, 8", "standard, 16", "dropout 0.5, 8", "dropout 0.5, 16"}
    assert all(x == [100, 300] for x, _, _ in drawn.values())


def with_measure(results: Results, metric: str) -> Results:
    """Results with a measure of three places, whose value is another in every cell."""
    rows = [
        {**cell.row(), "seed": seed, "metric": metric, "at": at, "value": place + at / 10}
        for place, cell in enumerate(results.experiment.cells(), start=1)
        for seed in results.experiment.seeds
        for at in (1.0, 2.0, 3.0)
    ]
    return dataclasses.replace(results, measures=pd.DataFrame(rows))


def test_gradients_are_labelled_by_their_networks(tmp_path: Path) -> None:
    variants = ["gaussian-dropout", "dropout"]
    hidden = [[8, 8], [16, 8], [8]]
    asked = {"variants": variants, "hidden": hidden, "measures": ["gradients"]}
    results = with_measure(results_of(tmp_path, **asked, **TWO_OPTIONS), "gradients/norm")
    figure = gradients.draw(results, colours_of(results))
    titles = [panel.get_title() for panel in figure.axes]
    assert titles == ["hidden layers 8-8", "hidden layers 16-8", "1 hidden layers"]
    cells = results.experiment.cells()
    labels = set()
    for panel, widths in zip(figure.axes, hidden, strict=True):
        for line in panel.lines:
            network, options = str(line.get_label()).split(", ")
            (place,) = [
                place
                for place, cell in enumerate(cells, start=1)
                if cell.label == f"{network}, {'-'.join(map(str, widths))}, {options}"
            ]
            assert ys(line) == pytest.approx([place + at / 10 for at in (1, 2, 3)])
            labels.add(line.get_label())
    assert shown(figure) == labels
    assert len(labels) == 6


def test_networks_of_one_colour_have_dashes_of_their_own(tmp_path: Path) -> None:
    asked = results_of(tmp_path, measures=["corruption"], **TWO_OPTIONS)
    results = with_measure(asked, "corruption/noise")
    panel = corruption.draw(results, colours_of(results)).axes[0]
    assert len({(to_rgba(x.get_color()), x.get_linestyle()) for x in panel.lines}) == 4


def seen(colour: Any) -> np.ndarray[Any, Any]:
    """CIELAB coordinates of a colour as seen by all, and with protanopia and deuteranopia.

    Source: Machado, Oliveira, Fernandes 2009, at severity 1.
    """
    views = np.array([
        [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        [[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.0520]],
        [[0.3673, 0.8606, -0.2280], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.9689]],
    ])  # fmt: skip
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    tristimulus = np.clip(views @ linear, 0, 1) @ xyz.T / [0.9505, 1.0, 1.089]
    x, y, z = np.where(
        tristimulus > 0.008856, np.cbrt(tristimulus), 7.787 * tristimulus + 16 / 116
    ).T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)


def every_variant() -> Experiment:
    """All that take dropout."""
    takes_dropout = sorted(name for name in VARIANTS if counterpart(name))
    return experiment(variants=takes_dropout, dropout=[0.0, 0.2, 0.5, 0.8])


def test_every_variant_has_a_colour_that_all_readers_can_tell() -> None:
    asked = every_variant()
    colours = Colours([asked])
    cells = [cell for cell in asked.cells() if max(cell.dropout) == 0.5]
    assert len(cells) == len({cell.variant for cell in cells}) == len(HUES) + 1
    for one, other in itertools.combinations([*map(colours, cells), NEUTRAL], 2):
        assert np.linalg.norm(seen(one) - seen(other), axis=1).min() > 15, (one, other)


def test_networks_without_dropout_are_grey_whatever_they_are() -> None:
    asked = every_variant()
    plain = [cell for cell in asked.cells() if not any(cell.dropout)]
    assert len(plain) > 1
    assert set(map(Colours([asked]), plain)) == {NEUTRAL}
    lightness, *_ = seen(NEUTRAL)[0]
    assert np.abs(seen(NEUTRAL)[0][1:]).max() < 1, "grey"
    assert lightness < 60, "and dark enough for a line"


def test_within_a_variant_colours_are_the_darker_the_higher_the_rate() -> None:
    asked = every_variant()
    colours = Colours([asked])
    cells = [cell for cell in asked.cells() if any(cell.dropout)]
    assert len({to_rgba(colours(cell)) for cell in cells}) == len(cells)
    for _, group in itertools.groupby(cells, key=lambda cell: cell.variant):
        lightness = [seen(colours(cell))[0, 0] for cell in group]
        assert len(lightness) == 3
        assert lightness == sorted(lightness, reverse=True)


def test_more_variants_than_hues_differ_in_shade_and_in_dash() -> None:
    asked = every_variant()
    colours = Colours([asked])
    count = len(HUES)
    colours._places = {name: count * place for place, name in enumerate(colours._places)}
    cells = [cell for cell in asked.cells() if max(cell.dropout) == 0.5][-3:]
    looks = [look for _, look in colours.lines(cells)]
    for key in ("color", "ls", "marker"):
        assert len({look[key] for look in looks}) == len(looks), key


def test_sigmoid_networks_are_not_taken_for_unscaled_dropout() -> None:
    asked = experiment(variants=["unscaled-dropout", "sigmoid-dropout"], dropout=[0.0, 0.5])
    by_variant = {cell.variant: to_rgba(Colours([asked])(cell)) for cell in asked.cells()}
    assert by_variant["sigmoid"] == by_variant["standard"]
    assert len(set(by_variant.values())) == 3


def test_a_network_has_one_colour_in_all_figures_of_a_report(tmp_path: Path) -> None:
    first = experiment(variants=["standout"], dropout=[0.0, 0.5])
    results = results_of(tmp_path, variants=["gaussian-dropout", "standout"])
    colours = Colours([first, results.experiment])
    for cell in first.cells():
        assert colours(cell) == Colours([first])(cell), "an experiment more changes nothing"
    by_cell = {cell.label: to_rgba(colours(cell)) for cell in results.experiment.cells()}
    assert by_cell["standard"] == to_rgba(NEUTRAL)
    assert len(set(by_cell.values())) == 3
    found = {}
    for line in itertools.chain(*(each.lines for each in curves.draw(results, colours).axes)):
        found[str(line.get_label()).split(",")[0]] = to_rgba(line.get_color())
    assert found == by_cell
    panel = cells.draw(results, colours).axes[0]
    labels = [text.get_text() for text in panel.get_yticklabels()]
    dots = [line for line in panel.lines if line.get_marker() == "o"]
    assert {labels[int(ys(dot)[0])]: to_rgba(dot.get_color()) for dot in dots} == by_cell
    compared = [
        Reproduction(cell, "test/accuracy", None, "", 0.9, [0.8, 0.9, 0.85])
        for cell in results.experiment.cells()
    ]
    panel = published.draw(compared, colours).axes[0]
    marks = [line for line in panel.lines if line.get_marker() == "|"]
    assert {str(x.get_label()): to_rgba(x.get_color()) for x in marks} == by_cell
    assert [text.get_text() for text in panel.get_yticklabels()] == ["test accuracy"] * 3
    assert [text.get_text() for text in panel.texts] == list(by_cell)


def test_published_figures_are_labelled_by_what_they_are(tmp_path: Path) -> None:
    results = results_of(tmp_path)
    cell = results.experiment.cells()[0]
    compared = [
        Reproduction(cell, metric, epoch, of, 0.9, [0.8, 0.9, 0.85])
        for metric, epoch, of in (
            ("test/accuracy", 3, ""), ("test/accuracy", None, "second run"), ("train/loss", 1, ""),
        )
    ]  # fmt: skip
    figure = published.draw(compared, colours_of(results))
    names = [[text.get_text() for text in each.get_yticklabels()] for each in figure.axes]
    assert names == [["test accuracy, epoch 3", "test accuracy, second run"], [
        "training loss, epoch 1"
    ]]  # fmt: skip
    assert "published" in shown(figure)


MANY: list[dict[str, Any]] = [
    {"dropout": [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]},
    {"variants": ["dropout", "standout", "batch-norm-dropout"], "dropout": [0.0, 0.3]},
    {"train_size": [100, 200], **TWO_OPTIONS},
    {"dropout": [0.0], "hidden": [[4], [5], [6], [7], [8], [9]]},
]


@pytest.mark.parametrize("changes", MANY)
def test_however_many_networks_each_has_panels_beside_the_same_without_dropout(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    results = results_of(tmp_path, **changes)
    assert curves.KIND in kind.of_experiment(results)
    colours = colours_of(results)
    figure = curves.draw(results, colours)
    titled = {panel.get_title(): panel for panel in figure.axes if panel.get_title()}
    cells = {cell.label: cell for cell in results.experiment.cells()}
    assert len(figure.axes) == 2 * len(titled), "loss and accuracy"
    drawn = set()
    for label, panel in titled.items():
        base = results.experiment.without_dropout(cells[label])
        networks = {cell.label: cell for cell in filter(None, (base, cells[label]))}
        for line in panel.lines:
            name = str(line.get_label()).rpartition(", ")[0]
            assert to_rgba(line.get_color()) == to_rgba(colours(networks[name]))
            drawn.add(name)
        assert len(panel.lines) == 3 * len(networks), "training, validation, test"
    assert drawn == set(cells)
    assert shown(figure) >= {"training", "validation", "test"}


def test_a_single_network_has_loss_and_accuracy_side_by_side(tmp_path: Path) -> None:
    results = results_of(tmp_path, dropout=[0.0, 0.5])
    figure = curves.draw(results, colours_of(results))
    loss, accuracy = figure.axes
    assert (loss.get_ylabel(), accuracy.get_ylabel()) == ("loss (nats)", "accuracy (%)")
    assert shown(figure) == {"training", "validation", "test", "standard"}
    cell = results.experiment.cells()[1]
    (line,) = [x for x in accuracy.lines if x.get_label() == "dropout 0.5, test"]
    means = results.of(cell, "curves").groupby("epoch")["test/accuracy"].mean()
    assert ys(line) == pytest.approx((100 * means).tolist())


def test_a_few_lines_are_named_at_their_ends_and_many_below(tmp_path: Path) -> None:
    for drawn in ([0.0, 0.1, 0.3, 0.5, 0.7], [0.0, 0.1, 0.2, 0.3, 0.5, 0.7]):
        asked = results_of(tmp_path / str(len(drawn)), measures=["corruption"], dropout=drawn)
        results = with_measure(asked, "corruption/contrast")
        figure = corruption.draw(results, colours_of(results))
        assert shown(figure) == {cell.label for cell in results.experiment.cells()}
        assert bool(figure.legends) == (len(drawn) > FEW)
    few = results_of(tmp_path / "few", measures=["corruption"], dropout=[0.0, 0.5])
    results = with_measure(few, "corruption/contrast")
    panel = corruption.draw(results, colours_of(results)).axes[-1]
    for line in panel.lines:
        colour, end = at_ends(panel)[str(line.get_label())]
        assert colour == to_rgba(line.get_color())
        assert end == (xs(line)[-1], ys(line)[-1])


@pytest.mark.parametrize(
    "heights", [[0.5, 0.5, 0.5], [0.9, 1.0, 0.95], [0.0, 0.02, 1.3], [0.4, 0.1, 0.8], [0.3]]
)
def test_names_are_moved_apart_in_their_order(heights: list[float]) -> None:
    moved = np.array(apart(heights, 0.1))
    order = np.argsort(heights, kind="stable")
    assert (np.diff(moved[order]) > 0.1 - 1e-9).all()
    assert 0 <= moved.min() <= moved.max() <= 1
    if heights[0] == 0.4:
        assert moved == pytest.approx(heights), "what is apart stays"


def test_averages_over_masks_are_shown_of_arms_that_choose_their_rate(tmp_path: Path) -> None:
    rate = {"choose": {"dropout": [0.2, 0.5]}}
    made = experiment(measures=["masks"]).model_dump(
        include={"dataset", "train_size", "validation", "hidden", "epochs", "batch_size"}
    )
    asked = Experiment.model_validate(
        made | {"learning_rate": 0.01, "seeds": [0, 1], "measures": ["masks"], "arms": {
            "none": {"choose": {"times_learning_rate": [1.0, 0.5]}},
            "dropout": {"variant": "dropout", **rate},
        }}
    )  # fmt: skip
    cells = {cell.label: cell for cell in asked.cells()}
    rows = [
        {"arm": "dropout", "seed": seed, "metric": f"masks/{of}", "at": at, "value": 0.5 + at / 100}
        for seed in (0, 1)
        for of in ("accuracy", "loss")
        for at in (0.0, 1.0, 10.0)
    ]
    empty = pd.DataFrame(columns=["arm", "seed"])
    results = Results(
        "small", asked, empty, empty, empty, pd.DataFrame(rows), empty, empty, versions={}
    )
    figure = masks.draw(results, Colours([asked]))
    (drawn,) = bars(figure.axes[0]).items()
    assert drawn[0] == "dropout"
    x, y, (colour, _) = drawn[1]
    assert x == [1.0, 10.0]
    assert y == pytest.approx([49.0, 40.0])
    assert colour == to_rgba(Colours([asked])(cells["dropout"]))
    assert set(at_ends(figure.axes[1])) == {"dropout"}


def test_confusions_share_one_scale_and_spare_the_diagonal(tmp_path: Path) -> None:
    results = results_of(tmp_path, classes=[0, 1, 2], measures=["examples"])
    counts = {"standard": [[90, 10, 0], [0, 100, 0], [0, 5, 95]], "dropout 0.5": [
        [60, 40, 0], [0, 100, 0], [0, 0, 100]
    ]}  # fmt: skip
    rows = [
        {"arm": label, "true": true, "predicted": taken, "images": images}
        for label, matrix in counts.items()
        for true, of_class in enumerate(matrix)
        for taken, images in enumerate(of_class)
    ]
    results = dataclasses.replace(results, confusion=pd.DataFrame(rows))
    panels = confusion.draw(results, colours_of(results)).axes
    assert [panel.get_title() for panel in panels] == list(counts)
    for panel, matrix in zip(panels, counts.values(), strict=True):
        (image,) = panel.images
        assert image.get_clim() == (0, 40), "the largest error of all"
        shares = np.asarray(image.get_array(), dtype=float)
        assert np.isnan(np.diag(np.ma.filled(shares, np.nan))).all()
        told = [float(text.get_text()) for text in panel.texts]
        assert told == list(itertools.chain(*matrix))


def test_every_figure_asks_a_question_and_its_caption_says_what_is_drawn(tmp_path: Path) -> None:
    results = results_of(tmp_path, dropout=[0.0, 0.3, 0.5])
    for each in kind.of_experiment(results):
        assert asked(each.draw(results, colours_of(results))).endswith("?")
    for name, each in kind.kinds().items():
        assert len(each.caption) > 60, name
        if "95 %" in each.caption:
            assert "95 % interval of the mean (Student's)" in each.caption, name


def test_cells_are_drawn_beside_the_same_without_dropout(tmp_path: Path) -> None:
    results = results_of(tmp_path, dropout=[0.0, 0.5], **TWO_OPTIONS)
    left, right = cells.draw(results, colours_of(results)).axes
    labels = [text.get_text() for text in left.get_yticklabels()]
    assert labels == [cell.label for cell in results.experiment.cells()]
    dots = [line for line in left.lines if line.get_marker() == "o"]
    for label, dot in zip(labels, dots, strict=True):
        assert xs(dot)[0] == pytest.approx(100 - error(results, label))
    gains = {
        labels[int(ys(line)[0])]: xs(line)[0] for line in right.lines if line.get_marker() == "o"
    }
    assert gains == pytest.approx({
        f"dropout 0.5, {name}": error(results, f"standard, {name}")
        - error(results, f"dropout 0.5, {name}")
        for name in ("nothing", "decay")
    })  # fmt: skip


def test_a_kind_is_its_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "one_more.py").write_text(
        "from matplotlib.figure import Figure\n"
        "from dropout_bench.report.figures.kind import Kind\n"
        "KIND = Kind('more', lambda results, colours: Figure(), lambda results: True, 'More.')\n"
    )
    before = list(kind.kinds())
    monkeypatch.setattr(figures, "__path__", [*figures.__path__, str(tmp_path)])
    kind.kinds.cache_clear()
    results = results_of(tmp_path)
    try:
        more = [each for each in kind.of_experiment(results) if each.name not in before]
        assert [each.caption for each in more] == ["More."]
        path = tmp_path / kind.file_of(results, more[0])
        kind.draw(path, "more", results, colours_of(results))
        assert path.name == "small-more.png"
        assert path.is_file()
    finally:
        kind.kinds.cache_clear()


def test_verdicts_differ_in_colour_and_mark_and_claims_stand_by_effect() -> None:
    verdicts = ("open", "supported", "no relevant difference", "contradicted")
    entries: list[Any] = [
        SimpleNamespace(
            name=f"{verdict}-{mean}", verdict=verdict,
            claim=SimpleNamespace(says=f"{verdict} {mean} {'and ' * 40}"),
            deciding=SimpleNamespace(towards_the_claim=Interval(mean, mean - 0.5, mean + 0.5)),
        )
        for verdict in verdicts
        for mean in (1.0, 3.0, 2.0)
    ]  # fmt: skip
    figure = ledger.draw(entries)
    (panel,) = figure.axes
    names = [text.get_text() for text in panel.get_yticklabels()]
    order = ("supported", "contradicted", "no relevant difference", "open")
    begins = [f"{verdict} {mean} and" for verdict in order for mean in (3.0, 2.0, 1.0)]
    assert all(name.startswith(begin) for name, begin in zip(names, begins, strict=True))
    assert all(name.endswith(" …") and len(name) <= ledger.LONGEST for name in names)
    looks = {
        str(line.get_label()): (line.get_marker(), line.get_markerfacecolor())
        for line in panel.lines
        if line.get_linestyle() == "None"
    }
    assert shown(figure) == set(looks) == set(verdicts)
    assert len(set(looks.values())) == 4
    assert len({(marker, face == "white") for marker, face in looks.values()}) == 4, "in grey too"
    low, high = sorted(panel.get_ylim())
    assert low < -0.5
    assert high > len(entries) - 0.5, "no mark is cut off"
