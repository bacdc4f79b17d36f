"""The runs that TensorBoard opens on: draws of an arm, and the mean over them."""

import itertools
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple, Self

import pandas as pd
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.plugins.custom_scalar.layout_pb2 import (
    Category,
    Chart,
    Layout,
    MultilineChartContent,
)
from tensorboard.plugins.hparams import summary_v2 as hparams
from tensorboard.util.tensor_util import make_tensor_proto

from dropout_bench.params.arms import Job
from dropout_bench.params.experiment import Experiment
from dropout_bench.params.values import rates_text, widths_text
from dropout_bench.tables.read import Results
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

    Its tables, if it has them; the folder of its evaluations, which need not be there; and that of
    its training's curves, unless it has tables of that.
    """

    experiment: Experiment
    results: Results | None
    pictures: Path
    live: Path | None


def under_way(live: Path, table: Path) -> Path | None:
    """Return a folder of live curves, unless it has none, or the table of runs came after them."""
    since = table.stat().st_mtime if table.is_file() else 0.0
    return live if any(file.stat().st_mtime > since for file in live.rglob(FILE)) else None


def write_board(folder: Path, shown: Mapping[str, Shown], every_seed: bool = False) -> Counter[str]:
    """Write the runs that TensorBoard is to show, each a folder with an event file.

    They are, for each arm, its first seed, or every seed, and the mean over all of them, which is
    one trial of the tab HPARAMS. Single seeds are left out where TensorBoard would then draw
    nothing by itself. The step is the epoch everywhere.

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
    means = [_Draw.mean(by_seed.values()) if by_seed else None for by_seed in draws]
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
    """The figures of a run, or means over runs: by epoch, and the test figures at an epoch."""

    curves: pd.DataFrame
    test: pd.Series
    epoch: int

    @classmethod
    def mean(cls, draws: Collection["_Draw"]) -> Self:
        """Return the mean over draws, at the epochs that all of them have.

        Where they were stopped, or are best, at different epochs, the test figures stand at the
        mean of these, rounded.
        """
        by_epoch = pd.concat([draw.curves for draw in draws]).groupby("epoch")
        curves = by_epoch.mean()[by_epoch.size() == len(draws)]
        test = pd.concat([draw.test for draw in draws], axis=1).mean(axis=1)
        return cls(curves, test, round(fmean(draw.epoch for draw in draws)))

    def events(self) -> list[Event]:
        """Return all figures, epoch by epoch."""
        figures: dict[Any, Any] = self.curves.to_dict("index")
        figures[self.epoch] = figures.get(self.epoch, {}) | self.test.to_dict()
        # A second an epoch: so the axis of relative times shows the epoch too.
        return [scalars(epoch, figures[epoch], float(epoch)) for epoch in sorted(figures)]


class _Arm(NamedTuple):
    """An arm: its experiment's name, what is shown of that, and its runs."""

    name: str
    shown: Shown
    jobs: list[Job]

    def draws(self) -> dict[int, _Draw]:
        """Read its draws from the tables, by seed."""
        results, cell = self.shown.results, self.jobs[0].cell
        if results is None:
            return {}
        best = cell.checkpoint == "best"
        tests = results.of(cell, "runs").set_index("seed").filter(like="test/").dropna(axis=1)
        draws = {}
        by_seed: Any = results.of(cell, "curves").groupby("seed")
        for seed, rows in by_seed:
            curves = rows.set_index("epoch").filter(like="/").dropna(axis=1)
            epoch = curves["val/loss"].idxmin() if best else curves.index.max()
            draws[seed] = _Draw(curves, tests.loc[seed], epoch)
        return draws

    def settings(self) -> dict[str, Any]:
        """Return the settings of its runs: what its experiment varies, then all others."""
        run = self.jobs[0].run
        given = run.model_dump(mode="json", exclude={"seed"})
        given |= {f"normalise {name}": value for name, value in given.pop("normalise").items()}
        given["classes"] = len(run.classes)
        cell, drawn = self.jobs[0].cell, self.shown.experiment.draw.names
        factor = {"times_learning_rate": "learning_rate"}
        given |= dict.fromkeys(drawn, "drawn")
        given |= dict.fromkeys([factor.get(name, name) for name in cell.arm.choose], "chosen")
        if "normalise" in drawn:
            given |= {"normalise mean": "drawn", "normalise sd": "drawn"}
        # The first axis of its parallel coordinates has little room for texts.
        rates = "chosen" if "dropout" in cell.arm.choose else rates_text(cell.dropout)
        first = {"dropout": rates, "experiment": self.name, "arm": cell.label}
        rest = {k: "none" if v is None else v for k, v in given.items() if k not in first}
        return {**first, **rest}

    def trial(self) -> str:
        """Name it by what varies in its experiment, briefly: TensorBoard shows 16 characters."""
        cell, experiment = self.jobs[0].cell, self.shown.experiment
        arm = cell.label.partition(",")[0]
        parts = [arm if experiment.arms else rates_text(cell.dropout)]
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
    tags = [{*mean.test.index, *mean.curves} for mean in means]
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
        tensor=make_tensor_proto(Layout(category=categories).SerializeToString()),
    )
    return Summary(value=[value])
