"""Random changes of training images; the numbers are drawn first, so that every process draws the same ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.uint8]
Moves = npt.NDArray[np.int64]

_REACH = {"none": 0, "shift": 1, "crop-flip": 4}


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
