"""The 40-bit events of N-MNIST and N-Caltech101 (Orchard et al., 2015).

Five bytes an event: x, y, then polarity (1 bit, 1 where it got brighter) and microseconds (23 bits), big-endian. The
row 240 is no pixel: it says that 8192 microseconds have passed.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..events import Events, in_order
from ..files import complete, located, read_bytes

_OVERFLOW_ROW = 240
_OVERFLOW_TIME = 1 << 13


def read(path: Path, hint: str = "", late: int = 0) -> Events:
    """Return the events of a file; late: as in `in_order`."""
    content = read_bytes(path, hint)
    complete(content, 5, "event", path, hint)
    x, y, high, middle, low = np.frombuffer(content, np.uint8).reshape(-1, 5).T.astype(np.int64)
    overflow = y == _OVERFLOW_ROW
    time = ((high & 127) << 16) + (middle << 8) + low + _OVERFLOW_TIME * np.cumsum(overflow)
    numbers = np.flatnonzero(~overflow)
    with located(path, hint):
        return in_order(time[numbers], x[numbers], y[numbers], high[numbers] >> 7, late, numbers)
