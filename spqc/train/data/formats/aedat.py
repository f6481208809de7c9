"""AER-DAT 2.0 of a DVS128 camera, as CIFAR10-DVS ships it.

Lines that begin with `#`, the first of them `#!AER-DAT2.0`, then big-endian pairs of 32 bits, address and microseconds.
The counter of microseconds starts again after 2^32; else events are in order of time.
Address bits: 0 is 1 where it got darker, 1-7 and 8-14 are the pixel, 15 and above mark what is no camera event.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from spqc.foundation.errors import InputError

from ..events import Events, in_order
from ..files import complete, located, read_bytes
from ..order import Clock

SENSOR = (128, 128)
_VERSION = b"#!AER-DAT"


def read(path: Path, hint: str = "", late: int = 0) -> Events:
    """Return the events with the picture upright: x = 127 - bits 8-14, y = 127 - bits 1-7; late: as in `in_order`."""
    content = read_bytes(path, hint)
    version = content.partition(b"\n")[0].strip().removeprefix(_VERSION)
    if not content.startswith(_VERSION):
        raise InputError(f"this is no AER-DAT file: it does not begin with '{_VERSION.decode()}'", str(path), hint)
    if version != b"2.0":
        number = version.decode("latin-1")
        raise InputError(f"this is AER-DAT {number}, and CIFAR10-DVS was read as AER-DAT 2.0", str(path), hint)
    data = content[_header_size(content) :]
    complete(data, 8, "event", path, hint)
    address, time = np.frombuffer(data, ">u4").reshape(-1, 2).T.astype(np.int64)
    numbers = np.flatnonzero(address >> 15 == 0)
    address, time = address[numbers], Clock().continued(time[numbers])
    with located(path, hint):
        return in_order(time, 127 - (address >> 8 & 127), 127 - (address >> 1 & 127), 1 - (address & 1), late, numbers)


def _header_size(content: bytes) -> int:
    """Return where the events begin: an address never begins with the byte of `#`."""
    start = 0
    while content[start : start + 1] == b"#":
        end = content.find(b"\n", start)
        if end < 0:
            return len(content)
        start = end + 1
    return start
