"""Weighted sums: convolution and linear layers over integers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from spqc.foundation.locks import no_fork

from ..op import Op, joined_clock
from ..sides import Sides, canonical, outputs, per_axis
from ..types import LARGEST_SIZE, Array, Type

Multiply = Literal["product", "shift", "select"]

_EXACT_IN_FLOAT64 = 2**53


def exact_matmul(a: Array, b: Array) -> Array:
    """Return `a @ b` for integer arrays, exactly; float64 carries it where no partial sum can leave 2^53."""
    bound = float(np.abs(a).max(initial=0)) * float(np.abs(b).max(initial=0)) * a.shape[-1]
    if bound < _EXACT_IN_FLOAT64:
        wide_a, wide_b = a.astype(np.float64), b.astype(np.float64)
        with no_fork:  # the linear algebra behind numpy hangs in a process that was forked meanwhile
            product = wide_a @ wide_b
        return np.asarray(product.astype(np.int64))
    return np.asarray(a.astype(np.int64) @ b.astype(np.int64))


@dataclass(frozen=True)
class _WeightedSum(Op):
    @property
    def macs(self) -> int:
        """Every output sums over all the weights of its channel, padding included."""
        weight = self.type_of(1)
        return self.out.type.size * (weight.size // weight.shape[0])

    def result(self, shape: tuple[int, ...]) -> Type:
        x, w = self.type_of(0), self.type_of(1)
        self.need(x.is_integer and w.is_integer, f"adds integers, not {x} and {w}")
        return Type("int", 32, shape, joined_clock(x, w), x.scale * w.scale)

    def accepts(self, declared: Type, index: int) -> bool:
        """Any signed width may be declared: the width is a proof's result, not a property of the operands."""
        wanted = self.infer()[index]
        signed = Type("int", declared.bits, wanted.shape, wanted.clock, wanted.scale)
        return declared == signed


@dataclass(frozen=True)
class Linear(_WeightedSum):
    """y[o] = sum over i of w[o, i] x[i].

    Operands: x, integers [I]; w, integers [O, I].
    Result: `int32` [O]; any other width may be declared, which a proof gives. Its scale is the product of both scales;
    it is constant where both operands are.
    multiply: how a target forms each product: `product`; `shift`, where weights are powers of two; `select`, where
    inputs are spikes. The sums are the same.
    Source: the linear layer of PyTorch without a bias, on integers.
    """

    multiply: Multiply = "product"
    name: ClassVar[str] = "linear"
    operands: ClassVar[int | None] = 2

    @property
    def is_wide(self) -> bool:
        """Whether an input is wider than a byte."""
        return self.type_of(0).range[1] > 255

    def infer(self) -> tuple[Type, ...]:
        x, w = self.type_of(0), self.type_of(1)
        self.need(
            len(w.shape) == 2 and x.shape == w.shape[1:],
            f"reads {x} but its weight is {w}",
            "the last dimension of the weight must equal the size of the input",
        )
        return (self.result(w.shape[:1]),)

    def evaluate(self, *arrays: Array) -> tuple[Array, ...]:
        x, w = arrays
        return (exact_matmul(x, w.T),)


