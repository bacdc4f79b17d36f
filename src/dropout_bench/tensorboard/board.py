"""The runs that TensorBoard opens on: draws of an arm, and the mean over them."""

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.plugins.custom_scalar.layout_pb2 import (
    Category,
    Chart,
    Layout,
    MultilineChartContent,
)
from tensorboard.plugins.hparams import summary_v2 as hparams

from dropout_bench.params.experiment import Experiment
from dropout_bench.params.run import Job
from dropout_bench.params.values import rates_text, widths_text
from dropout_bench.tensorboard.events import FILE, FIRST, records, scalars

TICKED = 40
"""TensorBoard draws the curves of all its runs by itself if there are no more than so many."""

PICTURES = "pictures.tfevents"
"""Name of the file with a run's histograms and images, among its evaluation."""

CHARTS = {
    "with and without dropout": {
        "training loss": ["train/loss"],
        "validation loss": ["val/loss"],
        "training accuracy": ["train/accuracy"],
        "validation accuracy": ["val/accuracy"],
    },
    "training against validation": {
        "loss": ["train/loss", "val/loss"],
        "accuracy": ["train/accuracy", "val/accuracy"],
    },
}
"""The charts of the tab Custom Scalars; each has all runs that are chosen."""

METRICS = tuple(
    f"{split}/{it}" for split in ("test", "val", "train") for it in ("accuracy", "loss")
)
"""The figures of the tab HPARAMS, which opens on the first five of them."""


class Shown(NamedTuple):
    """What is shown of an experiment.

    Attributes:
        experiment: the experiment.
        runs: its table of runs, and
        curves: its table of curves; None if it has none.
        pictures: the folder of its evaluations, which need not be there.
        live: the folder of its training's curves; None if it has tables of that.
    """

    experiment: Experiment
    runs: pd.DataFrame | None
    curves: pd.DataFrame | None
    pictures: Path
    live: Path | None = None


def under_way(live: Path, table: Path) -> Path | None:
    """Return a folder of live curves, unless it has none, or the table of runs came after them."""
    since = table.stat().st_mtime if table.is_file() else 0.0
    return live if any(file.stat().st_mtime > since for file in live.rglob(FILE)) else None


def write_board(folder: Path, shown: Mapping[str, Shown], every_seed: bool = False) -> Counter[str]:
    """Write the runs that TensorBoard is to show, each a folder with an event file.

    They are, for each arm, its first seed, or every seed, and the mean over all of them, which is
    one trial of the tab HPARAMS. Single seeds are left out where TensorBoard would then draw
    nothing by itself. The step is the epoch everywhere.

    Args:
        folder: an empty folder.
        shown: what is shown, by the experiment's name.
        every_seed: whether to show all seeds.

    Returns:
        How many runs there are of each kind: ``mean``, ``seed`` and ``live``.
    """
    arms = [
        _Arm(name, one, list(jobs))
        for name, one in shown.items()
        for _, jobs in itertools.groupby(one.experiment.jobs(), lambda job: job.cell)
    ]
    settings = _settings(arms)
    draws = [arm.draws() for arm in arms]
    means = [_mean(list(by_seed.values())) if by_seed else None for by_seed in draws]
    heads = [_head(settings, [mean for mean in means if mean]), _layout()]
    live = sum(arm.shown.live is not None for arm in arms)
    means_only = not every_seed and 2 * len(arms) + live > TICKED
    counts = Counter[str]()
    for arm, setting, by_seed, mean in zip(arms, settings, draws, means, strict=True):
        place = folder / arm.name / arm.jobs[0].cell.label.replace("/", "+")
        if mean:
            trial = arm.trial() if len(shown) == 1 else f"{arm.trial()} {arm.name}"
            about = [hparams.hparams_pb(setting, trial, 0.0), *heads]
            first = [Event(summary=summary) for summary in about]
            _write(place / "mean", [*first, *mean.events()])
            heads = []  # what is of all runs may stand in any
            counts["mean"] += 1
        for job in arm.jobs if every_seed else arm.jobs[:1]:
            seed = job.run.seed
            if seed in by_seed and not means_only:
                pictures = arm.shown.pictures / job.name / PICTURES
                more = pictures.read_bytes() if pictures.is_file() else b""
                _write(place / f"seed={seed}", by_seed[seed].events(), more)
                counts["seed"] += 1
            if arm.shown.live is not None:
                # A link, since it grows; its folder may be yet to come.
                growing = (arm.shown.live / job.name).resolve()
                growing.mkdir(parents=True, exist_ok=True)
                place.mkdir(parents=True, exist_ok=True)
                (place / f"live seed={seed}").symlink_to(growing)
                counts["live"] += 1
    return counts


def _write(folder: Path, events: Iterable[Event], more: bytes = b"") -> None:
    folder.mkdir(parents=True)
    (folder / FILE).write_bytes(records([FIRST, *events]) + more)


class _Draw(NamedTuple):
    """The figures of a run, or means over runs.

    Attributes:
        curves: a row an epoch, by which it is indexed; a column a tag.
        test: test figures, by tag.
        epoch: the one whose weights they are of.
    """

    curves: pd.DataFrame
    test: "pd.Series[float]"
    epoch: int

    def points(self) -> pd.DataFrame:
        """Return all figures by epoch; NaN where there is none."""
        points = self.curves.reindex(columns=self.curves.columns.union(self.test.index))
        points.loc[self.epoch, self.test.index] = self.test
        return points.sort_index()

    def events(self) -> list[Event]:
        """Return the figures of each epoch."""
        points = self.points()
        # A second an epoch: so the axis of relative times shows the epoch too.
        return [
            scalars(epoch, dict(zip(map(str, row.index), row, strict=True)), float(epoch))
            for epoch in points.index.tolist()
            if len(row := points.loc[epoch].dropna())
        ]


