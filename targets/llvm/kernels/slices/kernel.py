"""The kernel of bit slices: outputs are the bits of one vector, 512 or 256, and full adders count them.

A counter is a stack of vectors: bit i of slice k is bit k of lane i's count. Programs (`adder_programs`) say for every
output which vectors of inputs are added at which slice; what is subtracted is added as its complement, and the
difference, a constant, is taken away at the end. Then 16 outputs' slices are transposed into rows of sums, and the
epilogue of any row kernel goes on.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from tvm import tirx
from tvm.tirx.script import builder as T

from spqc.targets._plan.adder_programs import BLOCK, CARRIED, ONES, WORD, ZERO, Programs
from spqc.targets._plan.geometry import Region
from spqc.targets._tir.context import Context
from spqc.targets._tir.vector import Expr, bind, cast, i32, lanes, loop
from spqc.targets._tir.width import LANES

from ..intrinsics import prefetch
from ..rows.permute import (
    Wide,
    bit_transposed,
    constant_lanes,
    materialise_wide,
    of_three,
    shuffled_bytes,
    to_lane_major,
)
from ..rows.plan import choose_pixels
from ..rows.rows import RowKernel
from .slice_bits import BitMaps
from .slice_lanes import WORDS, Part, SliceLanes, choose_slice_lanes

_ROWS = 16  # slices that are transposed at once: two bytes of a sum
_AHEAD = 256  # words of a program: about what is read while the memory answers
_HALF = 32  # lanes of a vector of two bytes
_ENOUGH = 3  # pieces for each thread, from which on they need not be made smaller


@dataclass
class Slices(RowKernel):
    """Emits one region: rows of sums by counting; what follows them is any row kernel's."""

    bits: SliceLanes = field(kw_only=True)
    programs: Programs = field(kw_only=True)

    @classmethod
    def of(cls, context: Context, region: Region, programs: Programs, steps: int) -> Slices:
        """Return the emitter of a region."""
        if region.sum is None:
            raise TypeError("slices count sums")
        lanes_of_bits = choose_slice_lanes(region.sum, steps)
        block = choose_pixels(region, lanes_of_bits, context.steps_of(region.last.out))
        return cls(
            context, region, block, shape=lanes_of_bits, planes=programs.planes, bits=lanes_of_bits, programs=programs
        )

    @property
    def _tiles(self) -> int:
        return self.output.padded // LANES

    @property
    def _parts(self) -> int:
        """Parts of the outputs: each makes the vectors of inputs anew, so as few as give all threads equally many."""
        threads = self.context.machine.threads
        if self.apart >= _ENOUGH * threads:
            return 1
        return min(threads // math.gcd(threads, self.apart), self._tiles)

    @property
    def _part_tiles(self) -> int:
        return -(-self._tiles // self._parts)

    @property
    def _first_piece(self) -> int:
        """Tiles that a thread takes at once: all of a part, or two thirds, so that a slow core leaves others the rest.

        (Of halves, a core that is slower by half would have begun both.)
        """
        threads = self.context.machine.threads
        few = self._parts * self.apart < _ENOUGH * threads
        return -(-2 * self._part_tiles // 3) if threads > 1 and few else self._part_tiles

    @property
    def _words(self) -> Expr:
        return self.context.memory.view("arena", "int64")

    def stage_rows(self) -> int:
        base = -(-self.context.scratch // (8 * WORDS)) * WORDS
        self.maps = BitMaps(self.context, self.head, self.bits, self.programs.planes, base)
        self.maps.emit()
        self.part = Part(self.bits, self.programs, self._first_piece * LANES)
        return 8 * (self.maps.end + self.context.machine.threads * self.part.words)

    def loops(self) -> None:
        pieces = -(-self._part_tiles // self._first_piece)
        with self.context.parallel(self._parts * self.apart * pieces) as unit:
            place, piece = bind(tirx.floordiv(unit, i32(pieces))), bind(tirx.floormod(unit, i32(pieces)))
            number, where = bind(tirx.floordiv(place, i32(self.apart))), bind(tirx.floormod(place, i32(self.apart)))
            self.base = bind(i32(self.maps.end) + self.context.thread() * self.part.words)
            self._place_sums()
            self._choose_tiles(bind(number * self._part_tiles), piece)
            self._fill_constants()
            with self.chunks_of(where) as chunk:
                self._count_all(chunk)
                with T.serial(0, self.tiles) as k:
                    self._tile(bind(self.first_tile + k), chunk)

    def _choose_tiles(self, begin: Expr, piece: Expr) -> None:
        """Set the first tile of a piece of the part that begins at a tile, and how many there are."""
        end = tirx.min(begin + i32(self._part_tiles), i32(self._tiles))
        self.first_tile = bind(begin + piece * self._first_piece)
        self.tiles = bind(tirx.min(i32(self._first_piece), end - self.first_tile))

    def _fill_constants(self) -> None:
        """Write the vectors that stand in empty places."""
        for v in range(self.bits.vectors):
            for place, value in ((ZERO, 0), (ONES, -1)):
                at = self.base + (v * self.part.set_words + place * self.bits.words)
                self._write(at, constant_lanes(value, self.bits.words, "int64"))

    def _count_all(self, chunk: Expr) -> None:
        """Count all outputs of the part over a chunk of lanes, one block of channels after another."""
        part = self.part
        outputs = bind(self.tiles * LANES)
        with loop(self.bits.vectors) as v, T.serial(0, outputs * (part.counter_words // self.bits.words)) as i:
            at = bind(self._counter(v, i32(0)) + i * self.bits.words)
            self._write(at, constant_lanes(0, self.bits.words, "int64"))
        with loop(self.programs.channel_blocks) as turn:
            block = bind(turn)
            self.maps.vectors(part, self.base, chunk, block)
            with loop(self.bits.vectors) as v, T.serial(0, outputs) as o:
                inputs = bind(self.base + v * part.set_words)
                self._program(block, bind(self.first_tile * LANES + o), inputs, self._counter(v, o))

    def _counter(self, v: Expr, output: Expr) -> Expr:
        """Return the first word of an output's counter."""
        return bind(self.base + self.part.counters + (v * self.part.outputs + output) * self.part.counter_words)

    def _program(self, block: Expr, output: Expr, inputs: Expr, counter: Expr) -> None:
        """Emit the interpreter of one output's program."""
        view, first = self._constants
        entry = block * self.programs.weight.shape[0] + output + first
        at = T.alloc_buffer((1,), "int32")
        T.buffer_store(at, view[entry].astype("int32") + i32(first + 1), [i32(0)])
        header = T.Bind(view[at[0] - i32(1)])
        for side, minus in enumerate((True, False)):
            with T.serial(0, _number(header, side).astype("int32")):
                head = T.Bind(view[at[0]])
                count = bind(_number(head, 2).astype("int32"))
                body = bind(at[0] + 1)
                carry = bind(inputs.astype("int64") + _number(head, 1))
                self._add(bind(counter.astype("int64") + _number(head, 0)), carry, body, count, inputs, minus)
                T.buffer_store(at, body + count * (BLOCK // WORD), [i32(0)])

    @property
    def _constants(self) -> tuple[Expr, int]:
        """Return words of constant memory, and the first of the programs' tables."""
        where = self.context.constants.adder_programs(self.head, self.programs)
        return self.context.memory.view("constant", "int64"), where.offset // 8

    def _add(self, counter: Expr, carry: Expr, body: Expr, count: Expr, inputs: Expr, minus: bool) -> None:
        """Emit one run: blocks of eight inputs are added to three slices in registers."""
        view, words = self.context.memory.view("constant", "int64"), self.bits.words
        sums = [Wide("slice", "int64", words) for _ in range(CARRIED)]
        slices = [counter + tirx.const(k * words, "int64") for k in range(CARRIED)]
        for one, at in zip(sums, slices, strict=True):
            one.set(self._read(at))
        first = bind(inputs.astype("int64"))
        with T.serial(0, count) as i:
            prefetch(view, body + i * (BLOCK // WORD) + _AHEAD)
            read = [T.Bind(view[body + i * (BLOCK // WORD) + k]) for k in range(BLOCK // WORD)]
            places = [first + _number(word, k) for word in read for k in range(WORD)]
            taken = [T.Bind(self._read(place)) for place in places]
            self._write(carry + (i * words).astype("int64"), _block(taken, sums, minus))
        for one, at in zip(sums, slices, strict=True):
            self._write(at, one.get())

    def _read(self, at: Expr) -> Expr:
        return self._words[_run(at, self.bits.words)]

    def _write(self, at: Expr, value: Expr) -> None:
        T.buffer_store(self._words, value, [_run(at, self.bits.words)])

    def fill(self, tile: Expr, chunk: Expr) -> None:
        """Bring the counters of 16 outputs into rows of sums, less what they count too much."""
        n, (view, first) = self.bits, self._constants
        too_much = first + self.programs.sizes.size
        with T.serial(0, LANES) as q, loop(n.vectors) as v:
            counter = self._counter(v, (tile - self.first_tile) * LANES + q)
            less = bind(view[too_much + tile * LANES + q].astype(self.sum_dtype))
            to = bind(self.rows_at + q * n.lanes + v * n.bits)
            low = self._halves(counter, 0)
            high = self._halves(counter, _ROWS) if self.programs.levels > _ROWS else None
            for i, half in enumerate(low):
                value = cast(half, self.sum_dtype, _HALF)
                if high is not None:
                    value = value + (cast(high[i], "int32", _HALF) << constant_lanes(16, _HALF))
                value = value - T.Broadcast(less, _HALF)
                T.buffer_store(self.sums_view, value, [lanes(to + i * _HALF, _HALF)])

    def _halves(self, counter: Expr, first: int) -> list[Expr]:
        """Return 16 slices of all lanes, as vectors of 32 lanes of two bytes."""
        arena = self.context.memory.view("arena", "uint8")
        order = [first + 8 * byte + 7 - i for byte in range(2) for i in range(8)]
        zeros = materialise_wide(constant_lanes(0, 64, "uint8"), "uint8", 64)
        apart = 8 * self.bits.words  # bytes; behind a narrow vector lies the next, in columns that nobody takes
        rows = [
            T.Bind(arena[lanes(bind(counter * 8) + apart * k, 64)]) if k < self.programs.levels else zeros
            for k in order
        ]
        lane = lanes(i32(0), 64)
        one = constant_lanes(1, 64)
        pairs = (lane >> one & constant_lanes(7, 64)) + (lane & one) * constant_lanes(8, 64)
        index = materialise_wide(cast(pairs, "int8", 64), "int8", 64)
        columns = to_lane_major(rows, "uint8")[: self.bits.bits // _HALF]
        halves = [shuffled_bytes(bit_transposed(T.reinterpret("int8x64", column)), index) for column in columns]
        return [materialise_wide(T.reinterpret("uint16x32", row), "uint16", _HALF) for row in halves]


def _number(word: Expr, place: int) -> Expr:
    """Return one of the four numbers of a word of a program."""
    shifted = word >> tirx.const(16 * place, "int64") if place else word
    return shifted & tirx.const(0xFFFF, "int64")


def _run(at: Expr, words: int) -> Expr:
    return tirx.Ramp(at.astype("int64"), tirx.const(1, "int64"), words)


def _block(x: list[Expr], sums: list[Wide], minus: bool) -> Expr:
    """Add eight inputs, or their complements, to three slices; return the carry."""
    words = sums[0].count
    t, c0 = _adder(words, x[0], x[1], x[2], (minus, minus, minus))
    u, c1 = _adder(words, x[3], x[4], x[5], (minus, minus, minus))
    t, c2 = _adder(words, t, u, x[6], (False, False, minus))
    s, c3 = _adder(words, t, x[7], sums[0].get(), (False, minus, False))
    sums[0].set(s)
    t, d0 = _adder(words, c0, c1, c2)
    s, d1 = _adder(words, t, c3, sums[1].get())
    sums[1].set(s)
    s, carry = _adder(words, d0, d1, sums[2].get())
    sums[2].set(s)
    return carry


def _adder(
    words: int, a: Expr, b: Expr, c: Expr, inverted: tuple[bool, bool, bool] = (False, False, False)
) -> tuple[Expr, Expr]:
    """Return sum and carry of three bits in every lane of so many words, some of which arrive as complements.

    The carry is told from the sum and two of the bits, so that the sum takes the third's register.
    """
    parity = _table(lambda z, x, y: x ^ y ^ z ^ (sum(inverted) & 1))
    total = materialise_wide(of_three(c, a, b, parity, words), "int64", words)

    def carry(x: int, s: int, y: int) -> int:
        x, y = x ^ inverted[0], y ^ inverted[1]
        return x & y if x == y else 1 - s

    return total, materialise_wide(of_three(a, total, b, _table(carry), words), "int64", words)


def _table(function: Callable[[int, int, int], int]) -> int:
    return sum(function(i >> 2 & 1, i >> 1 & 1, i & 1) << i for i in range(8))
