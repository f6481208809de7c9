"""Numbers and sizes as a layer specification gives them, checked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeGuard

from spqc.foundation.errors import ModelError
from spqc.ir.sides import Sides

from .pooling import Window
from .signal import Signal
from .synapse import ConvGeometry

Spec = Mapping[str, Any]


def geometry(spec: Spec, axes: int) -> ConvGeometry:
    """Return the geometry of a convolution over this many axes. Raises ModelError for sizes that are none."""
    return ConvGeometry(
        kernel=_sides(spec, "kernel", 3, least=1, axes=axes),
        stride=_sides(spec, "stride", 1, least=1, axes=axes),
        padding=_sides(spec, "padding", 0, least=0, axes=axes),
        groups=positive(spec, "groups", 1),
        pool_before=positive(spec, "pool_before", 1),
    )


def shape(spec: Spec, source: Signal) -> tuple[int, ...]:
    """Return the shape of a reshape: as given, or the depth of [C, D, H, W] merged into its channels."""
    if "shape" not in spec:
        if len(source.shape) != 4:
            raise ModelError(
                f"a reshape of {list(source.shape)} needs a shape", hint="only [C, D, H, W] has its own: [C*D, H, W]"
            )
        return (source.shape[0] * source.shape[1], *source.shape[2:])
    shape = spec["shape"]
    listed = isinstance(shape, list | tuple) and 1 <= len(shape) <= 4
    if not listed or not all(_is_integer(side) and side > 0 for side in shape):
        raise ModelError(f"shape must be one to four positive integers, not {shape!r}")
    return tuple(shape)


def window(spec: Spec, axes: int) -> Window:
    """Return the window of a pooling over this many axes; windows lie side by side unless told."""
    kernel = _sides(spec, "kernel", 2, least=1, axes=axes)
    return Window(
        kernel,
        _sides(spec, "stride", kernel, least=1, axes=axes),
        _sides(spec, "padding", 0, least=0, axes=axes),
    )


def _sides(spec: Spec, key: str, default: int | Sides, least: int, axes: int) -> Sides:
    """Return one integer for each axis of the map: given as one for all, or as one each."""
    value = spec.get(key, default)
    sides = tuple(value) if isinstance(value, list | tuple) else (value,) * axes
    if len(sides) != axes or not all(_is_integer(side) and side >= least for side in sides):
        raise ModelError(f"{key} must be an integer of {least} or more, or {axes} of them, not {value!r}")
    return sides


def _is_integer(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def factor(spec: Spec, key: str, default: float) -> float:
    """Return a factor that is a power of two, so that codes stay integers. Raises ModelError for another."""
    value = spec.get(key, default)
    if not isinstance(value, float) or not 0.0 < value < math.inf or math.frexp(value)[0] != 0.5:
        raise ModelError(f"{key} must be a power of two, not {value!r}", hint="codes stay integers: write e.g. 0.125")
    return value


def positive(spec: Spec, key: str, default: int | None = None) -> int:
    """Return a count of 1 or more. Raises ModelError for another value, and for none where there is no default."""
    value = spec.get(key, default)
    if not _is_integer(value) or value < 1:
        raise ModelError(f"{key} must be a positive integer, not {value!r}")
    return value
