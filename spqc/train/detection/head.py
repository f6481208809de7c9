"""The layout of a YOLO head (Redmon et al., 2016): cells, each with a few boxes and one class.

The values of a cell, for B boxes: B times how far down and B times how far right of the cell's corner the centre lies,
in cells; B square roots of the height and B of the width, in frames; B confidences and the scores of the classes, as
logits. That is the order of the public spiking YOLO for Gen1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from spqc.foundation.errors import InputError

from .boxes import Floats


@dataclass(frozen=True)
class Head:
    """Cells, boxes a cell and classes."""

    rows: int = 6
    columns: int = 8
    boxes: int = 2
    classes: int = 2

    @property
    def values(self) -> int:
        """Return the values of a cell."""
        return 5 * self.boxes + self.classes

    @property
    def outputs(self) -> int:
        """Return the values of a sample: the classes of the network's last layer."""
        return self.rows * self.columns * self.values


@dataclass(frozen=True)
class Targets:
    """Where the boxes of a sample belong, [n]: cell, class, and place [n, 4] (down, right, sqrt h, sqrt w)."""

    row: npt.NDArray[np.int64]
    column: npt.NDArray[np.int64]
    label: npt.NDArray[np.int64]
    place: Floats


def encode(head: Head, boxes: npt.NDArray[Any], frame: tuple[int, int]) -> Targets:
    """Return the cells that boxes [n, 5] of a frame [H, W] belong to: those of their centres.

    A centre on the lower or right border belongs to the last cell. Raises InputError for a box without an area, of an
    unknown class, or with its centre outside the frame.
    """
    rows = np.asarray(boxes, np.float64).reshape(-1, 5)
    label, x, y, width, height = rows.T
    centre = np.stack([(y + height / 2) * head.rows / frame[0], (x + width / 2) * head.columns / frame[1]], axis=1)
    cells = np.array([head.rows, head.columns])
    good = (width > 0) & (height > 0) & np.isin(label, range(head.classes))
    good &= ((centre >= 0) & (centre <= cells)).all(axis=1)
    if not good.all():
        bad = rows[int(np.argmin(good))].tolist()
        raise InputError(f"the box {bad} (class, x, y, w, h) cannot be a target in a frame of {frame[0]}x{frame[1]}")
    cell = np.minimum(centre.astype(np.int64), cells - 1)
    size = np.sqrt(np.stack([height / frame[0], width / frame[1]], axis=1))
    return Targets(cell[:, 0], cell[:, 1], label.astype(np.int64), np.concatenate([centre - cell, size], axis=1))


def decode(
    head: Head, logits: npt.NDArray[Any], frame: tuple[int, int], threshold: float = 0.1, scale: float = 1.0
) -> list[Floats]:
    """Return for each sample the boxes found, [n, 6], best first, cut at the border of the frame [H, W].

    logits: [N, outputs], or [N, T, outputs], of which the mean over the steps counts; integers times `scale` too. A
    score is confidence times probability of the best class; boxes below `threshold` or without an area are left out.
    """
    values = np.asarray(logits, np.float64) * scale
    values = values.mean(axis=1) if values.ndim == 3 else values
    if values.ndim != 2 or values.shape[1] != head.outputs:
        raise InputError(f"the logits have shape {list(np.shape(logits))}; the head reads [N, T, {head.outputs}]")
    cells = values.reshape(-1, head.rows, head.columns, head.values)
    return [_found(head, cell, frame, threshold) for cell in cells]


def _found(head: Head, cells: Floats, frame: tuple[int, int], threshold: float) -> Floats:
    down, right, tall, wide, confidence = (cells[..., i * head.boxes : (i + 1) * head.boxes] for i in range(5))
    row, column = np.mgrid[0 : head.rows, 0 : head.columns][..., np.newaxis]
    middle_y, middle_x = (row + down) * frame[0] / head.rows, (column + right) * frame[1] / head.columns
    half_h, half_w = tall**2 * frame[0] / 2, wide**2 * frame[1] / 2
    low_y, high_y = (np.clip(edge, 0, frame[0]) for edge in (middle_y - half_h, middle_y + half_h))
    low_x, high_x = (np.clip(edge, 0, frame[1]) for edge in (middle_x - half_w, middle_x + half_w))
    scores = cells[..., 5 * head.boxes :]
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    likely = powers.max(axis=-1) / powers.sum(axis=-1)
    score = likely[..., np.newaxis] / (1 + np.exp(-np.clip(confidence, -500, 500)))
    label = np.broadcast_to(scores.argmax(axis=-1)[..., np.newaxis], score.shape)
    columns = (label, low_x, low_y, high_x - low_x, high_y - low_y, score)
    boxes = np.stack([np.asarray(one, np.float64).ravel() for one in columns], axis=1)
    kept = boxes[(boxes[:, 5] >= threshold) & (boxes[:, 3] > 0) & (boxes[:, 4] > 0)]
    return np.asarray(kept[np.argsort(-kept[:, 5], kind="stable")])
