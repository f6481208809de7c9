"""Index bytes: the spikes of 6 (or 4) input channels at one pixel and step, as one byte of a look-up.

First a vector of pixels of 16 channels at a time is transposed, and channels' bits gathered (`flat`); then rows are
copied, once for each kernel column (or tap), with zeros where the kernel leaves the map; last, where lanes are pixels
of one step, every vector that the kernel reads is copied to where it lies aligned and in order.
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.tirx.script import builder as T

from spqc.targets._plan.geometry import WeightedSum
from spqc.targets._tir.context import Context
from spqc.targets._tir.memory import Place
from spqc.targets._tir.vector import Expr, bind, broadcast, cast, i32, lanes, loop, store
from spqc.targets._tir.width import LANES

from ..rows.permute import constant_lanes, elements, every_second, materialise_wide, register_bits, to_row_major
from .lanes import Lanes

_SLACK = 64  # bytes that may be read around a map's index bytes


@dataclass(frozen=True)
class Indexes:
    """Plans the scratch memory of one sum's index bytes, from byte `base` on, and emits their making."""

    context: Context
    sum: WeightedSum
    lanes: Lanes
    planes: int  # bits of an input: 1 for spikes
    base: int

    @property
    def vector(self) -> int:
        return self.lanes.vector

    @property
    def groups(self) -> int:
        return -(-self.sum.input.channels // self.lanes.permute.inputs)

    @property
    def plane_bytes(self) -> int:
        return self.lanes.slots * self.lanes.slot_bytes

    @property
    def _flat_bytes(self) -> int:
        return -(-self.sum.input.pixels // _SLACK) * _SLACK + 5 * _SLACK  # one line of slack before, three behind

    @property
    def tiles(self) -> int:
        """Where the tiles begin: [plane][chunk][window][slot][row][vector], or the narrow slots themselves."""
        return self.base if self.lanes.narrow else self.base + self.planes * self.plane_bytes

    @property
    def _flat(self) -> int:
        return self.tiles + self.planes * max(self.plane_bytes, self.lanes.tiles_bytes) + _SLACK

    @property
    def _rows(self) -> int:
        """Channel rows of one block of pixels."""
        return max(self.groups * self.lanes.permute.inputs, -(-self.sum.input.channels // LANES) * LANES)

    @property
    def _work(self) -> int:
        return self._flat + self.planes * self.groups * self.lanes.steps * self._flat_bytes

    @property
    def _work_bytes(self) -> int:
        return (LANES + self._rows) * self.vector

    @property
    def end(self) -> int:
        return self._work + self.context.machine.threads * self._work_bytes

    def emit(self) -> None:
        self._gather()
        with self.context.parallel(self.groups) as group, loop(self.planes) as plane:
            self._copy_rows(bind(plane), group)
        if not self.lanes.narrow:
            with self.context.parallel(self.lanes.slots) as slot, loop(self.planes) as plane:
                self._copy_vectors(bind(plane), slot)

    def _gather(self) -> None:
        pixels = self.sum.input.pixels
        with self.context.parallel(-(-pixels // self.vector)) as block:
            work = bind(i32(self._work) + self.context.thread() * self._work_bytes)
            source = self.context.place_of(self.sum.source)
            if source.packed:
                for byte in range(min(-(-self.lanes.steps // 8), int(source.dtype.removeprefix("uint")) // 8)):
                    self._transpose(source, block, work, i32(0), byte)
                    steps = range(8 * byte, min(8 * byte + 8, self.lanes.steps))
                    self._bits(block, work, [(i32(0), i32(t), t % 8) for t in steps])
            else:
                with loop(self.lanes.steps) as t:
                    self._transpose(source, block, work, bind(t), 0)
                    self._bits(block, work, [(i32(plane), t, plane) for plane in range(self.planes)])

    def _transpose(self, source: Place, block: Expr, work: Expr, step: Expr, byte: int) -> None:
        """Leave [channel][a vector of pixels] in `work`, behind the pixels' own bytes."""
        arena = self.context.memory.view("arena", "uint8")
        codes = self.context.memory.view(source.region, source.dtype)
        pixels = self.sum.input.pixels
        size = self.vector
        count = tirx.min(i32(size), pixels - block * size) if pixels % size else i32(size)
        with T.serial(0, source.channels // LANES) as tile:
            with T.serial(0, count) as p:
                word = codes[lanes(source.index(step, block * size + p, tile * LANES))]
                shifted = word >> broadcast(tirx.const(8 * byte, source.dtype)) if byte else word
                store(arena, work + p * LANES, cast(shifted, "uint8"))
            bits = register_bits(self.context.machine.features)
            wide = elements("uint8", bits)
            for part in range(size // wide):
                start = work + part * (wide * LANES)
                taken = [T.Bind(arena[lanes(start + i * wide, wide)]) for i in range(LANES)]
                for i, row in enumerate(to_row_major(taken, "uint8", bits)):
                    at = work + (LANES + tile * LANES + i) * size + part * wide
                    T.buffer_store(arena, row, [lanes(at, wide)])

    def _bits(self, block: Expr, work: Expr, wanted: list[tuple[Expr, Expr, int]]) -> None:
        """Gather, for every group, bits of its channels into index bytes: (plane, step, bit) each."""
        arena, size, inputs = self.context.memory.view("arena", "uint8"), self.vector, self.lanes.permute.inputs
        with T.serial(0, self.groups) as group:
            first = bind(work + size * LANES + group * (inputs * size))
            rows = [T.Bind(arena[lanes(first + i * size, size)]) for i in range(inputs)]
            for plane, step, bit in wanted:
                slot = (plane * self.groups + group) * self.lanes.steps + step
                at = i32(self._flat) + slot * self._flat_bytes + block * size
                T.buffer_store(arena, _gathered(rows, bit, size), [lanes(at, size)])

    def _copy_rows(self, plane: Expr, group: Expr) -> None:
        n, conv = self.lanes, self.sum
        with loop(1 if n.rows_inside else conv.kernel[0]) as ky:
            for kx in range(conv.kernel[1]):
                slot = (ky * conv.kernel[1] + kx) * self.groups + group
                with loop(n.steps) as t:
                    flat = bind(i32(self._flat) + ((plane * self.groups + group) * n.steps + t) * self._flat_bytes)
                    first = bind(i32(self.base) + plane * self.plane_bytes + slot * n.slot_bytes + t * n.step_bytes)
                    with loop(conv.output.height + n.rows - 1) as row:
                        source_row = row * conv.stride[0] + (ky - conv.padding[0])
                        self._copy_row(flat, bind(first + row * n.out_width), source_row, kx)

    def _copy_vectors(self, plane: Expr, slot: Expr) -> None:
        """Copy what is read for one slot into the tiles of all chunks and windows."""
        n, arena, size = self.lanes, self.context.memory.view("arena", "uint8"), self.vector
        source = bind(i32(self.base) + plane * self.plane_bytes + slot * n.slot_bytes)
        target = bind(i32(self.tiles) + plane * n.tiles_bytes + slot * n.tile_slot)
        with loop(n.chunks) as chunk, loop(n.windows) as window:
            taken = bind(source + chunk * n.chunk + window * n.window_bytes)
            to = bind(target + (chunk * n.windows + window) * n.tile_window)
            for row in range(n.rows):
                for v in range(n.vectors):
                    vector = arena[lanes(taken + (row * n.out_width + n.first(v)), size)]
                    T.buffer_store(arena, vector, [lanes(to + (row * n.vectors + v) * size, size)])

    def _copy_row(self, flat: Expr, target: Expr, source_row: Expr, kx: int) -> None:
        conv, arena = self.sum, self.context.memory.view("arena", "uint8")
        size = self.vector
        width = min(size, max(16, 1 << (self.lanes.out_width - 1).bit_length())) if conv.stride[1] == 1 else size
        starts = range(0, self.lanes.out_width, width)
        row = bind(source_row)
        inside = tirx.And(row >= i32(0), row < i32(conv.input.height))
        with T.If(inside):
            with T.Then():
                source = bind(flat + row * conv.input.width + (kx - conv.padding[1]))
                for x in starts:
                    strided = self._strided(source, x, width)
                    T.buffer_store(arena, strided, [lanes(target + x, width)])
                for x in range(self.lanes.out_width):
                    if not 0 <= x * conv.stride[1] + kx - conv.padding[1] < conv.input.width:
                        T.buffer_store(arena, tirx.const(0, "uint8"), [target + x])
            with T.Else():
                for x in starts:
                    T.buffer_store(arena, constant_lanes(0, width, "uint8"), [lanes(target + x, width)])

    def _strided(self, source: Expr, x: int, width: int) -> Expr:
        arena = self.context.memory.view("arena", "uint8")
        if self.sum.stride[1] == 1:
            return arena[lanes(source + x, width)]
        parts = [arena[lanes(source + x * 2 + i * width, width)] for i in range(2)]
        return every_second(parts[0], parts[1], width)


def _gathered(rows: list[Expr], bit: int, size: int) -> Expr:
    """Return bytes whose bit i is bit `bit` of row i."""
    joined = None
    for i, row in enumerate(rows):
        one = row & constant_lanes(1 << bit, size, "uint8")
        if i > bit:
            one = one << constant_lanes(i - bit, size, "uint8")
        elif i < bit:
            one = one >> constant_lanes(bit - i, size, "uint8")
        joined = one if joined is None else joined | one
    return materialise_wide(joined, "uint8", size)
