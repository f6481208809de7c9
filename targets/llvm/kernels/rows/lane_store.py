"""How packed spikes in lane order leave: transposed to pixels of 16 channels, pooled, and stored; traces alike."""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.tirx.script import builder as T

from spqc.ir.ops import SumPool
from spqc.targets._plan.geometry import Region
from spqc.targets._tir.context import Context
from spqc.targets._tir.memory import Place
from spqc.targets._tir.vector import Expr, all_of, bind, constant, i32, lanes, loop, store, when
from spqc.targets._tir.width import LANES

from .lane_shape import LaneShape, item, packs
from .permute import elements, to_lane_major


@dataclass
class LaneStore:
    """Emits what becomes of the packed spikes of 16 channels of a chunk; `free`: its scratch, in bytes."""

    context: Context
    region: Region
    target: Place
    shape: LaneShape
    free: Expr

    def deliver(self, tile: Expr, chunk: Expr) -> None:
        """Store the transposed spikes, each pooled pixel once where a chunk holds its whole window."""
        if self.region.pool is None:
            self._every_pixel(tile, chunk)
        elif self._pooled_rows is not None:
            self._every_window(tile, chunk, self._pooled_rows)
        else:
            self._into_windows(tile, chunk)

    @property
    def _side(self) -> int:
        return self.region.pooled_rows

    @property
    def _pooled_rows(self) -> int | None:
        """Return the pooled rows of a chunk; None where windows lie in several chunks."""
        rows = self.shape.rows
        if rows.chunks == 1:
            return self.target.map.height
        whole, rest = divmod(rows.chunk, self._side * rows.out_width)
        return whole if rest == 0 else None

    def _pixels(self, chunk: Expr) -> Expr:
        """Return how many pixels of a chunk the map has."""
        rows = self.shape.rows
        if rows.chunks * rows.chunk == rows.pixels:
            return i32(rows.chunk)
        return bind(tirx.min(i32(rows.chunk), rows.pixels - chunk * rows.chunk))

    def _word(self, pixel: Expr) -> Expr:
        """Return the spikes of 16 channels of one pixel of the chunk."""
        at = tirx.floordiv(self.free + self.shape.turned_at, i32(item(self.shape.word)))
        return T.Bind(self.context.memory.view("arena", self.shape.word)[lanes(at + pixel * LANES)])

    def _every_pixel(self, tile: Expr, chunk: Expr) -> None:
        with T.serial(0, self._pixels(chunk)) as p:
            self._put([self._word(p)], bind(chunk * self.shape.rows.chunk + p), bind(tile * LANES))

    def _every_window(self, tile: Expr, chunk: Expr, rows: int) -> None:
        side, target, width = self._side, self.target.map, self.shape.rows.out_width
        with T.serial(0, tirx.min(i32(rows), target.height - chunk * rows)) as y, T.serial(0, target.width) as x:
            first = bind(y * (side * width) + x * side)
            words = [self._word(first + (dy * width + dx)) for dy in range(side) for dx in range(side)]
            self._put(words, bind((chunk * rows + y) * target.width + x), bind(tile * LANES))

    def _into_windows(self, tile: Expr, chunk: Expr) -> None:
        """Add every pixel to its window in memory, which was cleared before all chunks."""
        side, target, rows = self._side, self.target.map, self.shape.rows
        with T.serial(0, self._pixels(chunk)) as p:
            pixel = bind(chunk * rows.chunk + p)
            y = bind(tirx.floordiv(tirx.floordiv(pixel, i32(rows.out_width)), i32(side)))
            x = bind(tirx.floordiv(tirx.floormod(pixel, i32(rows.out_width)), i32(side)))
            with when(all_of([y < i32(target.height), x < i32(target.width)])):
                self._put([self._word(p)], bind(y * target.width + x), bind(tile * LANES), more=True)

    def _put(self, words: list[Expr], pixel: Expr, channel: Expr, more: bool = False) -> None:
        """Store one result: spikes joined, or counted step by step; `more`: behind what is there already."""
        target = self.target
        if packs(self.shape.steps, target.packed, self.region):
            places = [(i32(0), words, False)]
        else:
            counted = isinstance(self.region.pool, SumPool)
            places = [(i32(t), [self._bit(word, t) for word in words], counted) for t in range(self.shape.steps)]
        for step, values, counted in places:
            at = bind(target.index(step, pixel, channel))
            view = self.context.memory.view(target.region, target.dtype)
            converted = [value.astype(f"{target.dtype}x{LANES}") for value in values]
            store(view, at, _joined([view[lanes(at)], *converted] if more else converted, counted))

    def _bit(self, word: Expr, t: int) -> Expr:
        dtype = self.shape.word
        return (word >> constant(t, dtype)) & constant(1, dtype)

    def trace(self, tile: Expr, chunk: Expr) -> None:
        """Store the trace's elements of every step."""
        n, name = self.shape, self.region.last.out.name
        view, arena = self.context.memory.view("trace", "uint8"), self.context.memory.view("arena", "uint8")
        with loop(n.steps) as t:
            turned = bind(self.free + n.turned_at)
            transpose(self.context, n, "uint8", bind(self.free + n.traced_at + t * n.plane), turned)
            with T.serial(0, self._pixels(chunk)) as p:
                at = self.context.trace_index(name, t, chunk * n.rows.chunk + p, tile * LANES)
                store(view, at, arena[lanes(turned + p * LANES)])


def transpose(context: Context, n: LaneShape, dtype: str, source: Expr, target: Expr) -> None:
    """Transpose [channel][pixel] to [pixel][channel]: 16 rows from element `source` on, to element `target`."""
    view, count = context.memory.view("arena", dtype), elements(dtype)
    with loop(-(-n.rows.chunk // count)) as part:
        rows = [T.Bind(view[lanes(source + part * count + i * n.stride, count)]) for i in range(LANES)]
        to = bind(target + part * (count * LANES))
        for i, vector in enumerate(to_lane_major(rows, dtype)):
            T.buffer_store(view, vector, [lanes(to + i * count, count)])


def _joined(values: list[Expr], counted: bool) -> Expr:
    """Return the sum of vectors, or their union."""
    joined = values[0]
    for value in values[1:]:
        joined = joined + value if counted else joined | value
    return joined
