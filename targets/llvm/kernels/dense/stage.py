"""Brings a sum's input into the order its loop reads: [t][padded row][padded column][padded channel] bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tvm import tirx
from tvm.tirx.script import builder as T

from spqc.targets._plan.geometry import Map, WeightedSum
from spqc.targets._tir.context import Context
from spqc.targets._tir.memory import Place, input_index
from spqc.targets._tir.vector import Expr, broadcast, cast, i32, lanes, store
from spqc.targets._tir.width import LANES


@dataclass(frozen=True)
class Staged:
    """A staged input: byte index = base + ((t * rows + row) * width + column) * channels + channel.

    The rows of all layers lie one after another, `height` of them a layer.
    """

    base: int
    steps: int
    height: int
    width: int
    channels: int
    depth: int = 1

    @property
    def rows(self) -> int:
        return self.depth * self.height

    @property
    def bytes(self) -> int:
        return self.steps * self.rows * self.width * self.channels

    def top(self, conv: WeightedSum, row: Expr) -> Expr:
        """Return the staged row where the windows of an output row begin."""
        if conv.layers is None:
            return row * conv.stride[0]
        z, y = tirx.floordiv(row, i32(conv.output.height)), tirx.floormod(row, i32(conv.output.height))
        return z * (conv.layers.stride * self.height) + y * conv.stride[0]

    def below(self, conv: WeightedSum, row: Expr) -> Expr:
        """Return how many staged rows below the top of a window a kernel row lies."""
        if conv.layers is None:
            return row
        rows = conv.kernel[0] // conv.layers.kernel
        return tirx.floordiv(row, i32(rows)) * self.height + tirx.floormod(row, i32(rows))

    def row(self, step: Expr, row: Expr, column: Expr, group: int) -> Expr:
        """Return the index of a pixel's first byte, in units of `group` bytes."""
        step = i32(0) if self.steps == 1 else step
        pixel = (step * self.rows + row) * self.width + column
        return i32(self.base // group) + pixel * (self.channels // group)


def stage(context: Context, conv: WeightedSum, columns: int, group: int) -> Staged:
    """Emit the staging of a sum's input, at least `columns` wide; one that lies right already is used where it is."""
    steps = context.steps_of(conv.source)
    depth, height, width = (size + 2 * edge for size, edge in zip(_extents(conv.input), conv.margins, strict=True))
    width = max(width, columns)
    if context.is_input(conv.source):
        channels = -(-conv.input.channels // group) * group
        size = steps * depth * height * width * channels + LANES * 4
        staged = Staged(context.reserve(size), steps, height, width, channels, depth)
        _from_input(context, conv, staged)
        return staged
    source = context.place_of(conv.source)
    plain = not source.packed and source.dtype == "uint8"
    same = (depth, height, width) == _extents(conv.input)
    if plain and same:
        return Staged(int(source.base), steps, height, width, source.channels, depth)
    size = steps * depth * height * width * source.channels
    staged = Staged(context.reserve(size), steps, height, width, source.channels, depth)
    if not same:
        _clear(context, staged, size)
    _from_place(context, conv, staged, source)
    return staged


def _extents(m: Map) -> tuple[int, int, int]:
    return m.depth, m.height, m.width


def _place(conv: WeightedSum, staged: Staged, t: Expr, row: Expr, x: Expr) -> Expr:
    """Return the byte of the pixel in a row of the input map: behind the margins."""
    layers, rows, columns = conv.margins
    if conv.layers is not None:
        row = tirx.floordiv(row, i32(conv.input.height)) * staged.height + tirx.floormod(row, i32(conv.input.height))
    return staged.row(t, row + (layers * staged.height + rows), x + columns, 1)


def _clear(context: Context, staged: Staged, size: int) -> None:
    wide = 64 if size % 64 == 0 else LANES
    with context.parallel(size // wide) as i:
        arena = context.memory.view("arena", "uint8")
        T.buffer_store(arena, broadcast(tirx.const(0, "uint8"), wide), [lanes(staged.base + i * wide, wide)])


def _from_input(context: Context, conv: WeightedSum, staged: Staged) -> None:
    """Transpose [channel][pixel] codes, one at a time: network inputs are small."""
    _clear(context, staged, -(-staged.bytes // LANES) * LANES)
    arena, source = context.memory.view("arena", "uint8"), context.memory.view("input", "uint8")
    m = conv.input
    with T.grid(staged.steps, m.channels, m.rows, m.width) as (t, c, y, x):
        at = _place(conv, staged, t, y, x) + c
        code = source[input_index(context.program, conv.source, context.sample, t, c, y * m.width + x)]
        T.buffer_store(arena, code, [at])


def _from_place(context: Context, conv: WeightedSum, staged: Staged, source: Place) -> None:
    arena = context.memory.view("arena", "uint8")
    m = conv.input
    with context.parallel(m.rows) as y, T.serial(0, m.width) as x, T.serial(0, source.channels // LANES) as tile:
        pixel, channel = y * m.width + x, tile * LANES
        if source.packed:
            word = T.Bind(context.memory.view(source.region, source.dtype)[lanes(source.index(i32(0), pixel, channel))])
            for t in range(staged.steps):
                bit = (word >> broadcast(tirx.const(t, source.dtype))) & broadcast(tirx.const(1, source.dtype))
                store(arena, _place(conv, staged, i32(t), y, x) + channel, cast(bit, "uint8"))
        else:
            with T.serial(0, staged.steps) as t:
                value = source.load(t, pixel, channel, "int32")
                store(arena, _place(conv, staged, t, y, x) + channel, cast(value, "uint8"))


def import_input(context: Context, source: Map, place: Place, emit_index: Callable[[Expr, Expr, Expr], Expr]) -> None:
    """Copy a network input into the order of every other value, channels padded with zeros."""
    place.clear()
    arena, codes = context.memory.view("arena", "uint8"), context.memory.view("input", "uint8")
    with T.grid(place.steps, source.channels, source.pixels) as (t, c, p):
        T.buffer_store(arena, codes[emit_index(t, c, p)], [place.index(t, p, c)])
