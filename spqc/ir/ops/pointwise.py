"""Operators that treat each element by itself."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from ..op import Op, joined_clock
from ..types import Array, Type, integer_type

_COUNTED = ("spike", "uint", "ternary", "int")


def per_channel(constant: Array, like: Array) -> Array:
    """Return a constant with one element a channel, shaped to meet an array [N, C, ...]."""
    return constant.reshape(-1, *(1,) * (like.ndim - 2))


@dataclass(frozen=True)
class Affine(Op):
    """Batch norm in evaluation form: x = round(round(a[c] * n) + b[c]), two roundings and never a fused one.

    With constants `a` and `b` in fixed point of the same scale the result is fixed point, and nothing is rounded.

    Operands: n, integers [C, ...]; a and b, one number a channel [C], both of one `float` or `fixed` type.
    Result: the type of a, with the shape and the clock of n.
    Source: batch norm at inference; a is gamma / sqrt(variance + epsilon) times the scale of n, b what is added.
    """

    name: ClassVar[str] = "affine"
    operands: ClassVar[int | None] = 3

    def infer(self) -> tuple[Type, ...]:
        n, a, b = (self.type_of(i) for i in range(3))
        fits = n.is_integer and a.shape == b.shape == n.shape[:1]
        self.need(fits, f"needs one a and b for each channel of {n}, not {a} and {b}")
        real = a == b and a.encoding in ("float", "fixed")
        self.need(real, f"needs float or fixed constants of one type, not {a} and {b}")
        return (replace(a, shape=n.shape, clock=n.clock),)

    def evaluate(self, *arrays: Array) -> tuple[Array, ...]:
        n, a, b = arrays
        scaled = n.astype(self.out.type.dtype) * per_channel(a, n)
        return (scaled + per_channel(b, n),)


@dataclass(frozen=True)
class Add(Op):
    """x + y, where y is of the same type, or integers that count in their own scale (spikes of a residual path).

    Two integers of one scale make an integer stream: spikes and spikes give 0..2.

    Operands: x and y of one shape: two integers of one scale; or x `float` or `fixed` and y of the same encoding and
    scale, or integers, which are brought to the unit of x.
    Result: for two integers the narrowest type of their sum's range (any other width may be declared, which a proof
    gives), else the type of x; constant where both are.
    Source: residual connections, as in ResNet-19; the integer residual stream of Spikformer.
    """

    name: ClassVar[str] = "add"
    operands: ClassVar[int | None] = 2

    @property
    def counts(self) -> bool:
        """Return whether integers are added to integers."""
        return all(value.type.encoding in _COUNTED for value in self.inputs)

    def infer(self) -> tuple[Type, ...]:
        x, y = self.type_of(0), self.type_of(1)
        self.need(x.shape == y.shape, f"adds values of one shape, not {x} and {y}")
        if self.counts:
            self.need(x.scale == y.scale, f"adds integers of one scale, not {x} and {y}")
            low, high = (a + b for a, b in zip(x.range, y.range, strict=True))
            return (integer_type(low, high, x.shape, joined_clock(x, y), x.scale),)
        same = (x.encoding, x.scale) == (y.encoding, y.scale)
        self.need(same or (x.encoding in ("float", "fixed") and y.is_integer), f"cannot add {y} to {x}")
        return (replace(x, clock=joined_clock(x, y)),)

    def accepts(self, declared: Type, index: int) -> bool:
        """Any width of a sum of integers may be declared: it is a proof's result, not a property of the operands."""
        wanted = self.infer()[index]
        return declared == (replace(wanted, bits=declared.bits) if self.counts else wanted)

    def evaluate(self, *arrays: Array) -> tuple[Array, ...]:
        x, y = arrays
        return (x + self.converted(y),)

    def converted(self, y: Array) -> Array:
        """Return the second operand in units of the first: exact, as scales are powers of two or the type is float."""
        x_type, y_type = self.type_of(0), self.type_of(1)
        if x_type.encoding == "float" and y_type.is_integer:
            return np.asarray(y.astype(x_type.dtype) * x_type.dtype.type(y_type.scale))
        if x_type.encoding == "fixed" and y_type.scale != x_type.scale:
            return y * int(y_type.scale / x_type.scale)
        return y


