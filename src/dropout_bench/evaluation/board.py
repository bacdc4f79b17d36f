"""What evaluation adds to the runs' TensorBoard events."""

import time
from collections.abc import Mapping
from pathlib import Path

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
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from dropout_bench.params.experiment import Experiment

_EVALUATED = ".evaluated"
_LAYOUT = "layout"


def log_test_figures(
    name: str,
    experiment: Experiment,
    logs: Path,
    results: Path,
    pictures: Mapping[str, bytes] | None = None,
) -> None:
    """Add the test figures of ``runs.csv`` to the runs' events, for the HPARAMS tab.

    Args:
        name: the experiment's name.
        experiment: the experiment.
        logs: the folder of all events.
        results: the folder of all results.
        pictures: event files with histograms and images, by the runs that have them.
    """
    path = results / name / "runs.csv"
    if not path.is_file():
        return
    # The rows are in the order of the jobs.
    rows = pd.read_csv(path).to_dict("records")
    for job, row in zip(experiment.jobs(), rows, strict=False):
        folder = logs / name / job.name
        evaluated = max((file.stat().st_mtime for file in folder.glob(f"*{_EVALUATED}")), default=0)
        if folder.is_dir() and evaluated < path.stat().st_mtime:
            figures = {str(key): value for key, value in row.items()}
            _log(folder, int(row["epochs"]), figures, (pictures or {}).get(job.name, b""))


def _log(folder: Path, step: int, figures: Mapping[str, float], pictures: bytes) -> None:
    for earlier in folder.glob(f"*{_EVALUATED}"):
        earlier.unlink()
    values = [
        Summary.Value(tag=name, simple_value=value)
        for name, value in figures.items()
        if name.startswith("test/")
    ]
    _write(folder, Event(wall_time=time.time(), step=step, summary=Summary(value=values)), pictures)


def _write(folder: Path, event: Event, more: bytes = b"") -> None:
    writer = EventFileWriter(str(folder), filename_suffix=_EVALUATED)
    writer.add_event(event)
    writer.close()
    (file,) = folder.glob(f"*{_EVALUATED}")
    with file.open("ab") as end:
        end.write(more)


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


def write_layout(logs: Path) -> None:
    """Lay out the Custom Scalars tab: each chart has all runs that are chosen."""
    folder = logs / _LAYOUT
    if folder.is_dir():
        return
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
    folder.mkdir(parents=True)
    _write(folder, Event(wall_time=time.time(), step=0, summary=Summary(value=[value])))