class _Arm(NamedTuple):
    """An arm: its experiment's name, what is shown of that, and its runs."""

    name: str
    shown: Shown
    jobs: list[Job]

    def draws(self) -> dict[int, _Draw]:
        """Read its draws from the tables, by seed."""
        if self.shown.runs is None or self.shown.curves is None:
            return {}
        cell = self.jobs[0].cell
        curves = dict(iter(cell.rows_of(self.shown.curves).groupby("seed")))
        draws = {}
        for row in cell.rows_of(self.shown.runs).to_dict("records"):
            curve = curves[row["seed"]].set_index("epoch").filter(like="/")
            best = self.shown.experiment.checkpoint == "best"
            epoch = int(curve["val/loss"].argmin()) + 1 if best else len(curve)
            test = {tag: value for tag, value in row.items() if str(tag).startswith("test/")}
            draws[int(row["seed"])] = _Draw(curve, pd.Series(test, dtype=float), epoch)
        return draws

    def settings(self) -> dict[str, Any]:
        """Return the settings of its runs: what its experiment varies, then all others."""
        run = self.jobs[0].run
        given = run.model_dump(mode="json", exclude={"seed"})
        given |= {f"normalise {name}": value for name, value in given.pop("normalise").items()}
        given["classes"] = len(run.classes)
        row = self.jobs[0].cell.row()
        rest = {k: "none" if v is None else v for k, v in given.items() if k not in row}
        # The first axis of its parallel coordinates has little room for texts.
        return {"dropout": row["dropout"], "experiment": self.name, **row, **rest}

    def trial(self) -> str:
        """Name it by what varies in its experiment, briefly: TensorBoard shows 16 characters."""
        cell, experiment = self.jobs[0].cell, self.shown.experiment
        parts = [rates_text(cell.dropout)]
        if len(experiment.input_dropout) > 1:
            parts.append(f"input {cell.input_dropout}")
        if len(experiment.hidden) > 1:
            alike = len(set(cell.hidden)) == 1
            widths = f"{len(cell.hidden)}×{cell.hidden[0]}" if alike else widths_text(cell.hidden)
            parts.append(widths)
        if len(experiment.train_size) > 1:
            parts.append(f"{cell.train_size} images")
        if len(experiment.variants) > 1:
            parts.append(cell.variant)
        return " ".join([*parts, cell.options]).strip()


def _mean(draws: list[_Draw]) -> _Draw:
    """Return the mean over draws, at the epochs that all of them have.

    Where draws were stopped, or are best, at different epochs, the test figures stand at the mean
    of these, rounded.
    """
    by_epoch = pd.concat([draw.curves for draw in draws]).groupby(level=0)
    curves = by_epoch.mean()[by_epoch.size() == len(draws)]
    test = pd.concat([draw.test for draw in draws], axis=1).mean(axis=1)
    return _Draw(curves, test, round(sum(draw.epoch for draw in draws) / len(draws)))


def _settings(arms: list[_Arm]) -> list[dict[str, float | str]]:
    """Return the settings of each arm, all numbers or all texts; first those that differ."""
    rows = [arm.settings() for arm in arms]
    columns = {name: _of_one_type([row[name] for row in rows]) for name in rows[0]}
    names = sorted(columns, key=lambda name: len(set(columns[name])) == 1)
    # TensorBoard sorts them by name, and shows their titles.
    titles = {name: f"{number:02} {name.replace('_', ' ')}" for number, name in enumerate(names)}
    return [{titles[name]: columns[name][number] for name in names} for number in range(len(arms))]


def _of_one_type(values: list[Any]) -> list[float | str]:
    try:
        return [float(value) for value in values]
    except (TypeError, ValueError):
        return [str(value) for value in values]


def _head(settings: list[dict[str, float | str]], means: list[_Draw]) -> Summary:
    """Return the columns of the tab HPARAMS.

    A figure that some arm lacks is none of them: its parallel coordinates would leave the arm out.
    """
    tags = [set(mean.points().dropna(axis=1, how="all")) for mean in means]
    values = {title: {setting[title] for setting in settings} for title in settings[0]}
    return hparams.hparams_config_pb(
        [hparams.HParam(t, hparams.Discrete(found), t[3:]) for t, found in values.items()],
        [hparams.Metric(tag) for tag in METRICS if all(tag in found for found in tags)],
        0.0,
    )


def _layout() -> Summary:
    """Return the charts of the tab Custom Scalars."""
    categories = [
        Category(
            title=title,
            chart=[
                Chart(title=name, multiline=MultilineChartContent(tag=[f"^{tag}$" for tag in tags]))
                for name, tags in charts.items()
            ],
        )
        for title, charts in CHARTS.items()
    ]
    # As torch.utils.tensorboard writes it; torch itself would take a second to load.
    plugin = SummaryMetadata.PluginData(plugin_name="custom_scalars")
    value = Summary.Value(
        tag="custom_scalars__config__",
        metadata=SummaryMetadata(plugin_data=plugin),
        tensor=TensorProto(
            dtype="DT_STRING",
            string_val=[Layout(category=categories).SerializeToString()],
            tensor_shape=TensorShapeProto(),
        ),
    )
    return Summary(value=[value])
