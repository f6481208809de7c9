"""Prophesee's box files: a structured .npy array with a box a row.

Fields: ts or t (microseconds), x, y, w, h (pixels, x and y of the upper left corner), class_id, and others that are not
needed here (track_id, confidence or class_confidence).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from spqc.foundation.errors import InputError

from ..dataset import Boxes
from .npz import read_npy

_FIELDS = ("x", "y", "w", "h", "class_id")


@dataclass(frozen=True)
class Annotations:
    """Boxes of a recording: time int64 [n], place float64 [n, 4] (x, y, w, h), classes int64 [n]."""

    time: npt.NDArray[np.int64]
    place: npt.NDArray[np.float64]
    classes: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.time)

    def select(self, chosen: npt.NDArray[np.bool_]) -> Annotations:
        """Return the boxes where `chosen` [n] is true."""
        return Annotations(self.time[chosen], self.place[chosen], self.classes[chosen])

    def inside(self, sensor: tuple[int, int]) -> Annotations:
        """Return the boxes cut at the border of a sensor [H, W], without those that have no area left."""
        limit = np.array([sensor[1], sensor[0]], np.float64)
        low = np.clip(self.place[:, :2], 0, limit)
        high = np.clip(self.place[:, :2] + self.place[:, 2:], 0, limit)
        cut = Annotations(self.time, np.concatenate([low, high - low], axis=1), self.classes)
        return cut.select(cut.place[:, 2:].min(axis=1) > 0)

    def boxes(self) -> Boxes:
        """Return float32 [n, 5]: class, x, y, w, h."""
        return np.concatenate([self.classes[:, np.newaxis], self.place], axis=1).astype(np.float32)


def read_boxes(path: Path, hint: str = "") -> Annotations:
    """Return the boxes of a file; InputError where it is damaged or lacks a field."""
    rows = read_npy(path, hint)
    names = rows.dtype.names or ()
    missing = [name for name in _FIELDS if name not in names]
    time = next((name for name in ("ts", "t") if name in names), None)
    if rows.ndim != 1 or missing or time is None:
        lacks = ", ".join([*missing, *([] if time else ["ts or t"])]) or "one row a box"
        raise InputError(f"this is no file of boxes: it lacks {lacks}", str(path), hint)
    place = np.stack([rows[name].astype(np.float64) for name in _FIELDS[:4]], axis=1)
    if not np.isfinite(place).all():
        raise InputError("a box holds NaN or infinity", str(path), hint)
    return Annotations(rows[time].astype(np.int64), place, rows["class_id"].astype(np.int64))