@dataclass(frozen=True)
class Conv(_WeightedSum):
    """y[o, i] = sum over c, k of w[o, c, k] x[c, i*stride + k - padding], i and k along every axis; outside is 0.

    Stride and padding are one number for every axis, or one an axis.

    Operands: x, integers [C, sides]; w, integers [O, C / groups, kernel sides].
    Result: `int32` [O, sides], each side floor((side + 2*padding - kernel) / stride) + 1; any other width may be
    declared, which a proof gives. Its scale is the product of both scales; it is constant where both operands are.
    stride: how far a window lies from the one before.
    padding: how many zeros lie on each side of the map.
    groups: channels are divided into so many groups, and an output reads those of its own group only.
    multiply: how a target forms each product: `product`; `shift`, where weights are powers of two; `select`, where
    inputs are spikes. The sums are the same.
    Source: the convolution of PyTorch without a bias (a cross-correlation), on integers.
    """

    stride: Sides = (1,)
    padding: Sides = (0,)
    groups: int = 1
    multiply: Multiply = "product"
    axes: ClassVar[int]

    def __post_init__(self) -> None:
        for name in ("stride", "padding"):
            object.__setattr__(self, name, canonical(getattr(self, name)))

    @property
    def sides(self) -> tuple[Sides, Sides, Sides]:
        """Return kernel, stride and padding with one entry an axis."""
        stride, padding = (per_axis(sides, self.axes) for sides in (self.stride, self.padding))
        self.need(bool(stride and padding), f"needs one stride and padding, or {self.axes}")
        return self.type_of(1).shape[2:], stride, padding

    def infer(self) -> tuple[Type, ...]:
        x, w = self.type_of(0), self.type_of(1)
        fits = len(x.shape) == self.axes + 1 and len(w.shape) == self.axes + 2
        self.need(fits, f"reads maps of {self.axes} axes with a weight OxCx..., not {x} and {w}")
        self.need(
            self.groups >= 1 and x.shape[0] == w.shape[1] * self.groups and w.shape[0] % self.groups == 0,
            f"reads {x.shape[0]} channels in {self.groups} groups but its weight is {w}",
        )
        kernel, stride, padding = self.sides
        self.need(min(stride) >= 1 and min(padding) >= 0, "needs stride >= 1 and padding >= 0")
        around = math.prod(side + 2 * pad for side, pad in zip(x.shape[1:], padding, strict=True))
        self.need(x.shape[0] * around <= LARGEST_SIZE, f"pads {x} to more than {LARGEST_SIZE} elements")
        size = outputs(x.shape[1:], kernel, stride, padding)
        self.need(min(size) >= 1, f"has a kernel larger than its padded input {x}")
        return (self.result((w.shape[0], *size)),)

    def evaluate(self, *arrays: Array) -> tuple[Array, ...]:
        x, w = arrays
        kernel, stride, padding = self.sides
        places = tuple(range(2, 2 + self.axes))
        padded = np.pad(x, ((0, 0), (0, 0), *((pad, pad) for pad in padding)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=places)
        windows = windows[(slice(None), slice(None), *(slice(None, None, step) for step in stride))]
        windows = np.moveaxis(windows, 1, 1 + self.axes)  # N, positions, C, kernel
        size = windows.shape[: 1 + self.axes]
        parts = []
        groups = zip(np.split(windows, self.groups, 1 + self.axes), np.split(w, self.groups, 0), strict=True)
        for part, weight in groups:
            parts.append(exact_matmul(part.reshape(math.prod(size), -1), weight.reshape(weight.shape[0], -1).T))
        y = np.concatenate(parts, axis=1).reshape(*size, w.shape[0])
        return (np.moveaxis(y, -1, 1),)


@dataclass(frozen=True)
class Conv1d(Conv):
    """y[o, i] = sum over c, k of w[o, c, k] x[c, i*stride + k - padding]; outside is 0."""

    name: ClassVar[str] = "conv1d"
    operands: ClassVar[int | None] = 2
    axes: ClassVar[int] = 1


@dataclass(frozen=True)
class Conv2d(Conv):
    """y[o, i, j] = sum over c, k, l of w[o, c, k, l] x[c, i*stride + k - padding, j*stride + l - padding]; outside is 0."""  # noqa: E501

    name: ClassVar[str] = "conv2d"
    operands: ClassVar[int | None] = 2
    axes: ClassVar[int] = 2


@dataclass(frozen=True)
class Conv3d(Conv):
    """A convolution over depth, rows and columns, as `conv2d` is over rows and columns.

    y[o, h, i, j] = sum over c, m, k, l of w[o, c, m, k, l] x[c, h*stride + m - padding, i*stride + k - padding,
    j*stride + l - padding]; outside is 0.
    """

    name: ClassVar[str] = "conv3d"
    operands: ClassVar[int | None] = 2
    axes: ClassVar[int] = 3
