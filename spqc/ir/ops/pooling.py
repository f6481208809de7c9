"""Pooling: sums (an average whose divisor moved into the scale), maxima, and the sum over a whole map."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from ..op import Op
from ..types import Array, Type, signed_type, unsigned_type


@dataclass(frozen=True)
class _Pool(Op):
    kernel: int = 2
    stride: int = 2

    def pooled(self) -> tuple[int, int, int]:
        x = self.type_of(0)
        self.need(len(x.shape) == 3 and x.is_integer, f"reads integers CxHxW, not {x}")
        self.need(self.kernel >= 1 and self.stride >= 1, "needs kernel >= 1 and stride >= 1")
        channels, height, width = x.shape
        size = [(n - self.kernel) // self.stride + 1 for n in (height, width)]
        self.need(min(size) >= 1, f"has a window larger than its input {x}")
        return channels, size[0], size[1]

    def windows(self, x: Array) -> Array:
        view = np.lib.stride_tricks.sliding_window_view(x, (self.kernel, self.kernel), axis=(2, 3))
        return np.asarray(view[:, :, :: self.stride, :: self.stride])


@dataclass(frozen=True)
class SumPool(_Pool):
    """Average pooling that keeps the integer sum; the scale of the result is divided by kernel^2."""

    name: ClassVar[str] = "sum_pool"

    def infer(self) -> tuple[Type, ...]:
        x, shape = self.type_of(0), self.pooled()
        low, high = (bound * self.kernel**2 for bound in x.range)
        scale = x.scale / self.kernel**2
        if low < 0:
            return (signed_type(low, high, shape, x.clock, scale),)
        return (unsigned_type(high, shape, x.clock, scale),)

    def evaluate(self, *arrays: Array) -> tuple[Array, ...]:
        return (self.windows(arrays[0]).sum(axis=(4, 5)),)


@dataclass(frozen=True)
class MaxPool(_Pool):
    """The largest element of each window: OR, where the elements are spikes."""

    name: ClassVar[str] = "max_pool"

    def infer(self) -> tuple[Type, ...]:
        return (replace(self.type_of(0), shape=self.pooled()),)

    def evaluate(self, *arrays: Array) -> tuple[Array, ...]:
        return (self.windows(arrays[0]).max(axis=(4, 5)),)


@dataclass(frozen=True)
class GlobalSum(Op):
    """The sum of each channel over its map: what a channel gate looks at."""

    name: ClassVar[str] = "global_sum"

    def infer(self) -> tuple[Type, ...]:
        x = self.type_of(0)
        self.need(x.is_integer and x.range[0] == 0, f"counts unsigned elements, not {x}")
        pixels = int(np.prod(x.shape[1:], dtype=np.int64))
        return (unsigned_type(x.range[1] * pixels, x.shape[:1], x.clock, x.scale / pixels),)

    def evaluate(self, *arrays: Array) -> tuple[Array, ...]:
        (x,) = arrays
        return (x.reshape(*x.shape[:2], -1).sum(axis=2),)
