"""Non-maximum suppression: of boxes that overlap much, only the best."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .boxes import Floats, overlaps


def suppress(detected: npt.NDArray[Any], overlap: float = 0.6) -> Floats:
    """Return the boxes [n, 6], best first, that overlap no better one of their class by more than `overlap`.

    Of equal scores the first one counts as better.
    """
    boxes = np.asarray(detected, np.float64).reshape(-1, 6)
    boxes = boxes[np.argsort(-boxes[:, 5], kind="stable")]
    shared = overlaps(boxes[:, 1:5], boxes[:, 1:5])
    rivals = (shared > overlap) & (boxes[:, :1] == boxes[:, 0])
    kept = np.ones(len(boxes), np.bool_)
    for index in range(len(boxes)):
        if kept[index]:
            kept[index + 1 :] &= ~rivals[index, index + 1 :]
    return np.asarray(boxes[kept])
