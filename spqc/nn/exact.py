"""Rounding a layer's constants to its arithmetic: float32, float64, or multiples of 2^-F that never round."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from spqc.foundation.errors import ModelError

Real = npt.NDArray[np.float64]

_MANTISSA = 51
_GREATEST_FRACTION = 40
_WIDEST = 62


def fraction_bits(terms: Sequence[tuple[Real, Real, float]], margin: float, input_scale: float = 1.0) -> int:
    """Return the largest F <= 40 with sum over (A, B, greatest n) of |A| n + |B|, plus margin, below 2^(51-F).

    Then every product, sum and comparison of multiples of 2^-F is exact in float64. An input scale of 2^-k makes
    multiples of 2^-(F+k), one of 2^k greater sums: both take k bits.
    """
    bound = margin + float(np.max(sum(np.abs(a) * greatest + np.abs(b) for a, b, greatest in terms)))
    if not math.isfinite(bound):
        raise ModelError(
            "a layer's folded batch norm is not finite", hint="the checkpoint holds NaN, or a negative variance"
        )
    # frexp: bound < 2^exponent, strictly.
    fraction = min(_GREATEST_FRACTION, _MANTISSA - math.frexp(bound)[1]) - abs(round(math.log2(input_scale)))
    if fraction < 1:
        raise ModelError("the currents of a projected residual are too large for exact arithmetic")
    return fraction


def on_lattice(values: Real, fraction: int) -> Real:
    """Return values rounded (half to even) to multiples of 2^-fraction."""
    return np.ldexp(np.rint(np.ldexp(values, fraction)), -fraction)


def integers(counts: Real, what: str) -> npt.NDArray[np.int64]:
    """Return numbers rounded half to even. Raises ModelError, naming `what` they are, where 63 bits hold them not."""
    if not (np.abs(counts) < 2.0**_WIDEST).all():  # false for NaN too
        raise ModelError(
            f"{what} is up to {np.abs(counts).max():g} times the scale of its weights, too much for an integer",
            hint="the training diverged, or the weights are all but 0",
        )
    return np.rint(counts).astype(np.int64)


def rounded(value: float, dtype: type[np.floating], fraction: int | None) -> float:
    """Return one constant rounded to multiples of 2^-fraction, or, where `fraction` is None, to `dtype`."""
    if fraction is not None:
        return float(on_lattice(np.array(value, dtype=np.float64), fraction))
    return float(dtype(value))
