"""Bits of the inputs as vectors of lanes: one for every channel, place of the kernel and bit of an input.

First 64 pixels of 16 channels at a time are transposed, bytes and then bits, into maps of bits (`slice_lanes.Phases`),
one for each bit, channel and step. A place of the kernel is then a shift of a map, masked at the ends of rows. Where
all steps of a few words fill one vector, a channel's maps lie word by word, all steps together: then it is one shift.
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.tirx.script import builder as T

from spqc.targets._plan.adder_programs import FIRST
from spqc.targets._plan.geometry import WeightedSum
from spqc.targets._tir.context import Context
from spqc.targets._tir.memory import Place
from spqc.targets._tir.vector import Expr, all_of, bind, broadcast, cast, i32, lanes, loop, store, when
from spqc.targets._tir.width import LANES

from ..rows.permute import bit_transposed, constant_lanes, look_up, materialise_wide, to_row_major
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
        return len(self.phases.origins) * self.planes * self._channels * self.lanes.steps

    @property
    def _joined(self) -> int:
        """Steps whose maps lie word by word; 1 where each map lies by itself."""
        n = self.lanes
        return n.steps if n.width < n.words == n.width * n.steps else 1

    @property
    def _channels(self) -> int:
        return self.sum.input.padded

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
        for number, (py, px) in enumerate(self.phases.origins):
            # A phase without rows (a map of one row, a stride above 1) still has zeros to write.
            words = max(1, -(-self.phases.rows(py) * self.sum.output.width // WORD_BITS))
            with self.context.parallel(words * tiles) as unit:
                block, tile = bind(tirx.floordiv(unit, i32(tiles))), bind(tirx.floormod(unit, i32(tiles)))
                self._gather(number, py, px, block, tile)
                with when(block == i32(0)):
                    self._surround(number, tile, words)

    def _surround(self, number: int, tile: Expr, words: int) -> None:
        """Write the zeros before and behind the bits of 16 channels' maps."""
        each, before = self._joined, self.phases.before
        end = each * self._map_words
        pieces = [p for part in ((0, each * before), (each * (before + words), end)) for p in _vectors(*part)]
        with loop(self.planes) as plane, T.serial(0, LANES * self.lanes.steps // each) as i:
            first = bind(self._map(number, plane, tile * LANES) + i * end)
            for at, count in pieces:
                zeros = constant_lanes(0, count, "int64") if count > 1 else tirx.const(0, "int64")
                self._store(zeros, first + at, count)

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
        conv = self.sum
        codes = self.context.memory.view(source.region, source.dtype)
        arena = self.context.memory.view("arena", "uint8")
        with T.serial(0, WORD_BITS) as p:
            bit = bind(block * WORD_BITS + p)
            row, column = tirx.floordiv(bit, i32(conv.output.width)), tirx.floormod(bit, i32(conv.output.width))
            y, x = bind(row * conv.stride[0] + py), bind(column * conv.stride[1] + px)
            at = bind(work * WORDS + (p ^ i32(7)) * LANES)
            with T.If(all_of([y < i32(conv.input.height), x < i32(conv.input.width)])):
                with T.Then():
                    word = codes[lanes(source.index(step, y * conv.input.width + x, tile * LANES))]
                    shifted = word >> broadcast(tirx.const(8 * byte, source.dtype)) if byte else word
                    store(arena, at, cast(shifted, "uint8"))
                with T.Else():
                    store(arena, at, cast(broadcast(tirx.const(0, "uint8")), "uint8"))

    def _bits(self, number: int, block: Expr, work: Expr, tile: Expr, wanted: list[tuple[int, int, Expr]]) -> None:
        """Write words of 64 pixels to the maps: (bit of the byte, plane, step) each."""
        arena = self.context.memory.view("arena", "uint8")
        lane = lanes(i32(0), _BYTES)
        spread = (lane & constant_lanes(7, _BYTES)) * constant_lanes(8, _BYTES) + (lane >> constant_lanes(3, _BYTES))
        index = materialise_wide(cast(spread, "int8", _BYTES), "int8", _BYTES)
        taken = [T.Bind(arena[lanes(work * WORDS + i * _BYTES, _BYTES)]) for i in range(LANES)]
        rows = [cast(row, "int8", _BYTES) for row in to_row_major(taken, "uint8")]
        bits = [look_up(bit_transposed(row), index, _BYTES) for row in rows]
        kept = bind(work + LANES * WORDS)
        for i, row in enumerate(bits):
            T.buffer_store(arena, cast(row, "uint8", _BYTES), [lanes(kept * WORDS, _BYTES)])
            for bit, plane, step in wanted:
                channel = tile * LANES + i
                at = self._word(number, plane, channel, step, self.phases.before + block)
                T.buffer_store(self._words, self._words[kept + bit], [at])

    def _map(self, number: int, plane: Expr, channel: Expr) -> Expr:
        """Return the first word of a channel's maps, zeros before them included."""
        place = (number * self.planes + plane) * self._channels + channel
        return i32(self.base) + place * (self.lanes.steps * self._map_words)

    def _word(self, number: int, plane: Expr, channel: Expr, step: Expr, word: Expr) -> Expr:
        first = self._map(number, plane, channel)
        if self._joined > 1:
            return first + word * self.lanes.steps + step
        return first + step * self._map_words + word

    def vectors(self, part: Part, base: Expr, chunk: Expr, block: Expr) -> None:
        """Write a block of channels' vectors for all lanes of a chunk, from word `base` on."""
        made, conv = part.programs, self.sum
        left = conv.input.channels - block * made.group
        turns = self.lanes.steps // self._joined
        with T.serial(0, tirx.min(i32(made.group), left)) as c, loop(self.planes) as plane, loop(turns) as t:
            step = bind(t)
            channel = bind(block * made.group + c)
            for tap, (_, kx, phase, shift) in enumerate(self.phases.taps):
                number = self.phases.origins.index(phase)
                word, bit = divmod(shift, WORD_BITS)
                at = (self.phases.before + word) + chunk * self.lanes.width
                first = bind(self._word(number, plane, channel, step, at))
                to = bind(base + (i32(FIRST) + (plane * made.taps + tap) * made.group + c) * self.lanes.words)
                if self._joined > 1:
                    value = self._shifted(first, chunk * self.lanes.width, kx, bit, self.lanes.words)
                    self._store(self._by_step(value), to, self.lanes.words)
                    continue
                for place in range(0, self.lanes.width, self.lanes.piece):
                    value = self._shifted(first + place, chunk * self.lanes.width + place, kx, bit, self.lanes.piece)
                    spot = bind(step * self.lanes.width + place)
                    words = i32(self.lanes.words)
                    at = to + tirx.floordiv(spot, words) * part.set_words + tirx.floormod(spot, words)
                    self._store(value, at, self.lanes.piece)

    def _shifted(self, first: Expr, column: Expr, kx: int, bit: int, count: int) -> Expr:
        """Return words of maps shifted by so many bits; `column`: the first's place in the masks of row ends."""
        value = cast(self._loaded(first, count), "uint64", count)
        if bit:
            above = cast(self._loaded(first + self._joined, count), "uint64", count)
            value = (value >> _repeated(bit, count)) | (above << _repeated(WORD_BITS - bit, count))
        value = cast(value, "int64", count)
        return value & self._column(kx, column, count) if self.phases.masked(kx) else value

    def _by_step(self, value: Expr) -> Expr:
        """Return words that came word by word, all steps together, step by step."""
        n = self.lanes
        order = [w * n.steps + s for s in range(n.steps) for w in range(n.width)]
        return tirx.Shuffle([value], [i32(i) for i in order]) if n.width > 1 else value

    def _loaded(self, at: Expr, count: int) -> Expr:
        return self._words[lanes(at, count)] if count > 1 else self._words[at]

    def _store(self, value: Expr, at: Expr, count: int) -> None:
        T.buffer_store(self._words, value, [lanes(at, count)] if count > 1 else [at])

    def _column(self, kx: int, at: Expr, count: int) -> Expr:
        words = self.lanes.chunks * self.lanes.width
        where = self.context.constants.columns(self.sum, words, self._joined)
        view = self.context.memory.view("constant", "int64")
        first = i32(where.offset // 8) + (kx * words + at) * self._joined
        return view[lanes(first, count)] if count > 1 else view[first]


def _vectors(begin: int, end: int) -> list[tuple[int, int]]:
    """Return (first, count) of whole vectors from `begin` on, and of the single words that are left."""
    whole = [(at, WORDS) for at in range(begin, end - WORDS + 1, WORDS)]
    return whole + [(at, 1) for at in range(begin + len(whole) * WORDS, end)]


def _repeated(value: int, count: int) -> Expr:
    one = tirx.const(value, "uint64")
    return T.Broadcast(one, count) if count > 1 else one


def _up(words: int) -> int:
    return -(-words // WORDS) * WORDS
