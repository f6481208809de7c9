"""Weighted sums: convolution and linear layers over integers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from ..op import Op, joined_clock
from ..types import Array, Type

Multiply = Literal["product", "shift", "select"]

_EXACT_IN_FLOAT64 = 2**53


def exact_matmul(a: Array, b: Array) -> Array:
    """Return `a @ b` for integer arrays, exactly; float64 carries it where no partial sum can leave 2^53."""
    bound = float(np.abs(a).max(initial=0)) * float(np.abs(b).max(initial=0)) * a.shape[-1]
    if bound < _EXACT_IN_FLOAT64:
        return np.asarray((a.astype(np.float64) @ b.astype(np.float64)).astype(np.int64))
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

    def accepts(self, found: Type, index: int) -> bool:
        """Any signed width may be declared: the width is a proof's result, not a property of the operands."""
        wanted = self.infer()[index]
        return found.encoding == "int" and found == Type("int", found.bits, wanted.shape, wanted.clock, wanted.scale)


@dataclass(frozen=True)
class Linear(_WeightedSum):
    """y[o] = sum_i w[o, i] x[i]. `multiply` says how a target forms each product."""

    multiply: Multiply = "product"
    name: ClassVar[str] = "linear"

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
class Conv2d(_WeightedSum):
    """y[o, i, j] = sum over c, k, l of w[o, c, k, l] x[c, i*stride + k - padding, j*stride + l - padding]; outside is 0."""  # noqa: E501

    stride: int = 1
    padding: int = 0
    groups: int = 1
    multiply: Multiply = "product"
    name: ClassVar[str] = "conv2d"

    def infer(self) -> tuple[Type, ...]:
        x, w = self.type_of(0), self.type_of(1)
        self.need(len(x.shape) == 3 and len(w.shape) == 4, f"reads CxHxW with an OxCxKxL weight, not {x} and {w}")
        self.need(
            self.groups >= 1 and x.shape[0] == w.shape[1] * self.groups and w.shape[0] % self.groups == 0,
            f"reads {x.shape[0]} channels in {self.groups} groups but its weight is {w}",
        )
        self.need(self.stride >= 1 and self.padding >= 0, "needs stride >= 1 and padding >= 0")
        size = [(n + 2 * self.padding - k) // self.stride + 1 for n, k in zip(x.shape[1:], w.shape[2:], strict=True)]
        self.need(min(size) >= 1, f"has a kernel larger than its padded input {x}")
        return (self.result((w.shape[0], *size)),)

    def evaluate(self, *arrays: Array) -> tuple[Array, ...]:
        x, w = arrays
        batch = x.shape[0]
        out, _, kernel_h, kernel_w = w.shape
        edge = (self.padding, self.padding)
        padded = np.pad(x, ((0, 0), (0, 0), edge, edge))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (kernel_h, kernel_w), axis=(2, 3))
        windows = windows[:, :, :: self.stride, :: self.stride]  # N C H W kh kw
        rows, columns = windows.shape[2:4]
        parts = []
        for part, weight in zip(np.split(windows, self.groups, 1), np.split(w, self.groups, 0), strict=True):
            flat = part.transpose(0, 2, 3, 1, 4, 5).reshape(batch * rows * columns, -1)
            parts.append(exact_matmul(flat, weight.reshape(weight.shape[0], -1).T))
        y = np.concatenate(parts, axis=1).reshape(batch, rows, columns, out)
        return (y.transpose(0, 3, 1, 2),)
