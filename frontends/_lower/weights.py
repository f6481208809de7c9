"""Weights on a grid, weighted sums and their affine scales as operators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from spqc.ir import Array, Builder, Type, Value, ops
from spqc.ir.types import signed_type

_CONVOLUTIONS = {3: ops.Conv1d, 4: ops.Conv2d, 5: ops.Conv3d}
"""By the axes of their weights [outputs, inputs of a group, kernel...]."""


@dataclass(frozen=True)
class GridWeights:
    """Integers on the grid of an encoding: what one of them is worth, and the bits of each.

    bits: what the grid needs, and what papers charge; stored_bits: what the encoding stores for it.
    """

    array: Array
    scale: float
    encoding: Any
    bits: int
    stored_bits: int


def weight_constant(build: Builder, name: str, weights: GridWeights) -> Value:
    """Append weights as a constant; where they are stored wider than their grid needs, a note says so."""
    type_ = Type(weights.encoding, weights.stored_bits, weights.array.shape, "const", weights.scale)
    value = build.constant(name, type_, weights.array)
    if weights.stored_bits != weights.bits:
        build.notes.append((f"weight_bits.{value.name.lstrip('@')}", str(weights.bits)))
    return value


def integer_constant(build: Builder, name: str, array: Array) -> Value:
    """Append integers as a constant of the narrowest signed type that holds them."""
    return build.constant(name, signed_type(int(array.min()), int(array.max()), array.shape, "const"), array)


def weighted_sum(build: Builder, x: Value, weights: Value, origin: str, **convolution: Any) -> Value:
    """Append a linear layer, or the convolution that the axes of the weights ask for, and return its sums.

    convolution: stride, padding and groups of a convolution; a linear layer has none.
    """
    axes = len(weights.type.shape)
    if axes == 2:
        return build.op(ops.Linear, x, weights, origin=origin)[0]
    return build.op(_CONVOLUTIONS[axes], x, weights, origin=origin, **convolution)[0]


def affine(build: Builder, name: str, n: Value, gain: Array, offset: Array, origin: str) -> Value:
    """Append `gain * n + offset` with one float a channel, and return it; the constants are a{name} and b{name}."""
    type_ = Type("float", gain.dtype.itemsize * 8, gain.shape)
    constants = build.constant(f"a{name}", type_, gain), build.constant(f"b{name}", type_, offset)
    return build.op(ops.Affine, n, *constants, origin=origin)[0]
