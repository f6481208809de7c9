"""Average precision: how well found boxes agree with the true ones.

`voc` (PASCAL VOC 2010 on): a found box is compared with the true box that it overlaps most, and is wrong when that was
found before; the area under the whole curve. `coco`: it takes the free true box that it overlaps most; the mean of the
curve at 101 recalls. In both, a curve is the greatest precision at a recall or beyond.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from spqc.foundation.errors import InputError

from .boxes import Floats, overlaps

Rule = Literal["voc", "coco"]
COCO_OVERLAPS = tuple(0.5 + 0.05 * step for step in range(10))
_COCO_RECALLS = np.linspace(0, 1, 101)
_COCO_MOST = 100  # boxes an image and class

Rows = Sequence[npt.NDArray[Any]]


def mean_average_precision(detected: Rows, truth: Rows, rule: Rule = "coco") -> float:
    """Return the mean over the classes that occur, and for `coco` over overlaps of 0.5 to 0.95; NaN without truth.

    detected [n, 6] and truth [m, 5] for each image; rows as in spqc.train.detection.
    """
    classes = sorted({int(label) for boxes in truth for label in np.asarray(boxes).reshape(-1, 5)[:, 0]})
    limits = (0.5,) if rule == "voc" else COCO_OVERLAPS
    values = [average_precision(detected, truth, label, limit, rule) for label in classes for limit in limits]
    return float(np.mean(values)) if values else float("nan")


def average_precision(detected: Rows, truth: Rows, label: int, overlap: float = 0.5, rule: Rule = "voc") -> float:
    """Return the average precision of one class; NaN where no image holds it. InputError for lists that do not fit."""
    if len(detected) != len(truth):
        raise InputError(f"there are boxes found in {len(detected)} images, and true ones in {len(truth)}")
    scores: list[float] = []
    right: list[bool] = []
    total = 0
    for one, true in zip(detected, truth, strict=True):
        boxes, real = (_of_class(rows, label, width) for rows, width in ((one, 6), (true, 5)))
        boxes = boxes[:_COCO_MOST] if rule == "coco" else boxes
        total += len(real)
        scores += boxes[:, 5].tolist()
        right += _matched(boxes, real, overlap, rule)
    if not total:
        return float("nan")
    order = np.argsort(-np.array(scores), kind="stable")
    return _area(np.array(right, np.bool_)[order], total, rule)


def _of_class(rows: npt.NDArray[Any], label: int, width: int) -> Floats:
    """Return the boxes of a class, best first where they have scores."""
    boxes = np.asarray(rows, np.float64).reshape(-1, width)
    boxes = boxes[boxes[:, 0] == label]
    return np.asarray(boxes[np.argsort(-boxes[:, 5], kind="stable")] if width == 6 else boxes)


def _matched(boxes: Floats, real: Floats, overlap: float, rule: Rule) -> list[bool]:
    """Return for each box, best first, whether it finds a true box that no better one has found."""
    shared = overlaps(boxes[:, 1:5], real[:, 1:5])
    free = np.ones(len(real), np.bool_)
    right = []
    for row in shared:
        candidates = row if rule == "voc" else np.where(free, row, -1.0)
        best = int(candidates.argmax()) if len(real) else -1
        hit = best >= 0 and bool(candidates[best] >= overlap and free[best])
        right.append(hit)
        if hit:
            free[best] = False
    return right


def _area(right: npt.NDArray[np.bool_], total: int, rule: Rule) -> float:
    hits = np.cumsum(right)
    recall, precision = hits / total, hits / np.arange(1, len(right) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    if rule == "voc":
        return float((np.diff(recall, prepend=0.0) * envelope).sum())
    # the small tolerance keeps a recall of k/100 from missing its own grid point by rounding
    places = np.searchsorted(recall, _COCO_RECALLS - 1e-12)
    return float(np.append(envelope, 0.0)[np.minimum(places, len(envelope))].mean())
