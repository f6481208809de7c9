"""Data sets of recordings: one file of events a sample."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from spqc.foundation.errors import InputError

from .dataset import Codes, DataSet, Labels
from .events import Events, FrameOptions, frames
from .files import located
from .known import Request
from .order import shared_counts


def recordings(
    request: Request,
    paths: Sequence[Path],
    labels: Labels,
    class_names: tuple[str, ...],
    options: FrameOptions,
    sensor: tuple[int, int],
    read: Callable[[Path, str, int], Events],
) -> DataSet:
    """Return the recordings as frames; a file is read when its sample is asked for, and the error names it.

    read: the events of a file, given a hint and by how many microseconds one may come too late.
    """
    late = shared_counts(len(paths))

    def framed(index: int) -> Codes:
        path = paths[index]
        events = read(path, request.get_it, options.late)
        if not len(events):
            raise InputError("the recording holds no events", str(path), request.get_it)
        late[index] = events.late
        with located(path, request.get_it):
            return frames(events, options, sensor)

    return DataSet(
        name=request.name,
        split=request.split,
        description=f"recordings of '{request.name}', {request.split} samples",
        shape=(2, *options.size(sensor)),
        steps=options.steps,
        class_names=class_names,
        encoding=options.encoding,
        labels=labels,
        read=framed,
        late=late,
    )
