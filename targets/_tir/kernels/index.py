"""Index bytes: the spikes of 6 input channels at one pixel and step, as one byte of a look-up.

First 64 pixels of 16 channels at a time are transposed, and 6 channels' bits gathered (`flat`); then rows are copied,
once for each kernel column (or tap), with zeros where the kernel leaves the map; last, where lanes are pixels of one
step, every vector that the kernel reads is copied to where it lies aligned and in order.
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.tirx.script import builder as T

from spqc.ir.program import LANES

from ..context import Context
from ..digits import GROUP
from ..geometry import WeightedSum
from ..memory import Place
from ..vector import Expr, bind, broadcast, cast, i32, lanes, loop, store
from .lanes import VECTOR, Lanes
from .permute import constant_lanes, every_second, to_row_major, wide_held


@dataclass(frozen=True)
class Indexes:
    """Plans the scratch memory of one sum's index bytes, from byte `base` on, and emits their making."""

    context: Context
    sum: WeightedSum
    lanes: Lanes
    planes: int  # bits of an input: 1 for spikes
    base: int

    @property
    def groups(self) -> int:
        return -(-self.sum.input.channels // GROUP)

    @property
    def plane_bytes(self) -> int:
        return self.lanes.slots * self.lanes.slot_bytes

    @property
    def _flat_bytes(self) -> int:
        return VECTOR * (-(-self.sum.input.pixels // VECTOR) + 5)  # one vector of slack before, three behind

    @property
    def tiles(self) -> int:
        """Where the tiles begin: [plane][chunk][window][slot][row][vector], or the narrow slots themselves."""
        return self.base if self.lanes.narrow else self.base + self.planes * self.plane_bytes

    @property
    def _flat(self) -> int:
        return self.tiles + self.planes * max(self.plane_bytes, self.lanes.tiles_bytes) + VECTOR

    @property
    def _rows(self) -> int:
        """Channel rows of one block of 64 pixels."""
        return max(self.groups * GROUP, -(-self.sum.input.channels // LANES) * LANES)

    @property
    def _work(self) -> int:
        return self._flat + self.planes * self.groups * self.lanes.steps * self._flat_bytes

    @property
    def _work_bytes(self) -> int:
        return VECTOR * LANES + self._rows * VECTOR

    @property
    def end(self) -> int:
        blocks = -(-self.sum.input.pixels // VECTOR) if self.context.machine.threads > 1 else 1
        return self._work + blocks * self._work_bytes

    def emit(self) -> None:
        self._gather()
        with self.context.parallel(self.groups) as group, loop(self.planes) as plane:
            self._copy_rows(bind(plane), group)
        if not self.lanes.narrow:
            with self.context.parallel(self.lanes.slots) as slot, loop(self.planes) as plane:
                self._copy_vectors(bind(plane), slot)

    def _gather(self) -> None:
        pixels = self.sum.input.pixels
        with self.context.parallel(-(-pixels // VECTOR)) as block:
            work = bind(i32(self._work) + (block * self._work_bytes if self.context.machine.threads > 1 else 0))
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
        """Leave [channel][64 pixels] behind the first 1024 bytes of `work`."""
        arena = self.context.memory.view("arena", "uint8")
        codes = self.context.memory.view(source.region, source.dtype)
        pixels = self.sum.input.pixels
        count = tirx.min(i32(VECTOR), pixels - block * VECTOR) if pixels % VECTOR else i32(VECTOR)
        with T.serial(0, source.channels // LANES) as tile:
            with T.serial(0, count) as p:
                word = codes[lanes(source.index(step, block * VECTOR + p, tile * LANES))]
                shifted = word >> broadcast(tirx.const(8 * byte, source.dtype)) if byte else word
                store(arena, work + p * LANES, cast(shifted, "uint8"))
            taken = [T.Bind(arena[lanes(work + i * VECTOR, VECTOR)]) for i in range(LANES)]
            for i, row in enumerate(to_row_major(taken, "uint8")):
                at = work + VECTOR * LANES + (tile * LANES + i) * VECTOR
                T.buffer_store(arena, row, [lanes(at, VECTOR)])

    def _bits(self, block: Expr, work: Expr, wanted: list[tuple[Expr, Expr, int]]) -> None:
        """Gather, for every group, bits of its channels into index bytes: (plane, step, bit) each."""
        arena = self.context.memory.view("arena", "uint8")
        with T.serial(0, self.groups) as group:
            first = bind(work + VECTOR * LANES + group * (GROUP * VECTOR))
            rows = [T.Bind(arena[lanes(first + i * VECTOR, VECTOR)]) for i in range(GROUP)]
            for plane, step, bit in wanted:
                slot = (plane * self.groups + group) * self.lanes.steps + step
                at = i32(self._flat) + slot * self._flat_bytes + block * VECTOR
                T.buffer_store(arena, _gathered(rows, bit), [lanes(at, VECTOR)])

    def _copy_rows(self, plane: Expr, group: Expr) -> None:
        n, g = self.lanes, self.sum
        with loop(1 if n.rows_inside else g.kernel[0]) as ky:
            for kx in range(g.kernel[1]):
                slot = (ky * g.kernel[1] + kx) * self.groups + group
                with loop(n.steps) as t:
                    flat = bind(i32(self._flat) + ((plane * self.groups + group) * n.steps + t) * self._flat_bytes)
                    first = bind(i32(self.base) + plane * self.plane_bytes + slot * n.slot_bytes + t * n.step_bytes)
                    with loop(g.output.height + n.rows - 1) as row:
                        source_row = row * g.stride[0] + (ky - g.padding[0])
                        self._copy_row(flat, bind(first + row * n.out_width), source_row, kx)

    def _copy_vectors(self, plane: Expr, slot: Expr) -> None:
        """Copy what is read for one slot into the tiles of all chunks and windows."""
        n, arena = self.lanes, self.context.memory.view("arena", "uint8")
        source = bind(i32(self.base) + plane * self.plane_bytes + slot * n.slot_bytes)
        target = bind(i32(self.tiles) + plane * n.tiles_bytes + slot * n.tile_slot)
        with loop(n.chunks) as chunk, loop(n.windows) as window:
            taken = bind(source + chunk * n.chunk + window * n.window_bytes)
            to = bind(target + (chunk * n.windows + window) * n.tile_window)
            for row in range(n.rows):
                for v in range(n.vectors):
                    vector = arena[lanes(taken + (row * n.out_width + n.first(v)), VECTOR)]
                    T.buffer_store(arena, vector, [lanes(to + (row * n.vectors + v) * VECTOR, VECTOR)])

    def _copy_row(self, flat: Expr, target: Expr, source_row: Expr, kx: int) -> None:
        g, arena = self.sum, self.context.memory.view("arena", "uint8")
        width = min(VECTOR, max(16, 1 << (self.lanes.out_width - 1).bit_length())) if g.stride[1] == 1 else VECTOR
        starts = range(0, self.lanes.out_width, width)
        row = bind(source_row)
        inside = tirx.And(row >= i32(0), row < i32(g.input.height))
        with T.If(inside):
            with T.Then():
                source = bind(flat + row * g.input.width + (kx - g.padding[1]))
                for x in starts:
                    found = self._strided(source, x, width)
                    T.buffer_store(arena, found, [lanes(target + x, width)])
                for x in range(self.lanes.out_width):
                    if not 0 <= x * g.stride[1] + kx - g.padding[1] < g.input.width:
                        T.buffer_store(arena, tirx.const(0, "uint8"), [target + x])
            with T.Else():
                for x in starts:
                    T.buffer_store(arena, constant_lanes(0, width, "uint8"), [lanes(target + x, width)])

    def _strided(self, source: Expr, x: int, width: int) -> Expr:
        arena = self.context.memory.view("arena", "uint8")
        if self.sum.stride[1] == 1:
            return arena[lanes(source + x, width)]
        parts = [arena[lanes(source + x * 2 + i * VECTOR, VECTOR)] for i in range(2)]
        return every_second(*parts)


def _gathered(rows: list[Expr], bit: int) -> Expr:
    """Return bytes whose bit i is bit `bit` of row i."""
    found = None
    for i, row in enumerate(rows):
        one = row & constant_lanes(1 << bit, VECTOR, "uint8")
        if i > bit:
            one = one << constant_lanes(i - bit, VECTOR, "uint8")
        elif i < bit:
            one = one >> constant_lanes(bit - i, VECTOR, "uint8")
        found = one if found is None else found | one
    return wide_held(found, "uint8", VECTOR)
