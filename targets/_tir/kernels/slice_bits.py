"""Bits of the inputs as vectors of lanes: one for every channel, place of the kernel and bit of an input.

First 64 pixels of 16 channels at a time are transposed, bytes and then bits, into maps of bits (`slice_lanes.Phases`),
one for each bit, channel and step. A place of the kernel is then a shift of a map, masked at the ends of rows.
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.tirx.script import builder as T

from spqc.ir.program import LANES

from ..context import Context
from ..geometry import WeightedSum, padded
from ..memory import Place
from ..sliced import FIRST
from ..vector import Expr, all_of, bind, broadcast, cast, i32, lanes, loop, store, when
from .permute import bit_transposed, constant_lanes, look_up, to_row_major, wide_held
from .slice_lanes import WORD_BITS, WORDS, Part, Phases, SliceLanes

_BYTES = 64  # of a vector


@dataclass(frozen=True)
class BitMaps:
    """Plans scratch from word `base` on (in words of 64 bits), and emits the making of maps and vectors."""

    context: Context
    sum: WeightedSum
    lanes: SliceLanes
    planes: int
    base: int

    @property
    def phases(self) -> Phases:
        return Phases(self.sum)

    @property
    def _map_words(self) -> int:
        return self.phases.before + self.phases.words + self.phases.after(self.lanes)

    @property
    def _count(self) -> int:
        return len(self.phases.found) * self.planes * self._channels * self.lanes.steps

    @property
    def _channels(self) -> int:
        return padded(self.sum.input.channels)

    @property
    def _work(self) -> int:
        """First word of the work space, a vector boundary."""
        return self.base + _up(self._count * self._map_words)

    @property
    def _work_words(self) -> int:
        return (LANES + 1) * WORDS

    @property
    def end(self) -> int:
        return self._work + self.context.machine.threads * self._work_words

    @property
    def _words(self) -> Expr:
        return self.context.memory.view("arena", "int64")

    def emit(self) -> None:
        """Emit the maps of all phases."""
        tiles = self._channels // LANES
        for number, (py, px) in enumerate(self.phases.found):
            words = -(-self.phases.rows(py) * self.sum.output.width // WORD_BITS)
            with self.context.parallel(words * tiles) as unit:
                block, tile = bind(tirx.floordiv(unit, i32(tiles))), bind(tirx.floormod(unit, i32(tiles)))
                self._gather(number, py, px, block, tile)
                with when(block == i32(0)):
                    self._surround(number, tile, words)

    def _surround(self, number: int, tile: Expr, words: int) -> None:
        """Write the zeros before and behind the bits of 16 channels' maps."""
        before, behind = self.phases.before, self._map_words - self.phases.before - words
        vectors = [(before + words + i, WORDS) for i in range(0, behind - WORDS + 1, WORDS)]
        left = [*range(before), *range(before + words + len(vectors) * WORDS, self._map_words)]
        with loop(self.planes) as plane, T.serial(0, LANES * self.lanes.steps) as i:
            first = bind(self._map(number, plane, tile * LANES, i32(0)) + i * self._map_words)
            for at, count in vectors:
                T.buffer_store(self._words, constant_lanes(0, count, "int64"), [lanes(first + at, count)])
            for at in left:
                T.buffer_store(self._words, tirx.const(0, "int64"), [first + at])

    def _gather(self, number: int, py: int, px: int, block: Expr, tile: Expr) -> None:
        source = self.context.place_of(self.sum.source)
        work = bind(i32(self._work) + self.context.thread() * self._work_words)
        if source.packed:
            for byte in range(min(-(-self.lanes.steps // 8), int(source.dtype.removeprefix("uint")) // 8)):
                steps = range(8 * byte, min(8 * byte + 8, self.lanes.steps))
                self._rows(source, py, px, block, work, tile, i32(0), byte)
                self._bits(number, block, work, tile, [(t % 8, 0, i32(t)) for t in steps])
        else:
            with loop(self.lanes.steps) as t:
                step = bind(t)
                self._rows(source, py, px, block, work, tile, step, 0)
                self._bits(number, block, work, tile, [(plane, plane, step) for plane in range(self.planes)])

    def _rows(
        self, source: Place, py: int, px: int, block: Expr, work: Expr, tile: Expr, step: Expr, byte: int
    ) -> None:
        """Leave bytes of 64 pixels of 16 channels in the work space, eight pixels in turn backwards."""
        g = self.sum
        codes = self.context.memory.view(source.region, source.dtype)
        arena = self.context.memory.view("arena", "uint8")
        with T.serial(0, WORD_BITS) as p:
            bit = bind(block * WORD_BITS + p)
            row, column = tirx.floordiv(bit, i32(g.output.width)), tirx.floormod(bit, i32(g.output.width))
            y, x = bind(row * g.stride[0] + py), bind(column * g.stride[1] + px)
            at = bind(work * WORDS + (p ^ i32(7)) * LANES)
            with T.If(all_of([y < i32(g.input.height), x < i32(g.input.width)])):
                with T.Then():
                    word = codes[lanes(source.index(step, y * g.input.width + x, tile * LANES))]
                    shifted = word >> broadcast(tirx.const(8 * byte, source.dtype)) if byte else word
                    store(arena, at, cast(shifted, "uint8"))
                with T.Else():
                    store(arena, at, cast(broadcast(tirx.const(0, "uint8")), "uint8"))

    def _bits(self, number: int, block: Expr, work: Expr, tile: Expr, wanted: list[tuple[int, int, Expr]]) -> None:
        """Write words of 64 pixels to the maps: (bit of the byte, plane, step) each."""
        arena = self.context.memory.view("arena", "uint8")
        lane = lanes(i32(0), _BYTES)
        spread = (lane & constant_lanes(7, _BYTES)) * constant_lanes(8, _BYTES) + (lane >> constant_lanes(3, _BYTES))
        index = wide_held(cast(spread, "int8", _BYTES), "int8", _BYTES)
        taken = [T.Bind(arena[lanes(work * WORDS + i * _BYTES, _BYTES)]) for i in range(LANES)]
        rows = [cast(row, "int8", _BYTES) for row in to_row_major(taken, "uint8")]
        found = [look_up(bit_transposed(row), index, _BYTES) for row in rows]
        kept = bind(work + LANES * WORDS)
        for i, row in enumerate(found):
            T.buffer_store(arena, cast(row, "uint8", _BYTES), [lanes(kept * WORDS, _BYTES)])
            for bit, plane, step in wanted:
                channel = tile * LANES + i
                at = self._map(number, plane, channel, step) + self.phases.before + block
                T.buffer_store(self._words, self._words[kept + bit], [at])

    def _map(self, number: int, plane: Expr, channel: Expr, step: Expr) -> Expr:
        """Return the first word of a map, zeros before it included."""
        place = ((number * self.planes + plane) * self._channels + channel) * self.lanes.steps + step
        return i32(self.base) + place * self._map_words

    def vectors(self, part: Part, base: Expr, chunk: Expr, block: Expr) -> None:
        """Write a block of channels' vectors for all lanes of a chunk, from word `base` on."""
        made, g = part.programs, self.sum
        left = g.input.channels - block * made.group
        with T.serial(0, tirx.min(i32(made.group), left)) as c, loop(self.planes) as plane, loop(self.lanes.steps) as t:
            step = bind(t)
            channel = bind(block * made.group + c)
            for tap, (_, kx, phase, shift) in enumerate(self.phases.taps):
                number = self.phases.found.index(phase)
                word, bit = divmod(shift, WORD_BITS)
                first = bind(
                    self._map(number, plane, channel, step) + (self.phases.before + word) + chunk * self.lanes.width
                )
                to = bind(base + (i32(FIRST) + (plane * made.taps + tap) * made.group + c) * self.lanes.words)
                for place in range(0, self.lanes.width, self.lanes.piece):
                    self._piece(part, first, to, step, chunk, kx, bit, place)

    def _piece(self, part: Part, first: Expr, to: Expr, step: Expr, chunk: Expr, kx: int, bit: int, place: int) -> None:
        count = self.lanes.piece
        value = cast(self._loaded(first + place, count), "uint64", count)
        if bit:
            above = cast(self._loaded(first + (place + 1), count), "uint64", count)
            value = (value >> _repeated(bit, count)) | (above << _repeated(WORD_BITS - bit, count))
        value = cast(value, "int64", count)
        if self.phases.masked(kx):
            value = value & self._column(kx, chunk * self.lanes.width + place, count)
        word = bind(step * self.lanes.width + place)
        words = i32(self.lanes.words)
        at = to + tirx.floordiv(word, words) * part.set_words + tirx.floormod(word, words)
        T.buffer_store(self._words, value, [lanes(at, count)] if count > 1 else [at])

    def _loaded(self, at: Expr, count: int) -> Expr:
        return self._words[lanes(at, count)] if count > 1 else self._words[at]

    def _column(self, kx: int, at: Expr, count: int) -> Expr:
        words = self.lanes.chunks * self.lanes.width
        where = self.context.constants.columns(self.sum, words)
        view = self.context.memory.view("constant", "int64")
        first = i32(where.offset // 8 + kx * words) + at
        return view[lanes(first, count)] if count > 1 else view[first]


def _repeated(value: int, count: int) -> Expr:
    one = tirx.const(value, "uint64")
    return T.Broadcast(one, count) if count > 1 else one


def _up(words: int) -> int:
    return -(-words // WORDS) * WORDS
