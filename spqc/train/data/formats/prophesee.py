"""Prophesee's DAT files, version 2, as N-Cars and Gen1 ship them.

Lines that begin with `% `, two bytes (type and size of an event), then little-endian pairs of 32 bits: microseconds,
and x (14 bits), y (14 bits), polarity (1 bit, 1 where it got brighter) from the lowest bit on. The counter of
microseconds starts again after 2^32; else events are in order of time.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from spqc.foundation.errors import InputError

from ..events import Events, Integers, in_order
from ..files import located
from ..order import TURN, Clock, Watch

_EVENT_SIZE = 8
_BLOCK = 1 << 16
_LONGEST_HEADER = 1 << 16
_TYPES = (0, 12)  # generic 2-D events, and contrast detection
_RECORD = np.dtype([("t", "<u4"), ("xyp", "<u4")])


@dataclass(frozen=True)
class Recording:
    """A DAT file whose events stay on the disk until they are asked for; `sensor` [H, W] where the header has it."""

    path: Path
    records: npt.NDArray[np.void]
    sensor: tuple[int, int] | None
    hint: str = ""

    def __len__(self) -> int:
        return len(self.records)

    def all(self, late: int = 0) -> Events:
        """Return every event; late: as in `in_order`. InputError for events that are not in order."""
        times = Clock().continued(self.records["t"])
        return self._decoded(self.records, times, np.arange(len(times)), late)

    def index(self, late: int = 0) -> Index:
        """Read every time once; InputError for events that are not in order, but for those up to `late` too late."""
        clock, watch = Clock(), Watch(late)
        marks = []
        with located(self.path, self.hint):
            for start in range(0, len(self.records), _BLOCK):
                marks.append((replace(clock), watch.latest))
                watch.follow(clock.continued(self.records["t"][start : start + _BLOCK]))
        latest = [mark[1] for mark in marks[1:]] + [watch.latest]
        return Index(tuple(mark[0] for mark in marks), np.array(latest if marks else [], np.int64), watch)

    def between(self, start: int, stop: int, index: Index | None = None) -> Events:
        """Return the events with start <= t < stop; None for the index: of a file that is known to be in order."""
        if index is None:
            first, last = (self._first_from(time) for time in (start, stop))
            part = self.records[first:last]
            return self._decoded(part, part["t"].astype(np.int64), np.arange(first, last), 0)
        first, last, clock = index.blocks(start, stop)
        part = self.records[first:last]
        times = clock.continued(part["t"])
        kept = np.flatnonzero((times >= start) & (times < stop))
        return self._decoded(part[kept], times[kept], first + kept, index.watch.allowed)

    def _first_from(self, time: int) -> int:
        return bisect_left(range(len(self.records)), time, key=lambda index: int(self.records[index]["t"]))

    def _decoded(self, records: npt.NDArray[np.void], times: Integers, numbers: Integers, late: int) -> Events:
        packed = records["xyp"].astype(np.int64)
        with located(self.path, self.hint):
            return in_order(times, packed & 0x3FFF, packed >> 14 & 0x3FFF, packed >> 28 & 1, late, numbers)


@dataclass(frozen=True)
class Index:
    """Where the times of a file are: for each block of events the clock before it and the latest time up to its end."""

    clocks: tuple[Clock, ...]
    latest: Integers
    watch: Watch

    @property
    def plain(self) -> bool:
        """Return whether the counter neither starts again nor goes back: the file can be searched without an index."""
        return not self.watch.late and bool((self.latest < TURN).all())

    def blocks(self, start: int, stop: int) -> tuple[int, int, Clock]:
        """Return from and to which event all with start <= t < stop lie, and the clock before them."""
        first = int(np.searchsorted(self.latest, start))
        last = int(np.searchsorted(self.latest, stop + self.watch.allowed)) + 1
        clock = self.clocks[first] if first < len(self.clocks) else Clock()
        return first * _BLOCK, max(last, first) * _BLOCK, replace(clock)


def read(path: Path, hint: str = "") -> Recording:
    """Open a file; InputError for another kind of file, another version, or one that is cut off."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(_LONGEST_HEADER)
    except FileNotFoundError:
        raise InputError("there is no such file", str(path), hint) from None
    except OSError as error:
        raise InputError(f"the file cannot be read: {error.strerror}", str(path), hint) from None
    start, fields = _header(head, path, hint)
    kind, event_size = _kind(head[start : start + 2], path, hint)
    if kind not in _TYPES or event_size != _EVENT_SIZE:
        raise InputError(f"events of type {kind} and {event_size} bytes are not known", str(path), hint)
    left = (size - start - 2) % _EVENT_SIZE
    if left:
        raise InputError(f"the file is cut off: {left} bytes are left after the last event of 8", str(path), hint)
    records = _mapped(path, start + 2, (size - start - 2) // _EVENT_SIZE)
    return Recording(path, records, _sensor(fields, path, hint), hint)


def _header(head: bytes, path: Path, hint: str) -> tuple[int, dict[str, str]]:
    """Return where the header ends, and its words."""
    if not head.startswith(b"% "):
        what = "is empty" if not head else "does not begin with '% '"
        raise InputError(f"this is no DAT file of Prophesee: it {what}", str(path), hint)
    start, fields = 0, {}
    while head[start : start + 2] == b"% ":
        end = head.find(b"\n", start)
        if end < 0:
            raise InputError("the file is cut off in its header", str(path), hint)
        name, _, value = head[start + 2 : end].decode("latin-1").strip().partition(" ")
        fields[name] = value.strip()
        start = end + 1
    version = fields.get("Version", "2")
    if version != "2":
        raise InputError(f"DAT files of version {version} are not known, only version 2", str(path), hint)
    return start, fields


def _kind(pair: bytes, path: Path, hint: str) -> tuple[int, int]:
    if len(pair) < 2:
        raise InputError("the file is cut off: type and size of the events are missing", str(path), hint)
    return pair[0], pair[1]


def _sensor(fields: dict[str, str], path: Path, hint: str) -> tuple[int, int] | None:
    if "Height" not in fields or "Width" not in fields:
        return None
    try:
        return int(fields["Height"]), int(fields["Width"])
    except ValueError:
        raise InputError("the header names a size that is no number", str(path), hint) from None


def _mapped(path: Path, offset: int, count: int) -> npt.NDArray[np.void]:
    """Return the records without reading them: files of Gen1 hold a minute of driving each."""
    if not count:
        return np.zeros(0, _RECORD)
    return np.memmap(path, _RECORD, "r", offset, (count,))
