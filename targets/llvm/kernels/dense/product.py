"""How a weighted sum multiplies and adds, and the rule that chooses it; `multiply` emits it.

The rule, in order: `dot` where the CPU has byte dot products (of 512 bits, or of 256), weights fit two bytes and sums
int32; `pairs` (AVX2, SSSE3) or else `words` where weights are bytes and enough of their products fit 16 bits together;
else `portable`. Weights of one byte take `dot` one pass, wider ones two (high bytes, a shift, low bytes).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from spqc.targets._plan.arrangements import Weight
from spqc.targets._plan.constants import Constants
from spqc.targets._plan.geometry import WeightedSum
from spqc.targets._plan.machine import Machine

_DOT_FEATURES = frozenset({"avx512f", "avx512bw", "avx512vnni"})
_HALF_FEATURES = frozenset({"avx2", "avxvnni"})
_LIMIT = 2**15 - 1
_WORTH = 8  # rows: sums that must be widened after fewer take as long as wide ones


@dataclass(frozen=True)
class Dot:
    """Four unsigned bytes times four signed bytes into each int32 lane (AVX-512 VNNI, AVX-VNNI): weights [lane][4].

    Sums wrap: high bytes alone may pass 32 bits once shifted, but the whole sum, proven to fit, comes out right.
    """

    parts: int = 1
    halves: bool = False  # two vectors of 256 bits
    name = "dot"
    narrow = ""
    period = 0
    group = 4
    dtype = "int32"
    weight_dtype = "int8"
    shifts = False

    @staticmethod
    def serves(conv: WeightedSum, machine: Machine, constants: Constants) -> bool:
        narrow = constants.weight_dtype(conv.weight) == "int8" or constants.has_two_bytes(conv.weight)
        return conv.bits <= 32 and narrow and any(machine.features >= f for f in (_DOT_FEATURES, _HALF_FEATURES))


class _Narrow:
    """What sums in int16 lanes, widened to int32, share: weights of a byte, `group` of them side by side."""

    parts = 1
    group: ClassVar[int]
    dtype = "int32"
    narrow = "int16"
    weight_dtype = "int8"
    shifts = False


@dataclass(frozen=True)
class Pairs(_Narrow):
    """Two unsigned bytes times two signed bytes into each int16 lane (AVX2, SSSE3): weights [lane][2].

    The weights prove that no pair saturates, and how many rows (`period`) may be added before sums are widened.
    """

    period: int
    halves: bool = False  # two vectors of 128 bits
    name = "pairs"
    group: ClassVar[int] = 2


@dataclass(frozen=True)
class Words(_Narrow):
    """One input at a time times LANES outputs, in 16-bit lanes of any CPU; sums are widened after `period` rows."""

    period: int
    name = "words"
    group: ClassVar[int] = 1


@dataclass(frozen=True)
class Portable:
    """One input at a time times LANES outputs, in plain vectors that any CPU has; forms products as the graph says."""

    multiply: str
    dtype: str
    weight_dtype: str
    name = "portable"
    narrow = ""
    period = 0
    parts = 1
    group = 1

    @property
    def shifts(self) -> bool:
        """Whether weights are signs and shifts."""
        return self.multiply == "shift"


Product = Dot | Pairs | Words | Portable


def arranged(product: Product, conv: WeightedSum, lanes: int, channels: int, byte: int = 0) -> Weight:
    """Return how the weights of a sum lie, for tiles of `lanes` outputs over `channels` padded inputs.

    byte: of weights of two parts, the high (0) or the low one (1).
    """
    shape = (conv.output.channels, conv.kernel, channels, lanes, product.group, conv.groups)
    return Weight(conv.weight.name, product.weight_dtype, *shape, byte, product.parts, product.shifts)


def choose(conv: WeightedSum, machine: Machine, constants: Constants) -> Product:
    """Return the product for one sum, by the rule above."""
    if Dot.serves(conv, machine, constants):
        parts = 1 if constants.weight_dtype(conv.weight) == "int8" else 2
        return Dot(parts, halves=not machine.features >= _DOT_FEATURES)
    narrow = _narrow(conv, machine, constants)
    if narrow is not None:
        return narrow
    dtype = "int32" if conv.bits <= 32 else "int64"
    shifts = conv.multiply == "shift"
    return Portable(conv.multiply, dtype, "int8" if shifts else constants.weight_dtype(conv.weight))


def _narrow(conv: WeightedSum, machine: Machine, constants: Constants) -> Product | None:
    """Return the product in 16-bit lanes, None where too few products fit them together.

    Whatever the inputs, `period` rows in a row stay within 16 bits: their range times that of the weights.
    """
    low, high = conv.source.type.range
    if low < 0 or high > 255 or conv.bits > 32 or constants.weight_dtype(conv.weight) != "int8":
        return None
    largest = max(1, high * int(np.abs(constants.graph.data[conv.weight.name].astype(np.int64)).max(initial=0)))
    if "ssse3" in machine.features and _LIMIT // (2 * largest) >= _WORTH:
        return Pairs(_LIMIT // (2 * largest), halves="avx2" not in machine.features)
    return Words(_LIMIT // largest) if _LIMIT // largest >= _WORTH else None
