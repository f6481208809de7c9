"""Sizes along the axes of a map: one number for every axis, or one number each."""

from __future__ import annotations

from collections.abc import Sequence

Sides = tuple[int, ...]
"""One entry (every axis alike), or one an axis; `canonical` makes the shorter of equal forms."""


def canonical(value: int | Sequence[int]) -> Sides:
    """Return the shortest form: (2,) for 2 and for (2, 2), (2, 1) as it is."""
    sides = (value,) if isinstance(value, int) else tuple(int(side) for side in value)
    return sides[:1] if len(set(sides)) == 1 else sides


def per_axis(sides: Sides, axes: int) -> Sides:
    """Return one entry an axis; an empty tuple where the sides are of another number of axes."""
    if len(sides) == 1:
        return sides * axes
    return sides if len(sides) == axes else ()


def outputs(extent: Sequence[int], kernel: Sides, stride: Sides, padding: Sides) -> tuple[int, ...]:
    """Return floor((extent + 2 padding - kernel) / stride) + 1 of each axis: how many windows fit (none: 0 or less)."""
    sides = zip(extent, kernel, stride, padding, strict=True)
    return tuple((n + 2 * pad - k) // step + 1 for n, k, step, pad in sides)
