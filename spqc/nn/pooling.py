"""Layers without weights: pooling of codes and flattening."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from spqc.errors import ModelError

from .signal import Signal


class SumPool2d(nn.Module):
    """Average pooling on codes: emits the window's SUM, with the scale divided by the window (stays an integer)."""

    def __init__(self, source: Signal, kernel: int, stride: int) -> None:
        super().__init__()
        self.source, self.kernel, self.stride = source, kernel, stride
        window = kernel * kernel
        self.out = Signal(pooled_shape(source, kernel, stride), source.scale / window, source.max * window)

    def forward(self, codes: Tensor) -> Tensor:
        """Return the sums [N, T, C, H', W'] of codes [N, T, C, H, W]."""
        sums = F.avg_pool2d(codes.flatten(0, 1), self.kernel, self.stride, divisor_override=1)
        return sums.reshape(*codes.shape[:2], *sums.shape[1:])


class MaxPool2d(nn.Module):
    """Maximum pooling on codes (OR of spikes)."""

    def __init__(self, source: Signal, kernel: int, stride: int) -> None:
        super().__init__()
        self.source, self.kernel, self.stride = source, kernel, stride
        self.out = Signal(pooled_shape(source, kernel, stride), source.scale, source.max)

    def forward(self, codes: Tensor) -> Tensor:
        """Return the maxima [N, T, C, H', W'] of codes [N, T, C, H, W]."""
        greatest: Tensor = F.max_pool2d(codes.flatten(0, 1), self.kernel, self.stride)
        return greatest.reshape(*codes.shape[:2], *greatest.shape[1:])


class Flatten(nn.Module):
    """One vector per sample and step, channels outermost."""

    def __init__(self, source: Signal) -> None:
        super().__init__()
        self.source = source
        self.out = Signal((source.size,), source.scale, source.max)

    def forward(self, codes: Tensor) -> Tensor:
        """Return codes [N, T, C * H * W]."""
        return codes.flatten(2)


def pooled_shape(source: Signal, kernel: int, stride: int) -> tuple[int, ...]:
    """Return [C, H', W']; raises ModelError for a vector or a window that does not fit."""
    if len(source.shape) != 3 or kernel < 1 or stride < 1 or min(source.shape[1:]) < kernel:
        raise ModelError(
            f"a {kernel}x{kernel} pooling (stride {stride}) does not fit an input of shape {list(source.shape)}"
        )
    channels, height, width = source.shape
    return (channels, (height - kernel) // stride + 1, (width - kernel) // stride + 1)
