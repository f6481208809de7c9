"""Data sets of recordings: one file of events a sample."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from spqc.errors import InputError

from .dataset import Codes, DataSet, Labels
from .events import Events, FrameOptions, frames
from .known import Request


def recordings(
    request: Request,
    paths: Sequence[Path],
    labels: Labels,
    class_names: tuple[str, ...],
    options: FrameOptions,
    sensor: tuple[int, int],
    read: Callable[[Path], Events],
) -> DataSet:
    """Return the recordings as frames; a file is read when its sample is asked for, and the error names it."""

    def framed(index: int) -> Codes:
        path = paths[index]
        events = read(path)
        if not len(events):
            raise InputError("the recording holds no events", str(path), request.get_it)
        try:
            return frames(events, options, sensor)
        except InputError as error:
            raise replace(error, where=str(path), hint=error.hint or request.get_it) from None

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
    )
