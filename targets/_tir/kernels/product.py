"""How a weighted sum multiplies and adds: the inner step of the dense kernel, and the rule that chooses it.

The rule, in order: `dot` where the CPU has 512-bit byte dot products, weights fit two bytes and sums int32; else
`portable`. Weights of one byte take `dot` one pass, wider ones two (high bytes, a shift, low bytes).
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.tirx.script import builder as T

from ..arrange import Arrangement
from ..constants import Constants
from ..context import Context, Machine
from ..geometry import WeightedSum
from ..vector import Expr, bind, broadcast, cast, constant, lanes

_DOT_FEATURES = frozenset({"avx512f", "avx512bw", "avx512vnni"})


@dataclass(frozen=True)
class Dot:
    """Four unsigned bytes times four signed bytes into each int32 lane (AVX-512 VNNI): weights [lane][4].

    Sums wrap: high bytes alone may pass 32 bits once shifted, but the whole sum, proven to fit, comes out right.
    """

    parts: int = 1
    name = "dot"
    group = 4
    dtype = "int32"
    weight_dtype = "int8"

    @staticmethod
    def serves(g: WeightedSum, machine: Machine, constants: Constants) -> bool:
        narrow = constants.weight_dtype(g.weight) == "int8" or constants.has_two_bytes(g.weight)
        return machine.features >= _DOT_FEATURES and g.bits <= 32 and narrow

    def arrange(self, constants: Constants, g: WeightedSum, lanes_: int, channels: int, part: int) -> Arrangement:
        return constants.weight(g, "int8", group=4, lanes=lanes_, channels=channels, part=part, parts=self.parts)

    def arrange_rows(self, constants: Constants, g: WeightedSum, lanes_: int, channels: int, part: int) -> Arrangement:
        """Place the rows that are not zero (see kernels/sparse.py)."""
        shape = {"group": 4, "lanes": lanes_, "channels": channels, "part": part, "parts": self.parts}
        return constants.sparse_rows(g, "int8", shifts=False, **shape)

    def activation(self, context: Context, at: Expr) -> Expr:
        """Return the four input bytes at byte index `4 * at`, in every lane."""
        return bind(broadcast(context.memory.view("arena", "int32")[at]))

    def weight(self, context: Context, at: Expr) -> Expr:
        """Return the weights of LANES outputs; `at` counts vectors of LANES outputs."""
        return bind(context.memory.view("constant", "int8")[lanes(at * 64, 64)])

    def accumulate(self, total: Expr, activation: Expr, weight: Expr) -> Expr:
        bytes_ = tirx.reinterpret("uint8x64", activation)
        return T.call_llvm_pure_intrin("int32x16", "llvm.x86.avx512.vpdpbusd.512", total, bytes_, weight)


@dataclass(frozen=True)
class Portable:
    """One input at a time times LANES outputs, in plain vectors that any CPU has; forms products as the graph says."""

    multiply: str
    dtype: str
    weight_dtype: str
    name = "portable"
    parts = 1
    group = 1

    def arrange(self, constants: Constants, g: WeightedSum, lanes_: int, channels: int, part: int) -> Arrangement:
        shifts = self.multiply == "shift"
        return constants.weight(g, self.weight_dtype, group=1, lanes=lanes_, channels=channels, shifts=shifts)

    def arrange_rows(self, constants: Constants, g: WeightedSum, lanes_: int, channels: int, part: int) -> Arrangement:
        """Place the rows that are not zero (see kernels/sparse.py)."""
        shape = {"group": 1, "lanes": lanes_, "channels": channels, "part": 0, "parts": 1}
        return constants.sparse_rows(g, self.weight_dtype, shifts=self.multiply == "shift", **shape)

    def activation(self, context: Context, at: Expr) -> Expr:
        value = context.memory.view("arena", "uint8")[at].astype(self.dtype)
        return bind(broadcast(tirx.const(0, self.dtype) - value if self.multiply == "select" else value))

    def weight(self, context: Context, at: Expr) -> Expr:
        raw = context.memory.view("constant", self.weight_dtype)[lanes(at * 16)]
        return bind(cast(raw, self.dtype))

    def accumulate(self, total: Expr, activation: Expr, weight: Expr) -> Expr:
        if self.multiply == "select":  # a spike is a mask of all ones or none
            return total + (activation & weight)
        if self.multiply == "shift":
            return total + self._shifted(activation, weight)
        return total + activation * weight

    def _shifted(self, activation: Expr, code: Expr) -> Expr:
        """Return +-(a << k) from a code of sign bit 7 (now the vector's sign), non-zero bit 6 and shift k."""
        width = int(self.dtype.removeprefix("int"))
        sign = bind(code >> constant(width - 1, self.dtype))
        present = (code << constant(width - 7, self.dtype)) >> constant(width - 1, self.dtype)
        shifted = bind((activation << (code & constant(31, self.dtype))) & present)
        return (shifted ^ sign) - sign


Product = Dot | Portable


def choose(g: WeightedSum, machine: Machine, constants: Constants) -> Product:
    """Return the product for one sum, by the rule above."""
    if Dot.serves(g, machine, constants):
        return Dot(parts=1 if constants.weight_dtype(g.weight) == "int8" else 2)
    dtype = "int32" if g.bits <= 32 else "int64"
    shifts = g.multiply == "shift"
    return Portable(g.multiply, dtype, "int8" if shifts else constants.weight_dtype(g.weight))
