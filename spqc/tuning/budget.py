"""Lengths of time as people write them."""

from __future__ import annotations

import re

from spqc.errors import UsageError

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(text: str) -> float:
    """Return the seconds of `90`, `90s`, `10m` or `1.5h`; UsageError for anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text.strip())
    if match is None or float(match[1]) == 0:
        raise UsageError(f"'{text}' is no length of time", hint="write 90s, 10m or 1h")
    return float(match[1]) * _UNITS[match[2]]
