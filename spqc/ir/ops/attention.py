"""Attention of spikes to spikes, without a softmax: products of integers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from ..op import Op, joined_clock
from ..types import Array, Type, unsigned_type
from .matrix import exact_matmul


@dataclass(frozen=True)
class Attention(Op):
    """Multi-head attention (Q K^T) V of three maps CxHxW, a token a pixel; head h holds the h-th part of the channels.

    y[e, n] = sum over tokens m and the head's channels d of q[d, n] k[d, m] v[e, m]. No softmax stands between the
    products, so that (Q K^T) V and Q (K^T V) are the same integers.

    Operands: q, k and v, `spike` or `uint` maps of one shape [C, ...], C a multiple of `heads`.
    Result: the `uint` type of q's shape that holds tokens * (C / heads) * max(q) * max(k) * max(v); its scale is the
    product of the three scales and `scale`.
    heads: how many equal parts the channels are divided into.
    scale: the factor of the product, which moves into the type of the result.
    first: the product that a target forms first: `qk` (tokens x tokens) or `kv` (channels x channels).
    Source: Spikformer, whose factor is 1/8.
    """

    heads: int = 1
    scale: float = 0.125
    first: Literal["qk", "kv"] = "qk"
    name: ClassVar[str] = "attention"
    operands: ClassVar[int | None] = 3

    @property
    def tokens(self) -> int:
        """The number of positions, each of which attends to all."""
        shape = self.type_of(0).shape
        return self.type_of(0).size // shape[0]

    @property
    def width(self) -> int:
        """The channels of one head."""
        return self.type_of(0).shape[0] // self.heads

    @property
    def macs(self) -> int:
        """The multiply-accumulates of both products, in the order that `first` says."""
        inner = self.tokens if self.first == "qk" else self.width
        return 2 * self.heads * self.tokens * self.width * inner

    @property
    def highest(self) -> int:
        """The largest element for operands as wide as their types."""
        return self.bound(*(value.type.range[1] for value in self.inputs))

    def bound(self, q: int, k: int, v: int) -> int:
        """Return the largest element for operands up to q, k and v."""
        return self.tokens * self.width * q * k * v

    def infer(self) -> tuple[Type, ...]:
        q, k, v = (self.type_of(i) for i in range(3))
        counted = all(t.encoding in ("spike", "uint") for t in (q, k, v))
        self.need(q.shape == k.shape == v.shape and counted, f"reads three unsigned maps alike, not {q}, {k} and {v}")
        fits = self.heads >= 1 and q.shape[0] % self.heads == 0
        self.need(fits, f"cannot share {q.shape[0]} channels among {self.heads} heads")
        scale = q.scale * k.scale * v.scale * self.scale
        return (unsigned_type(self.highest, q.shape, joined_clock(q, k, v), scale),)

    def evaluate(self, *arrays: Array) -> tuple[Array, ...]:
        shape = (self.heads, self.width, self.tokens)
        q, k, v = (array.reshape(-1, *shape) for array in arrays)  # constants of the batch broadcast
        if self.first == "qk":
            y = exact_matmul(v, exact_matmul(k.swapaxes(2, 3), q))
        else:
            y = exact_matmul(exact_matmul(v, k.swapaxes(2, 3)), q)
        return (np.ascontiguousarray(y).reshape(y.shape[0], *self.type_of(0).shape),)
