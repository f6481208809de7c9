"""Prophesee's Gen1 automotive detection data: a minute of driving a file, boxes around cars and pedestrians."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from spqc.foundation.errors import InputError

from ..dataset import Boxes, Codes, DataSet
from ..events import Events, FrameOptions, Rule, collect, frame_numbers
from ..files import files_below, folder_below, located
from ..formats import prophesee
from ..formats.boxes import Annotations, read_boxes
from ..known import Known, Request, require
from ..order import shared_counts

SENSOR = (240, 304)
CLASSES = ("car", "pedestrian")


@dataclass(frozen=True)
class Options(FrameOptions):
    """A sample is what happened in the `duration` microseconds before a time at which there are boxes.

    Its frames divide that time evenly, or its events with frame_by=count. Boxes with a diagonal below min_diagonal or a
    side below min_side pixels, and those of the first `skip` microseconds, are left out, as in Perot et al., 2020.
    """

    steps: int = 1
    frame_by: Rule = "time"
    height: int = 223
    width: int = 287
    duration: int = 100_000
    skip: int = 500_000
    min_diagonal: float = 30
    min_side: float = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        for option in ("duration", "min_diagonal", "min_side", "skip"):
            require(option, getattr(self, option), 1 if option == "duration" else 0)


@dataclass(frozen=True)
class Moment:
    """A time of a recording at which there are boxes, float32 [n, 5] in pixels of the sensor."""

    path: Path
    time: int
    boxes: Boxes


def _moments(path: Path, options: Options, hint: str) -> list[Moment]:
    """Return the moments of a recording, in order, from the boxes beside it."""
    annotations = read_boxes(path.with_name(path.name.removesuffix("_td.dat") + "_bbox.npy"), hint)
    kept = annotations.select(_worth_finding(annotations, options)).inside(SENSOR)
    unknown = kept.classes[(kept.classes < 0) | (kept.classes >= len(CLASSES))]
    if len(unknown):
        raise InputError(f"a box has class {unknown[0]}; there are {len(CLASSES)}", str(path), hint)
    times = np.unique(kept.time)
    return [Moment(path, int(time), kept.select(kept.time == time).boxes()) for time in times]


def _worth_finding(annotations: Annotations, options: Options) -> npt.NDArray[np.bool_]:
    if not len(annotations):
        return np.zeros(0, np.bool_)
    width, height = annotations.place[:, 2], annotations.place[:, 3]
    large = np.minimum(width, height) >= options.min_side
    large &= np.hypot(width, height) >= options.min_diagonal
    return np.asarray(large & (annotations.time >= options.skip))


class Recordings:
    """The files of a split. The order of a file is read once; all readers of a training know that it is right."""

    def __init__(self, paths: list[Path], late: int, hint: str) -> None:
        self.numbers = {path: number for number, path in enumerate(paths)}
        self.late, self.hint = late, hint
        self.plain = shared_counts(len(paths))
        self.indices: dict[Path, prophesee.Index] = {}

    def between(self, path: Path, start: int, stop: int) -> Events:
        """Return the events of a file with start <= t < stop; InputError where its events are not in order."""
        recording = prophesee.read(path, self.hint)
        if recording.sensor not in (None, SENSOR):
            raise InputError(f"the recording is of a sensor of {recording.sensor}, not {SENSOR}", str(path), self.hint)
        if self.plain[self.numbers[path]]:
            self._require_end(path, int(recording.records["t"][-1]), start)
            return recording.between(start, stop)
        index = self.indices.get(path) or recording.index(self.late)
        if index.plain:
            self.plain[self.numbers[path]] = 1
        else:
            self.indices[path] = index
        self._require_end(path, index.watch.latest, start)
        return recording.between(start, stop, index)

    def _require_end(self, path: Path, last: int | None, start: int) -> None:
        if last is None or last < start:
            ends = "holds no events" if last is None else f"ends at {last} us"
            raise InputError(f"the recording {ends}, and there are boxes of what happened later", str(path), self.hint)


def _frames(moment: Moment, events: Events, options: Options, hint: str) -> Codes:
    start = moment.time - options.duration
    if options.frame_by == "time" and not options.window:
        numbers = (events.t - start) * options.steps // options.duration
    else:
        numbers = frame_numbers(events, options)
    with located(moment.path, hint):
        return collect(events, numbers, options, SENSOR)


def _scaled(boxes: Boxes, size: tuple[int, int]) -> Boxes:
    """Return boxes of the sensor in pixels of the frame."""
    down, right = size[0] / SENSOR[0], size[1] / SENSOR[1]
    return np.asarray(boxes * np.array([1, right, down, right, down]), np.float32)


def _largest(boxes: Boxes) -> int:
    return int(boxes[np.argmax(boxes[:, 3] * boxes[:, 4]), 0])


def _open(request: Request, options: Options) -> DataSet:
    folder = folder_below(request, f"detection_dataset_duration_60s_ratio_1.0/{request.split}", request.split)
    paths = files_below(folder, "*_td.dat")
    if not paths:
        raise InputError("there is no *_td.dat file", str(folder), request.get_it)
    moments = [moment for path in paths for moment in _moments(path, options, request.get_it)]
    if not moments:
        raise InputError("there is no box that is worth finding", str(folder), "see min_diagonal, min_side and skip")
    size, late = options.size(SENSOR), shared_counts(len(moments))
    recordings = Recordings(paths, options.late, request.get_it)

    def read(index: int) -> Codes:
        moment = moments[index]
        events = recordings.between(moment.path, max(moment.time - options.duration, 0), moment.time)
        late[index] = events.late
        return _frames(moment, events, options, request.get_it)

    return DataSet(
        name=request.name,
        split=request.split,
        description=f"moments of '{request.name}' with objects, {request.split} recordings",
        shape=(2, *size),
        steps=options.steps,
        class_names=CLASSES,
        encoding=options.encoding,
        labels=np.array([_largest(moment.boxes) for moment in moments], np.int64),
        read=read,
        boxes=lambda index: _scaled(moments[index].boxes, size),
        late=late,
    )


DATA_SETS = {
    "gen1": Known(
        "cars and pedestrians from a driving car, boxes to detect, event camera 304x240",
        _open,
        Options,
        "the folders train, val and test, each with pairs NAME_td.dat and NAME_bbox.npy",
        "Prophesee's GEN1 Automotive Detection Dataset",
        ("train", "val", "test"),
    )
}
