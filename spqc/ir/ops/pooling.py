"""Pooling: sums (an average whose divisor moved into the scale), maxima, and the sum over a whole map."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from ..op import Op
from ..sides import Sides, canonical, outputs, per_axis
from ..types import Array, Type, signed_type, unsigned_type


@dataclass(frozen=True)
class Pool(Op):
    """Windows over maps of one to three axes; each attribute is one number for every axis, or one an axis.

    Operands: x, integers [C, sides].
    kernel: the sides of a window.
    stride: how far a window lies from the one before.
    padding: how far windows reach over the edge of the map, at most half of the kernel.
    """

    kernel: Sides = (2,)
    stride: Sides = (2,)
    padding: Sides = (0,)

    def __post_init__(self) -> None:
        for name in ("kernel", "stride", "padding"):
            object.__setattr__(self, name, canonical(getattr(self, name)))

    @property
    def sides(self) -> tuple[Sides, Sides, Sides]:
        """Return kernel, stride and padding, one entry an axis each. Raises GraphError for another number of axes."""
        axes = len(self.type_of(0).shape) - 1
        window = tuple(per_axis(sides, axes) for sides in (self.kernel, self.stride, self.padding))
        self.need(all(window), f"has sizes of another number of axes than {self.type_of(0)}")
        return window[0], window[1], window[2]

    @property
    def window(self) -> int:
        """The number of elements of one window."""
        return math.prod(self.sides[0])

    @property
    def tiles(self) -> bool:
        """Whether the windows are squares side by side on a map of rows and columns: no overlap, no padding."""
        whole = self.kernel == self.stride and self.padding == (0,) and len(self.kernel) == 1
        return whole and len(self.type_of(0).shape) == 3

    def pooled(self) -> tuple[int, ...]:
        """Return the shape of the result, channels first. Raises GraphError where the windows do not fit the map."""
        x = self.type_of(0)
        self.need(2 <= len(x.shape) <= 4 and x.is_integer, f"reads integers of one to three axes, not {x}")
        kernel, stride, padding = self.sides
        self.need(min(*kernel, *stride) >= 1, "needs kernel >= 1 and stride >= 1")
        halves = all(0 <= 2 * pad <= k for pad, k in zip(padding, kernel, strict=True))
        self.need(halves, "needs a padding of at most half its kernel")
        size = outputs(x.shape[1:], kernel, stride, padding)
        self.need(min(size) >= 1, f"has a window larger than its input {x}")
        return x.shape[0], *size

    def windows(self, x: Array, outside: int) -> Array:
        """Return [N, C, *positions, elements]: every window, `outside` where it leaves the map."""
        kernel, stride, padding = self.sides
        axes = tuple(range(2, x.ndim))
        padded = np.pad(x, [(0, 0), (0, 0), *((pad, pad) for pad in padding)], constant_values=outside)
        view = np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=axes)
        strided = view[(slice(None), slice(None), *(slice(None, None, step) for step in stride))]
        return strided.reshape(*strided.shape[: x.ndim], -1)


@dataclass(frozen=True)
class SumPool(Pool):
    """Average pooling that keeps the integer sum; the scale of the result is divided by the window; outside is 0.

    y[c, i] = sum over k in the window of x[c, i*stride + k - padding].

    Result: the narrowest integer type that holds the window's size times the range of x, of shape [C, sides], each side
    floor((side + 2*padding - kernel) / stride) + 1; its scale is that of x divided by the window's size.
    Source: PyTorch's average pooling with padding counted, on integers.
    """

    name: ClassVar[str] = "sum_pool"
    operands: ClassVar[int | None] = 1

    def infer(self) -> tuple[Type, ...]:
        x, shape = self.type_of(0), self.pooled()
        low, high = (bound * self.window for bound in x.range)
        scale = x.scale / self.window
        if low < 0:
            return (signed_type(low, high, shape, x.clock, scale),)
        return (unsigned_type(high, shape, x.clock, scale),)

    def evaluate(self, *arrays: Array) -> tuple[Array, ...]:
        return (self.windows(arrays[0], 0).sum(axis=-1),)


@dataclass(frozen=True)
class MaxPool(Pool):
    """The largest element of each window (OR, where the elements are spikes); what lies outside never wins.

    y[c, i] = max over k in the window of x[c, i*stride + k - padding].

    Result: the type of x, of shape [C, sides], each side floor((side + 2*padding - kernel) / stride) + 1.
    Source: PyTorch's max pooling, on integers.
    """

    name: ClassVar[str] = "max_pool"
    operands: ClassVar[int | None] = 1

    def infer(self) -> tuple[Type, ...]:
        return (replace(self.type_of(0), shape=self.pooled()),)

    def evaluate(self, *arrays: Array) -> tuple[Array, ...]:
        return (self.windows(arrays[0], self.type_of(0).range[0]).max(axis=-1),)


@dataclass(frozen=True)
class GlobalSum(Op):
    """The sum of each channel over its map: a global average whose divisor moved into the scale.

    Operands: x, unsigned integers [C, ...].
    Result: the narrowest `uint` [C] that holds the number of pixels times the largest x; its scale is that of x divided
    by the number of pixels.
    Source: global average pooling, on integers.
    """

    name: ClassVar[str] = "global_sum"
    operands: ClassVar[int | None] = 1

    def infer(self) -> tuple[Type, ...]:
        x = self.type_of(0)
        self.need(x.is_integer and x.range[0] == 0, f"counts unsigned elements, not {x}")
        pixels = int(np.prod(x.shape[1:], dtype=np.int64))
        return (unsigned_type(x.range[1] * pixels, x.shape[:1], x.clock, x.scale / pixels),)

    def evaluate(self, *arrays: Array) -> tuple[Array, ...]:
        (x,) = arrays
        return (x.reshape(*x.shape[:2], -1).sum(axis=2),)
