"""Tuning records: one JSON object a line, only ever appended; files merge by concatenation.

A line is written by one write and flushed to the disk, so that a kill loses at most the line being written. A reader
skips what is no record, with a warning, and a writer begins a new line after a torn one.
"""

from __future__ import annotations

import json
import logging
import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from spqc.foundation.errors import OutputError, UsageError
from spqc.plugins.target import Finding

_LOG = logging.getLogger(__name__)
VERSION = 1
LARGEST_BYTES = 256 << 20  # a million measurements
_LONGEST_NS, _LARGEST_SETTING = 1e18, 1 << 31  # thirty years
_KINDS: dict[str, type | tuple[type, ...]] = {
    "key": str, "strategy": str, "settings": dict, "time_ns": (int, float), "date": str, "spqc": str, "version": int,
}  # fmt: skip


@dataclass(frozen=True)
class Record:
    """One measurement: `key` says the kernel, its shapes, the class of its input's density, and the CPU."""

    key: str
    strategy: str
    settings: Mapping[str, int]
    time_ns: float
    date: str
    spqc: str
    version: int = VERSION

    @property
    def finding(self) -> Finding:
        return Finding(self.strategy, dict(self.settings), self.time_ns, self.date)


def read_records(path: Path) -> list[Record]:
    """Return the records of a file in order, none where there is no file; what is no record is skipped, aloud."""
    try:
        content = _content(path)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UsageError(f"the records cannot be read: {error.strerror}", str(path)) from None
    records = []
    lines = content.split(b"\n")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        record = _record(line)
        if record is not None:
            records.append(record)
        else:
            torn = "was not written completely" if number == len(lines) else "is no tuning record"
            _LOG.warning("warning: %s, line %d %s: skipped", path, number, torn)
    return records


def _content(path: Path) -> bytes:
    """Return the bytes of a file; a device or a pipe, which may never end, is none."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise UsageError("the records are not in a regular file", str(path), "name another with --records FILE")
    if path.stat().st_size > LARGEST_BYTES:
        raise UsageError(f"the records have more than {LARGEST_BYTES} bytes", str(path), "name another with --records")
    return path.read_bytes()


def _record(line: bytes) -> Record | None:
    try:
        raw = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(raw, dict) or not all(isinstance(raw.get(name), kind) for name, kind in _KINDS.items()):
        return None
    settings = raw["settings"]
    whole = all(type(value) is int and abs(value) <= _LARGEST_SETTING for value in settings.values())
    if not whole or raw["version"] != VERSION or not 0 < raw["time_ns"] <= _LONGEST_NS:
        return None
    return Record(**{name: raw[name] for name in _KINDS})


def findings(records: Iterable[Record]) -> dict[str, tuple[Finding, ...]]:
    """Return, for each key, every strategy and settings with its best time, the fastest first."""
    best: dict[str, dict[str, Finding]] = {}
    for record in records:
        kept = best.setdefault(record.key, {})
        name = _name(record.strategy, record.settings)
        if name not in kept or record.time_ns < kept[name].time_ns:
            kept[name] = record.finding
    order = {key: sorted(kept.items(), key=lambda item: (item[1].time_ns, item[0])) for key, kept in best.items()}
    return {key: tuple(finding for _, finding in kept) for key, kept in order.items()}


def _name(strategy: str, settings: Mapping[str, int]) -> str:
    return f"{strategy} {json.dumps(dict(settings), sort_keys=True)}"


class Journal:
    """Appends records to a file, each safe on the disk before `append` returns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
        except OSError as error:
            raise self._refused(error) from None

    def append(self, record: Record) -> None:
        """Write one line at once; OutputError when the disk refuses."""
        line = json.dumps(asdict(record), sort_keys=True).encode() + b"\n"
        try:
            if self._torn():
                line = b"\n" + line
            written = os.write(self._file, line)
            os.fsync(self._file)
        except OSError as error:
            raise self._refused(error) from None
        if written != len(line):
            raise OutputError(f"the disk took {written} of {len(line)} bytes", str(self.path), "is it full?")

    def close(self) -> None:
        os.close(self._file)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def _torn(self) -> bool:
        """Return whether the file ends inside a line."""
        size = os.fstat(self._file).st_size
        return size > 0 and os.pread(self._file, 1, size - 1) != b"\n"

    def _refused(self, error: OSError) -> OutputError:
        hint = "choose a file that you may write with --records FILE"
        return OutputError(f"cannot write '{self.path}': {error.strerror or error}", hint=hint)
