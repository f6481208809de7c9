"""Random changes of training images; the numbers are drawn first, so that every process draws the same ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from spqc.foundation.errors import UsageError

Codes = npt.NDArray[np.uint8]
Moves = npt.NDArray[np.int64]

_REACH = {"none": 0, "shift": 1, "crop-flip": 4}
_STAY = "--set augment=none"


def require_pictures(kind: str, shape: tuple[int, ...], name: str) -> None:
    """Raise UsageError where samples of this shape are no pictures [C, H, W] or [C, D, H, W] that `kind` can move."""
    if kind == "none":
        return
    if len(shape) < 3:
        what = "a feature vector" if len(shape) == 1 else "a series [C, L]"
        raise UsageError(
            f"'{kind}' moves pictures [C, H, W], and a frame of '{name}' is {what}: {list(shape)}", hint=_STAY
        )
    reach, size = _REACH[kind], f"{shape[-2]}x{shape[-1]}"
    if min(shape[-2:]) <= reach:
        raise UsageError(
            f"'{kind}' moves pictures by up to {reach} pixels, and those of '{name}' have {size}", hint=_STAY
        )


def draw(kind: str, generator: np.random.Generator, count: int) -> Moves:
    """Return top, left and flip of `count` samples, [count, 3]."""
    moves = np.zeros((count, 3), np.int64)
    if kind != "none":
        moves[:, :2] = generator.integers(0, 2 * _REACH[kind] + 1, size=(count, 2))
    if kind == "crop-flip":
        moves[:, 2] = generator.integers(0, 2, size=count)
    return moves


def apply(kind: str, codes: Codes, moves: Moves) -> Codes:
    """Return codes [n, ..., H, W], each padded with zeros, cut at its own corner, mirrored where drawn so."""
    if kind == "none":
        return codes
    reach, (height, width) = _REACH[kind], codes.shape[-2:]
    still = [(0, 0)] * (codes.ndim - 2)
    padded = np.pad(codes, (*still, (reach, reach), (reach, reach)))
    moved = [
        sample[..., top : top + height, left : left + width][..., :: -1 if flip else 1]
        for sample, (top, left, flip) in zip(padded, moves, strict=True)
    ]
    return np.stack(moved)
