"""How much boxes overlap: intersection over union (the Jaccard index)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def overlaps(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> Floats:
    """Return intersection over union [n, m] of boxes [n, 4] and [m, 4]; 0 where both have no area.

    A row is (x, y, w, h), x and y of the upper left corner; negative sides count as 0.
    """
    a, b = np.asarray(first, np.float64)[:, np.newaxis], np.asarray(second, np.float64)[np.newaxis]
    size_a, size_b = np.maximum(a[..., 2:], 0), np.maximum(b[..., 2:], 0)
    low = np.maximum(a[..., :2], b[..., :2])
    high = np.minimum(a[..., :2] + size_a, b[..., :2] + size_b)
    shared = np.maximum(high - low, 0).prod(axis=-1)
    union = size_a.prod(axis=-1) + size_b.prod(axis=-1) - shared
    return np.asarray(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0))
