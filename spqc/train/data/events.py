"""Events of a camera, and how they are collected into frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from spqc.foundation.errors import InputError, UsageError
from spqc.ir.inputs import Encoding

from .dataset import Codes
from .known import require
from .order import MOST_LATE, Watch

Integers = npt.NDArray[np.int64]
Rule = Literal["count", "time"]


@dataclass(frozen=True)
class Events:
    """Events in order of time: t in microseconds, x and y in pixels, p 0 (darker) or 1 (brighter), each [n].

    late: how many of the recording came too late in their file, and were put in order.
    """

    t: Integers
    x: Integers
    y: Integers
    p: Integers
    late: int = 0

    def __len__(self) -> int:
        return len(self.t)

    def between(self, start: int, stop: int) -> Events:
        """Return the events with start <= t < stop."""
        part = slice(*np.searchsorted(self.t, (start, stop)))
        return Events(self.t[part], self.x[part], self.y[part], self.p[part], self.late)


def in_order(
    t: npt.NDArray[Any],
    x: npt.NDArray[Any],
    y: npt.NDArray[Any],
    p: npt.NDArray[Any],
    late: int = 0,
    numbers: Integers | None = None,
) -> Events:
    """Return the events of a file in order of time; those of one microsecond stay as they came.

    late: by how many microseconds an event may come too late; such events are sorted, and counted.
    numbers: of the events in their file. InputError names the first event that comes later than that.
    """
    columns: list[Integers] = [np.asarray(column).astype(np.int64) for column in (t, x, y, p)]
    watch = Watch(late)
    watch.follow(columns[0], numbers)
    if watch.late:
        order = np.argsort(columns[0], kind="stable")
        columns = [column[order] for column in columns]
    time, column, row, polarity = columns
    return Events(time, column, row, polarity, watch.late)


@dataclass(frozen=True)
class FrameOptions:
    """How events become frames [T, 2, H, W], channel 0 the events that got darker.

    steps: T. frame_by: a frame holds a number of events ("count") or a time ("time"). window: that number, or that
    time in microseconds, from the first event on; what is beyond the last frame is left out, and a recording that is
    too short ends with empty frames. 0 divides the whole recording evenly.
    clip: the greatest count of a pixel; 1 gives spikes, up to 16 codes of 'digits', up to 255 of 'pixels'.
    height, width: of a frame, at most the sensor's, which 0 stands for; a pixel collects the sensor's pixels it covers.
    late: by how many microseconds an event may come too late in its file; such events are put in order and counted.
    """

    steps: int = 10
    frame_by: Rule = "count"
    window: int = 0
    clip: int = 1
    height: int = 0
    width: int = 0
    late: int = 0

    def __post_init__(self) -> None:
        require("steps", self.steps, 1, 10_000)
        require("window", self.window, 0)
        require("clip", self.clip, 1, 255)
        require("height", self.height, 0)
        require("width", self.width, 0)
        require("late", self.late, 0, MOST_LATE)
        if self.frame_by not in get_args(Rule):
            raise UsageError(f"frame_by must be one of {', '.join(get_args(Rule))}, not {self.frame_by!r}")

    @property
    def encoding(self) -> Encoding:
        """Return the encoding whose codes reach `clip`."""
        return "spikes" if self.clip == 1 else "digits" if self.clip <= 16 else "pixels"

    def size(self, sensor: tuple[int, int]) -> tuple[int, int]:
        """Return height and width of a frame of a sensor [H, W]; UsageError where it would be larger."""
        height, width = self.height or sensor[0], self.width or sensor[1]
        if height > sensor[0] or width > sensor[1]:
            raise UsageError(
                f"frames of {height}x{width} are larger than the sensor, {sensor[0]}x{sensor[1]}",
                hint="events can be collected into fewer pixels, not spread over more",
            )
        return height, width


def frame_numbers(events: Events, options: FrameOptions) -> Integers:
    """Return the frame of each event, [n]; numbers of `steps` and more are beyond the last frame."""
    if options.frame_by == "count":
        position = np.arange(len(events), dtype=np.int64)
        return position // options.window if options.window else position * options.steps // max(len(events), 1)
    if not len(events):
        return np.zeros(0, np.int64)
    since = events.t - events.t[0]
    return np.asarray(since // options.window if options.window else since * options.steps // (since[-1] + 1))


def collect(events: Events, numbers: Integers, options: FrameOptions, sensor: tuple[int, int]) -> Codes:
    """Return frames uint8 [T, 2, H, W]: clipped counts of the events of each frame, polarity and pixel.

    sensor: its height and width. Raises InputError for an event that lies outside.
    """
    check_inside(events, sensor)
    height, width = options.size(sensor)
    kept = (numbers >= 0) & (numbers < options.steps)
    row, column = events.y[kept] * height // sensor[0], events.x[kept] * width // sensor[1]
    place = ((numbers[kept] * 2 + events.p[kept]) * height + row) * width + column
    counts = np.bincount(place, minlength=options.steps * 2 * height * width)
    return np.minimum(counts, options.clip).astype(np.uint8).reshape(options.steps, 2, height, width)


def frames(events: Events, options: FrameOptions, sensor: tuple[int, int]) -> Codes:
    """Return the frames uint8 [T, 2, H, W] of a recording."""
    return collect(events, frame_numbers(events, options), options, sensor)


def check_inside(events: Events, sensor: tuple[int, int]) -> None:
    """Raise InputError for an event outside the sensor [H, W] or with a polarity that is neither 0 nor 1."""
    inside = (events.x >= 0) & (events.x < sensor[1]) & (events.y >= 0) & (events.y < sensor[0])
    inside &= (events.p == 0) | (events.p == 1)
    if not inside.all():
        first = int(np.argmin(inside))
        place = f"x {events.x[first]}, y {events.y[first]}, polarity {events.p[first]}"
        raise InputError(f"event {first} has {place}; the sensor has {sensor[1]} x {sensor[0]} pixels, polarities 0, 1")
