"""The bit-serial kernel: spikes and ternary weights are bits, 32 inputs share a word, and a sum is two popcounts.

A weight's bits are two planes, one of the inputs it adds and one of those it subtracts; a lane is an output. Inputs of
several bits are planes as well, the highest first: the sums so far are doubled, and the next plane's are added.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tvm import tirx
from tvm.tirx.script import builder as T

from spqc.targets._plan.geometry import WeightedSum
from spqc.targets._tir.memory import Place
from spqc.targets._tir.vector import Expr, Registers, bind, broadcast, constant, i32, lanes, loop, when
from spqc.targets._tir.width import LANES

from ..dense.kernel import Dense
from .plan import WORD, words_of


@dataclass
class Bits(Dense):
    """Emits one region; everything behind the sum is the dense kernel's."""

    planes: int = field(kw_only=True)
    shift: int = field(kw_only=True)

    @property
    def head(self) -> WeightedSum:
        if self.region.sum is None:
            raise TypeError("a bit-serial kernel begins with a sum")
        return self.region.sum

    def stage_input(self) -> None:
        """Emit the packing of the inputs: [step][plane][word]."""
        self.dtype = self.epilogue.dtype = "int32"
        self.words_a_plane = words_of(self.head.input)
        size = 4 * self.steps * self.planes * self.words_a_plane
        self.packed_at = self.context.reserve(size + 2 * WORD * 4) // 4  # the last word may read behind its input
        source = self.context.place_of(self.head.source)
        with T.serial(0, self.words_a_plane) as word:
            for t in range(self.steps):
                raw = bind(_inputs(source, t, word))
                for plane in range(self.planes):
                    bit = t if source.packed else plane
                    at = self._word(i32(t), plane, word)
                    T.buffer_store(self.context.memory.view("arena", "int32"), _gathered(raw, source, bit), [at])

    def _word(self, step: Expr, plane: int, word: Expr) -> Expr:
        return i32(self.packed_at) + (step * self.planes + plane) * self.words_a_plane + word

    def sums(self, tile: Expr, y: Expr, x: Expr, first: Expr) -> Registers:
        b = self.block
        sums = Registers("sums", b.accumulators)
        for i in range(b.accumulators):
            sums[i] = constant(0, "int32")
        with when(self._open(tile, first)):
            for plane in reversed(range(self.planes)):
                self._add_plane(sums, plane, tile, first)
                shift = 1 if plane else self.shift
                for i in range(b.accumulators if shift else 0):
                    sums[i] = sums[i] << constant(shift, "int32")
        return sums

    def _add_plane(self, sums: Registers, plane: int, tile: Expr, first: Expr) -> None:
        b, memory = self.block, self.context.memory
        where = self.context.constants.bit_planes(self.head, self.words_a_plane)
        weights, inputs = memory.view("constant", "int32"), memory.view("arena", "int32")
        with loop(self.words_a_plane) as word:
            for o in range(b.tiles):
                row = bind(((tile * b.tiles + o) * self.words_a_plane + word) * (2 * LANES) + where.offset // 4)
                plus, minus = (T.Bind(weights[lanes(row + i * LANES)]) for i in range(2))
                for t in range(b.steps):
                    bits = bind(broadcast(inputs[self._word(first + t, plane, word)]))
                    i = o * b.steps + t
                    sums[i] = sums[i] + tirx.popcount(bits & plus) - tirx.popcount(bits & minus)


def _inputs(source: Place, t: int, word: Expr) -> Expr:
    """Return WORD inputs of a step as they lie in memory."""
    first = source.base if source.packed else source.base + t * (source.map.pixels * source.channels)
    return source.memory.view(source.region, source.dtype)[lanes(first + word * WORD, WORD)]


def _gathered(raw: Expr, source: Place, bit: int) -> Expr:
    """Return one bit of every input as a word: brought to the top of a byte, and the tops of 32 bytes gathered."""
    down = raw >> T.Broadcast(tirx.const(bit, source.dtype), WORD)
    tops = down.astype(f"uint8x{WORD}") << T.Broadcast(tirx.const(7, "uint8"), WORD)
    return T.call_llvm_pure_intrin("int32", "llvm.x86.avx2.pmovmskb", tops)
