"""Weights, their quantiser and their batch norm: from input codes to the synaptic current."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spqc.ir.sides import Sides, outputs

from . import quantisers, sparsity
from .pooling import Window, sum_pool
from .signal import Signal

Floats = npt.NDArray[np.float32] | npt.NDArray[np.float64]
BatchNorm = Literal["plain", "threshold", "none"]

# im2col of a float64 convolution holds one such column matrix per sample: the batch is cut to keep it small.
_COLUMN_ELEMENTS = 1 << 25
_EXACT_FLOAT32 = 1 << 24


@dataclass(frozen=True)
class ConvGeometry:
    """A convolution over one to three axes; stride and padding have one entry an axis, as the kernel has.

    `pool_before` sums windows of its output, of this side along every axis, before the batch norm (A13).
    """

    kernel: Sides
    stride: Sides
    padding: Sides
    groups: int = 1
    pool_before: int = 1

    @property
    def window(self) -> Window:
        """Return the windows that are summed before the batch norm."""
        sides = (self.pool_before,) * len(self.kernel)
        return Window(sides, sides, (0,) * len(sides))


@dataclass(frozen=True)
class SynapseOptions:
    """weight_bits and weight_grid choose the quantiser; batch_norm is plain, threshold-scaled or absent (A18).

    sparsity: none, l0, block:B or N:M, see spqc.nn.sparsity.
    """

    weight_bits: int = 4
    weight_grid: str = "pot"
    batch_norm: BatchNorm = "plain"
    bias: bool = False
    sparsity: str = "none"


class ChannelNorm(nn.Module):
    """Batch norm over samples, steps and positions, one channel at a time; running statistics for evaluation."""

    mean: Tensor
    variance: Tensor

    def __init__(self, channels: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.gamma = nn.Parameter(torch.ones(channels))
        self.beta = nn.Parameter(torch.zeros(channels))
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))

    def forward(self, current: Tensor) -> Tensor:
        """Normalise a training batch [M, channels, ...] and update the running statistics."""
        return F.batch_norm(
            current,
            self.mean,
            self.variance,
            self.gamma,
            self.beta,
            training=True,
            momentum=self.momentum,
            eps=self.eps,
        )


class Synapse(nn.Module):
    """A convolution (with a geometry) or a dense layer (geometry None) followed by batch norm.

    The current of n = integer accumulation is `A * n + B` per channel; see `fold`.
    """

    def __init__(self, source: Signal, channels: int, geometry: ConvGeometry | None, options: SynapseOptions) -> None:
        super().__init__()
        self.source, self.channels, self.geometry, self.options = source, channels, geometry, options
        self.weight = nn.Parameter(torch.zeros(weight_shape(source, channels, geometry)))
        self.bias = nn.Parameter(torch.zeros(channels)) if options.bias else None
        normed = options.batch_norm != "none"
        self.quantiser = quantisers.create(options.weight_grid, options.weight_bits, normalise=normed)
        self.norm = ChannelNorm(channels) if normed else None
        self.sparsity = sparsity.create(options.sparsity, self.weight.shape)

    @property
    def out_shape(self) -> tuple[int, ...]:
        """Return the shape of the current: [C, ...], or [C]."""
        if self.geometry is None:
            return (self.channels,)
        return (self.channels, *_out_plane(self.source.shape[1:], self.geometry))

    @property
    def unit(self) -> float:
        """Return the real value of one accumulated unit of the inputs: input scale / pooling window."""
        window = self.geometry.window.size if self.geometry else 1
        return self.source.scale / window

    def integer_weight(self) -> tuple[npt.NDArray[np.int64], float]:
        """Return (integer weights [C, ...], scale). Raises ModelError for float weights."""
        integers, scale = self._integers()
        return np.ascontiguousarray(integers.cpu().numpy()), scale

    def greatest_sum(self) -> float:
        """Return a bound of |n|: greatest input code times the greatest sum of |integer weight| of a channel."""
        integers, _ = self.integer_weight()
        window = self.geometry.window.size if self.geometry else 1
        return float(np.abs(integers).reshape(self.channels, -1).sum(axis=1).max()) * self.source.max * window

    def sum_range(self) -> tuple[int, int]:
        """Return the least and greatest sum n that any channel can reach over all input codes, 0 among them."""
        flat = self.integer_weight()[0].reshape(self.channels, -1)
        window = self.geometry.window.size if self.geometry else 1
        low, high = np.minimum(flat, 0).sum(axis=1).min(), np.maximum(flat, 0).sum(axis=1).max()
        return int(low) * self.source.max * window, int(high) * self.source.max * window

    def eval_dtype(self) -> torch.dtype:
        """Return float32 if every integer accumulation is exact in it (or weights are floats), else float64."""
        if self.quantiser.is_float or self.greatest_sum() < _EXACT_FLOAT32:
            return torch.float32
        return torch.float64

    def fold64(self, threshold: float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return unrounded (A, B) with x = A n + B: weight scale, input scale and eval-mode batch norm in one."""
        scale = (1.0 if self.quantiser.is_float else self.integer_weight()[1]) * self.unit
        bias = np.zeros(self.channels) if self.bias is None else _float64(self.bias)
        if self.norm is None:
            return np.full(self.channels, scale), bias
        gain = _float64(self.norm.gamma) / np.sqrt(_float64(self.norm.variance) + self.norm.eps)
        shift = _float64(self.norm.beta)
        if self.options.batch_norm == "threshold":
            gain, shift = gain * threshold, shift * threshold
        return scale * gain, shift + (bias - _float64(self.norm.mean)) * gain

    def raw(self, codes: Tensor) -> Tensor:
        """Return the training-mode current before the norm, of codes [M, ...]."""
        current = self.unbiased(codes)
        return current if self.bias is None else current + _per_channel(self.bias, current)

    def unbiased(self, codes: Tensor) -> Tensor:
        """Return the training-mode current without bias and norm, of codes [M, ...]."""
        # float() undoes the half precision of a product under autocast; it is nothing otherwise.
        return self._pooled(self._connect(codes, self._training_weight()).float()) * self.unit

    def analog(self, values: Tensor) -> Tensor:
        """Return the current of real values [M, ...] under the weights as floats, without quantiser, norm and bias."""
        return self._pooled(self._connect(values, self.weight).float()) * (self.unit / self.source.scale)

    def forward(self, codes: Tensor, threshold: Tensor) -> Tensor:
        """Return the training-mode current [M, C, ...] of codes [M, ...]."""
        current = self.raw(codes)
        if self.norm is None:
            return current
        normed = self.norm(current)
        scaled: Tensor = normed * threshold.detach() if self.options.batch_norm == "threshold" else normed
        return scaled

    def accumulate(self, codes: Tensor, dtype: torch.dtype) -> Tensor:
        """Return n [M, C, ...], the exact integer accumulation of codes [M, ...] (floats for float weights)."""
        kernel = (self.effective_weight() if self.quantiser.is_float else self._integers()[0]).to(dtype)
        # NNPACK's Winograd transform leaves the lattice of integers; every other summation order is exact.
        with torch.backends.nnpack.flags(enabled=False):
            chunks = [self._pooled(self._connect(part, kernel)) for part in torch.split(codes.to(dtype), self._chunk())]
        return torch.cat(chunks)

    def _training_weight(self) -> Tensor:
        """Return the quantised weight of a training step, pruned where the layer is sparse."""
        weight: Tensor = self.quantiser(self.weight)
        if isinstance(self.sparsity, sparsity.Magnitudes):
            return sparsity.straight(weight, self._mask())
        return weight if self.sparsity is None else weight * self._mask()

    def _integers(self) -> tuple[Tensor, float]:
        """Return (integers [C, ...], scale) with exact zeros where the layer is sparse."""
        integers, scale = self.quantiser.integers(self.weight)
        return (integers, scale) if self.sparsity is None else (integers * self._fixed_mask().long(), scale)

    def effective_weight(self) -> Tensor:
        """Return the weights of the evaluation as floats, before any quantiser; 0 where the layer is sparse."""
        return self.weight.detach() if self.sparsity is None else self.weight.detach() * self._fixed_mask()

    def _fixed_mask(self) -> Tensor:
        """Return the mask of the evaluation, whatever mode the layer is in."""
        with torch.no_grad():
            return self._mask(fixed=True)

    def _mask(self, *, fixed: bool = False) -> Tensor:
        """Return 0 or 1 per weight; magnitudes are those of the weight as its quantiser conditions it."""
        if self.sparsity is None:
            return torch.ones_like(self.weight)
        if fixed and isinstance(self.sparsity, sparsity.WeightGates):
            return self.sparsity.evaluation_gates()
        conditioned = (
            self.quantiser.condition(self.weight) if isinstance(self.quantiser, quantisers.PowerOfTwo) else self.weight
        )
        mask: Tensor = self.sparsity(conditioned)
        return mask

    def _connect(self, codes: Tensor, weight: Tensor) -> Tensor:
        if self.geometry is None:
            return F.linear(codes, weight)
        return convolve(codes, weight, self.geometry)

    def _pooled(self, current: Tensor) -> Tensor:
        if self.geometry is None or self.geometry.pool_before == 1:
            return current
        return sum_pool(current, self.geometry.window)

    def _chunk(self) -> int:
        if self.geometry is None:
            return 1 << 16
        columns = self.weight[0].numel() * int(np.prod(self.out_shape[1:])) * self.geometry.window.size
        return max(1, _COLUMN_ELEMENTS // max(columns, 1))


def convolve(codes: Tensor, weight: Tensor, shape: ConvGeometry) -> Tensor:
    """Return the convolution [M, C_out, ...] of codes [M, C, ...] over the axes that the kernel has, 0 outside."""
    conv = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[len(shape.kernel)]
    sums: Tensor = conv(codes, weight, stride=shape.stride, padding=shape.padding, groups=shape.groups)
    return sums


def weight_shape(source: Signal, channels: int, geometry: ConvGeometry | None) -> tuple[int, ...]:
    """Return the shape of the weights: [C_out, C_in / groups, kernel ...], or [C_out, C_in]."""
    if geometry is None:
        return (channels, source.size)
    return (channels, source.shape[0] // geometry.groups, *geometry.kernel)


def _out_plane(plane: tuple[int, ...], shape: ConvGeometry) -> tuple[int, ...]:
    sides = outputs(plane, shape.kernel, shape.stride, shape.padding)
    return tuple(side // shape.pool_before for side in sides)


def _per_channel(values: Tensor, like: Tensor) -> Tensor:
    return values.reshape(-1, *[1] * (like.ndim - 2))


def _float64(values: Tensor) -> npt.NDArray[np.float64]:
    return values.detach().cpu().double().numpy()
