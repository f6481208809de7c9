"""Layers without weights: pooling of codes and flattening."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from spqc.foundation.errors import ModelError
from spqc.ir.sides import Sides, outputs

from . import axes
from .signal import Signal

_EXACT_FLOAT32 = 1 << 24


@dataclass(frozen=True)
class Window:
    """A pooling's kernel, stride and padding, one entry an axis of the map."""

    kernel: Sides
    stride: Sides
    padding: Sides

    @property
    def size(self) -> int:
        """Return the number of elements of one window."""
        return math.prod(self.kernel)

    def pooled(self, source: Signal) -> tuple[int, ...]:
        """Return [C, ...] of the pooled map; ModelError for a vector or a window that does not fit."""
        name = "x".join(map(str, self.kernel))
        if len(source.shape) != 1 + len(self.kernel):
            raise ModelError(f"a {name} pooling does not fit an input of shape {list(source.shape)}")
        if any(2 * pad > kernel for pad, kernel in zip(self.padding, self.kernel, strict=True)):
            raise ModelError(
                f"a padding of {list(self.padding)} is more than half of the {name} window",
                hint="some windows would lie outside of the map",
            )
        plane = outputs(source.shape[1:], self.kernel, self.stride, self.padding)
        if min(plane) < 1:
            raise ModelError(
                f"a {name} pooling (stride {list(self.stride)}) does not fit an input of shape {list(source.shape)}"
            )
        return source.shape[0], *plane


class Pool(nn.Module, ABC):
    """A pooling over maps of one to three axes; subclasses say how a window becomes one code."""

    def __init__(self, source: Signal, window: Window) -> None:
        super().__init__()
        self.source, self.window = source, window
        self.out = self._emitted(window.pooled(source))

    def forward(self, codes: Tensor) -> Tensor:
        """Return the pooled codes [N, T, C, ...] of codes [N, T, C, ...]."""
        return axes.over_steps(codes, self._pooled)

    @abstractmethod
    def _emitted(self, shape: tuple[int, ...]) -> Signal:
        """Return the signal of a pooled map."""

    @abstractmethod
    def _pooled(self, codes: Tensor) -> Tensor:
        """Return the pooled codes [M, C, ...] of codes [M, C, ...]."""


class SumPool(Pool):
    """Average pooling on codes: emits the window's SUM, with the scale divided by the window (stays an integer)."""

    def _emitted(self, shape: tuple[int, ...]) -> Signal:
        size = self.window.size
        return _exact(Signal(shape, self.source.scale / size, self.source.max * size))

    def _pooled(self, codes: Tensor) -> Tensor:
        return sum_pool(codes, self.window)


class MaxPool(Pool):
    """Maximum pooling on codes (OR of spikes)."""

    def _emitted(self, shape: tuple[int, ...]) -> Signal:
        return Signal(shape, self.source.scale, self.source.max)

    def _pooled(self, codes: Tensor) -> Tensor:
        pool = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}[len(self.window.kernel)]
        greatest: Tensor = pool(codes, self.window.kernel, self.window.stride, self.window.padding)
        return greatest


class SumPool1d(SumPool):
    """Average pooling of [C, L]."""


class SumPool2d(SumPool):
    """Average pooling of [C, H, W]."""


class SumPool3d(SumPool):
    """Average pooling of [C, D, H, W]."""


class MaxPool1d(MaxPool):
    """Maximum pooling of [C, L]."""


class MaxPool2d(MaxPool):
    """Maximum pooling of [C, H, W]."""


class MaxPool3d(MaxPool):
    """Maximum pooling of [C, D, H, W]."""


SUM_POOLS: dict[int, type[SumPool]] = {1: SumPool1d, 2: SumPool2d, 3: SumPool3d}
MAX_POOLS: dict[int, type[MaxPool]] = {1: MaxPool1d, 2: MaxPool2d, 3: MaxPool3d}


class GlobalSum(nn.Module):
    """Global average pooling on codes: emits each channel's SUM over its map, with the scale divided by the map."""

    def __init__(self, source: Signal) -> None:
        super().__init__()
        self.source = source
        if len(source.shape) < 2:
            raise ModelError(f"a global average pooling reads maps, not {list(source.shape)}")
        self.out = _exact(Signal(source.shape[:1], source.scale / source.plane, source.max * source.plane))

    def forward(self, codes: Tensor) -> Tensor:
        """Return the sums [N, T, C] of codes [N, T, C, ...]."""
        return codes.flatten(3).sum(dim=3)


class Flatten(nn.Module):
    """One vector per sample and step, channels outermost."""

    def __init__(self, source: Signal) -> None:
        super().__init__()
        self.source = source
        self.out = Signal((source.size,), source.scale, source.max)

    def forward(self, codes: Tensor) -> Tensor:
        """Return codes [N, T, C * ...]."""
        return codes.flatten(2)


class Reshape(nn.Module):
    """The codes in the order of their axes, channel first, as a map of another shape."""

    def __init__(self, source: Signal, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.source, self.shape = source, shape
        self.out = Signal(shape, source.scale, source.max)
        if self.out.size != source.size:
            raise ModelError(f"{list(source.shape)} cannot be reshaped to {list(shape)}: not as many codes")

    def forward(self, codes: Tensor) -> Tensor:
        """Return codes [N, T, *shape]."""
        return codes.reshape(*codes.shape[:2], *self.shape)


def sum_pool(codes: Tensor, window: Window) -> Tensor:
    """Return the sums of the windows of codes [M, C, ...]; outside is 0."""
    flat = len(window.kernel) == 1
    kernel, stride, padding = (
        ((1, *window.kernel), (1, *window.stride), (0, *window.padding))
        if flat
        else (
            window.kernel,
            window.stride,
            window.padding,
        )
    )
    pool = F.avg_pool3d if len(kernel) == 3 else F.avg_pool2d
    sums: Tensor = pool(codes.unsqueeze(2) if flat else codes, kernel, stride, padding, divisor_override=1)
    return sums.squeeze(2) if flat else sums


def _exact(signal: Signal) -> Signal:
    """Return a signal whose codes float32 holds; ModelError for a greater one."""
    if signal.max >= _EXACT_FLOAT32:
        raise ModelError(f"a pooling sums codes up to {signal.max}, past 2^24", hint="pool smaller windows")
    return signal
