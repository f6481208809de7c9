"""Whether weights already lie on a uniform grid, and on which."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

_FIRST = 16
_UNIT_BITS = 16
"""A unit has at most so many significant bits, so that its multiples never round."""


def unit_of(weight: Tensor, steps: int) -> float | None:
    """Return the unit of a grid of which every weight is a multiple, at most `steps` times; None where there is none.

    It is 1 where the weights are integers, else their greatest common divisor. Trained weights lie on none, as a few
    of them show; one value alone tells no grid.
    """
    flat = weight.detach().flatten()
    if _divisor(_magnitudes(flat[:_FIRST]), steps) is None:
        return None
    magnitudes = np.unique(_magnitudes(flat))
    if not 0 < len(magnitudes) <= steps or bool((flat == flat[0]).all()):
        return None
    if (magnitudes == np.rint(magnitudes)).all() and magnitudes[-1] <= steps:
        return 1.0
    unit = _divisor(magnitudes, steps)
    return unit if unit and (math.frexp(unit)[0] * 2.0**_UNIT_BITS).is_integer() else None


def _magnitudes(values: Tensor) -> npt.NDArray[np.float64]:
    magnitudes: npt.NDArray[np.float64] = values.abs().to("cpu", torch.float64).numpy()
    return magnitudes[magnitudes > 0]


def _divisor(magnitudes: npt.NDArray[np.float64], steps: int) -> float | None:
    """Return the greatest common divisor, 0 of none; None where the greatest is more than `steps` times that."""
    if not np.isfinite(magnitudes).all():
        return None
    divisor = 0.0
    for magnitude in magnitudes.tolist():
        while magnitude:  # exact: the remainder of two floats is one
            divisor, magnitude = magnitude, math.fmod(divisor, magnitude)
        if magnitudes.max() > steps * divisor:
            return None
    return divisor
