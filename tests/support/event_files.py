"""Event files written byte by byte from the descriptions of their formats, not with the code that reads them."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

Event = tuple[int, int, int, int]  # t in microseconds, x, y, p

AEDAT_HEADER = b"#!AER-DAT2.0\r\n# This is a raw AE data file\r\n# Timestamps tick is 1 us\r\n"


def random_events(rng: np.random.Generator, count: int, width: int, height: int, duration: int = 1000) -> list[Event]:
    """Return events in order of time."""
    times = sorted(int(t) for t in rng.integers(0, duration, count))
    return [(t, int(rng.integers(width)), int(rng.integers(height)), int(rng.integers(2))) for t in times]


def aedat(events: list[Event], header: bytes = AEDAT_HEADER) -> bytes:
    """Return an AER-DAT 2.0 file of a DVS128 whose picture stands upright after x = 127 - high, y = 127 - low."""
    content = header
    for t, x, y, p in events:
        address = (127 - x) * 256 + (127 - y) * 2 + (1 - p)
        content += address.to_bytes(4, "big") + t.to_bytes(4, "big")
    return content


def saccades(events: list[Event]) -> bytes:
    """Return the 40-bit events of N-Caltech101."""
    content = b""
    for t, x, y, p in events:
        content += (x << 32 | y << 24 | p << 23 | t).to_bytes(5, "big")
    return content


def dat(events: list[Event], height: int = 240, width: int = 304, version: int = 2, kind: int = 0) -> bytes:
    """Return a DAT file of Prophesee."""
    header = f"% Data file containing CD events.\n% Version {version}\n% Date 2020-01-02 3:04:05\n"
    header += f"% Height {height}\n% Width {width}\n"
    content = header.encode() + bytes([kind, 8])
    for t, x, y, p in events:
        content += struct.pack("<II", t, x | y << 14 | p << 28)
    return content


def boxes_file(path: Path, rows: list[tuple[int, float, float, float, float, int]], old_names: bool = True) -> None:
    """Write boxes (t, x, y, w, h, class) as Gen1 does: fields at fixed places in rows of 40 bytes."""
    time, confidence = ("ts", "confidence") if old_names else ("t", "class_confidence")
    names = [time, "x", "y", "w", "h", "class_id", confidence, "track_id"]
    formats = ["<u8" if old_names else "<i8", "<f4", "<f4", "<f4", "<f4", "u1", "<f4", "<u4"]
    kind = np.dtype({"names": names, "formats": formats, "offsets": [0, 8, 12, 16, 20, 24, 28, 32], "itemsize": 40})
    table = np.zeros(len(rows), kind)
    for index, (t, x, y, w, h, label) in enumerate(rows):
        table[index] = (t, x, y, w, h, label, 1.0, index)
    np.save(path, table)


def naive_frames(
    events: list[Event], frame_of: list[int], steps: int, sensor: tuple[int, int], size: tuple[int, int], clip: int
) -> np.ndarray:
    """Return frames [T, 2, H, W] by a loop over events."""
    found = np.zeros((steps, 2, *size), np.uint8)
    for (_, x, y, p), frame in zip(events, frame_of, strict=True):
        if frame < steps:
            row, column = y * size[0] // sensor[0], x * size[1] // sensor[1]
            found[frame, p, row, column] = min(found[frame, p, row, column] + 1, clip)
    return found
