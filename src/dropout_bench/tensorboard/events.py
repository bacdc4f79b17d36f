"""Event files as bytes, by TensorBoard's own protocol buffers: without torch, without a clock."""

import io
from collections.abc import Iterable, Mapping

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

FILE = "events.out.tfevents"
"""Name of an event file; TensorBoard goes by its end."""

FIRST = Event(file_version="brain.Event:2")
"""What an event file begins with."""


def records(events: Iterable[Event]) -> bytes:
    """Write events as the records that a file is made of; equal events give equal bytes."""
    content = io.BytesIO()
    writer = RecordWriter(content)
    for event in events:
        writer.write(event.SerializeToString(deterministic=True))
    return content.getvalue()


def scalars(epoch: int, figures: Mapping[str, float], wall_time: float = 0.0) -> Event:
    """Return figures, by tag, that stand at an epoch."""
    values = [Summary.Value(tag=tag, simple_value=value) for tag, value in figures.items()]
    return Event(wall_time=wall_time, step=epoch, summary=Summary(value=values))