@dataclass(frozen=True)
class Combine(Op):
    """p[c] * n + m[c] * k on integers: two sums weighed against each other. Factors of 32 bits promise a sum of 32.

    Operands: n and k, integers of one shape [C, ...]; p and m, one integer a channel [C].
    Result: `int32` of n's shape and of scale 1, `int64` where a factor is wider than 32 bits.
    Source: this compiler (`combine-branches`; docs/decisions.md, 29), for neurons behind a projected residual.
    """

    name: ClassVar[str] = "combine"
    operands: ClassVar[int | None] = 4

    def infer(self) -> tuple[Type, ...]:
        n, k, p, m = (self.type_of(i) for i in range(4))
        self.need(n.is_integer and k.is_integer and n.shape == k.shape, f"combines sums of one shape, not {n} and {k}")
        fits = p.is_integer and m.is_integer and p.shape == m.shape == n.shape[:1]
        self.need(fits, f"needs two integers for each channel of {n}, not {p} and {m}")
        return (Type("int", 32 if max(p.bits, m.bits) <= 32 else 64, n.shape, joined_clock(n, k)),)

    def evaluate(self, *arrays: Array) -> tuple[Array, ...]:
        n, k, p, m = arrays
        return (n * per_channel(p, n) + k * per_channel(m, k),)


@dataclass(frozen=True)
class Bias(Op):
    """n + b[c] on the integer lattice.

    Operands: n, integers [C, ...]; b, one integer a channel [C], in the unit of n.
    Result: `int` of the width of n, at least 32 bits, with its shape, scale and clock.
    Source: the bias of a linear layer or a convolution, rounded to the unit of the sum.
    """

    name: ClassVar[str] = "bias"
    operands: ClassVar[int | None] = 2

    def infer(self) -> tuple[Type, ...]:
        n, b = self.type_of(0), self.type_of(1)
        fits = n.is_integer and b.is_integer and b.shape == n.shape[:1]
        self.need(fits, f"adds one integer to each channel of {n}, not {b}")
        return (replace(n, encoding="int", bits=max(n.bits, 32)),)

    def evaluate(self, *arrays: Array) -> tuple[Array, ...]:
        n, b = arrays
        return (n + per_channel(b, n),)


@dataclass(frozen=True)
class SpatialMask(Op):
    """x where |x| > threshold, else 0 (SpQuant-SNN Eq 21/22 with a calibrated constant).

    Operands: x, `float` or `fixed`.
    Result: the type of x.
    threshold: real value, at least 0; rounded to the type of x.
    Source: SpQuant-SNN Eq 21 and 22.
    """

    threshold: float = 0.0
    name: ClassVar[str] = "spatial_mask"
    operands: ClassVar[int | None] = 1

    def infer(self) -> tuple[Type, ...]:
        x = self.type_of(0)
        self.need(x.encoding in ("float", "fixed"), f"masks real values, not {x}")
        self.need(self.threshold >= 0, "needs a threshold of at least 0")
        return (x,)

    def evaluate(self, *arrays: Array) -> tuple[Array, ...]:
        (x,) = arrays
        scale = self.type_of(0).scale
        limit = x.dtype.type(self.threshold / scale)
        return (np.where(np.abs(x) > limit, x, x.dtype.type(0)),)


