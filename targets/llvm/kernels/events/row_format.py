"""How weights become words that two outputs share, with proofs that sums fit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spqc.ir import Array
from spqc.targets._plan.arranged_weights import byte_of

_LIMIT = 2**15 - 1


@dataclass(frozen=True)
class RowFormat:
    """How weights become words: `parts` bytes each, `bias` of the low bytes, `group` rows added before they are split.

    `flush`: when 16-bit sums are widened: at the `end`, after each `run`, or by `count`, each `limit` groups of events.
    """

    parts: int
    bias: int
    group: int
    flush: str
    limit: int = 0


def row_format(weight: Array, top: int, most: int = 4) -> RowFormat | None:
    """Return the format of integer weights OxCxKxL (or OxI) for inputs up to `top`; None above two bytes."""
    wide = weight.astype(np.int64)
    parts = (
        [wide] if wide.min(initial=0) >= -128 and wide.max(initial=0) <= 127 else [byte_of(wide, 1), byte_of(wide, 0)]
    )
    low, high = (int(f([f(part) for part in parts])) for f in (np.min, np.max))
    if low < -128 or high > 127:
        return None
    bias = max(0, -low)
    sizes = (size for size in (4, 2, 1) if size <= most)
    fits = [size for size in sizes if size * (bias + high) <= 255 and size * max(high, bias) <= 127]
    group = fits[0] if fits else 1
    if all(_one_sided(part, top, over_all=True) <= _LIMIT for part in parts):
        return RowFormat(len(parts), bias, group, "end")
    if weight.ndim == 4 and all(_one_sided(part, top, over_all=False) <= _LIMIT for part in parts):
        return RowFormat(len(parts), bias, group, "run")
    return RowFormat(len(parts), bias, group, "count", _LIMIT // (max(bias, high) * group))


def _one_sided(weight: Array, top: int, over_all: bool) -> int:
    """Return the largest magnitude that inputs 0..top can give a sum: over the window, or over one of its rows."""
    axes = tuple(range(1, weight.ndim)) if over_all or weight.ndim == 2 else (1, 3)
    up, down = (np.abs(f(weight, 0).sum(axis=axes)).max(initial=0) for f in (np.maximum, np.minimum))
    return int(max(up, down)) * top
