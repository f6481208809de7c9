"""What a search may use, as people write it: lengths of time, and machines."""

from __future__ import annotations

import re

from spqc.foundation.errors import UsageError
from spqc.plugins.tuning import Tracker

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(text: str) -> float:
    """Return the seconds of `90`, `90s`, `10m` or `1.5h`; UsageError for anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text.strip())
    if match is None or float(match[1]) == 0:
        raise UsageError(f"'{text}' is no length of time", hint="write 90s, 10m or 1h")
    return float(match[1]) * _UNITS[match[2]]


def machines(tracker: str | None, key: str | None) -> Tracker | None:
    """Return the tracker `HOST:PORT` with its key, None where neither is given; UsageError for half of it."""
    if tracker is None and key is None:
        return None
    host, colon, port = (tracker or "").rpartition(":")
    if not key or not host or not colon or not port.isdigit() or not 0 < int(port) < 65536:
        raise UsageError("machines of a tracker need both its place and a key", hint="--tracker HOST:PORT --key K")
    return Tracker(host, int(port), key)