@dataclass(frozen=True)
class Gate(Op):
    """x * m[c]: a channel gate of spikes switches whole channels, batch norm's offset included.

    Operands: x, [C, ...] of any type; m, one spike a channel [C].
    Result: the type of x; constant where both operands are.
    Source: SpQuant-SNN Eq 23.
    """

    name: ClassVar[str] = "gate"
    operands: ClassVar[int | None] = 2

    def infer(self) -> tuple[Type, ...]:
        x, m = self.type_of(0), self.type_of(1)
        fits = m.encoding == "spike" and m.shape == x.shape[:1]
        self.need(fits, f"needs one gate spike for each channel of {x}, not {m}")
        return (replace(x, clock=joined_clock(x, m)),)

    def evaluate(self, *arrays: Array) -> tuple[Array, ...]:
        x, m = arrays
        opened = m.reshape(*m.shape, *(1,) * (x.ndim - m.ndim))
        return (np.where(opened != 0, x, x.dtype.type(0)),)


@dataclass(frozen=True)
class Greater(Op):
    """1 where n > t[c], else 0: the decision of a channel gate.

    Operands: n, integers [C, ...]; t, one integer a channel [C].
    Result: spikes of the shape and the clock of n.
    Source: the sigmoid of a channel gate (SpQuant-SNN Eq 23) against its constant, as a comparison of integers.
    """

    name: ClassVar[str] = "greater"
    operands: ClassVar[int | None] = 2

    def infer(self) -> tuple[Type, ...]:
        n, t = self.type_of(0), self.type_of(1)
        fits = n.is_integer and t.is_integer and t.shape == n.shape[:1]
        self.need(fits, f"compares {n} with one integer a channel, not {t}")
        return (Type("spike", 1, n.shape, n.clock),)

    def evaluate(self, *arrays: Array) -> tuple[Array, ...]:
        n, t = arrays
        return ((n > per_channel(t, n)).astype(np.int64),)


@dataclass(frozen=True)
class Repeat(Op):
    """A value that is constant in time, once a step: direct coding of a still image.

    Operands: x, a constant value (`@const`).
    Result: the type of x, at every step.
    Source: direct coding, in which the first layer reads the same frame at every step.
    """

    name: ClassVar[str] = "repeat"
    operands: ClassVar[int | None] = 1

    def infer(self) -> tuple[Type, ...]:
        x = self.type_of(0)
        self.need(x.clock == "const", f"repeats what is constant in time, not {x}")
        return (replace(x, clock="step"),)

    def evaluate(self, *arrays: Array) -> tuple[Array, ...]:
        return (arrays[0],)


@dataclass(frozen=True)
class Flatten(Op):
    """CxHxW as one row, channel first: element (c, i, j) comes to (c * H + i) * W + j.

    Operands: x, of any type.
    Result: the type of x, of shape [number of elements].
    Source: PyTorch's `flatten` of all axes but the batch.
    """

    name: ClassVar[str] = "flatten"
    operands: ClassVar[int | None] = 1

    def infer(self) -> tuple[Type, ...]:
        x = self.type_of(0)
        return (replace(x, shape=(x.size,)),)

    def evaluate(self, *arrays: Array) -> tuple[Array, ...]:
        return (arrays[0].reshape(arrays[0].shape[0], -1),)


@dataclass(frozen=True)
class Reshape(Op):
    """The elements in the order of their axes, channel first, as a map of another shape.

    Operands: x, of any type.
    Result: the type of x, of the shape given.
    shape: the new shape, of as many elements.
    Source: PyTorch's `reshape` of all axes but the batch.
    """

    shape: tuple[int, ...] = ()
    name: ClassVar[str] = "reshape"
    operands: ClassVar[int | None] = 1

    def infer(self) -> tuple[Type, ...]:
        x = self.type_of(0)
        fits = min(self.shape, default=0) >= 1 and math.prod(self.shape) == x.size
        self.need(fits, f"cannot give {x} the shape {'x'.join(map(str, self.shape))}")
        return (replace(x, shape=self.shape),)

    def evaluate(self, *arrays: Array) -> tuple[Array, ...]:
        return (arrays[0].reshape(arrays[0].shape[0], *self.shape),)
