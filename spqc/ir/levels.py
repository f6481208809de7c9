"""The membrane quantiser as thresholds: which stored level a potential falls on.

A quantiser over ascending levels is a staircase: one midpoint between neighbouring levels, and a rule for ties
(semantics: SpQuant-SNN Eq 7; the released code sends a tie to the lower level).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from spqc.foundation.errors import ModelError

Ties = Literal["down", "up", "even", "away"]

TERNARY = (-1.0, 0.0, 1.0)
RELEASED = (-3.0, -2.0, -1.0, 0.0, 1.0)
"""The default grid of the released code for VGG and ResNet: lower bound -3, interval 1."""
TAPEOUT = tuple(-2.0 + 0.125 * i for i in range(24))
"""The grid of the released MobileNet for the chip: 24 levels of 1/8 from -2 to 0.875."""


def is_power_of_two(value: float) -> bool:
    """Return whether a positive float is a power of two, so that multiplying by it never rounds."""
    return 0.0 < value < math.inf and math.frexp(value)[0] == 0.5


def midpoints(levels: Sequence[float], ties: Ties = "down") -> tuple[tuple[float, bool], ...]:
    """Return, for each pair of neighbouring levels, its midpoint and whether a potential equal to it rises.

    The stored level's index is the number of midpoints passed: `v > middle`, or `v >= middle` where it rises.
    """
    if len(levels) < 2 or list(levels) != sorted(set(levels)):
        raise ModelError(f"membrane levels must ascend, and be two or more: {list(levels)}")
    return tuple(((low + high) / 2, _tie_rises(low, high, ties)) for low, high in pairwise(levels))


def _tie_rises(low: float, high: float, ties: Ties) -> bool:
    if ties == "up":
        return True
    if ties == "away":
        return abs(high) > abs(low)
    if ties == "even":
        step = high - low
        return round(high / step) % 2 == 0
    return False
