"""A kernel whose sums come as rows: for 16 channels at a time, [channel][lane], a chunk of pixels of all steps.

A subclass fills the rows; what follows (neuron over all steps, pooling, packing, traces) is here, the same for all: in
the order of the lanes where `lane_shape` finds one, else the rows are transposed, and the dense kernel's epilogue goes
on as if it had summed itself.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tvm import tirx
from tvm.tirx.script import builder as T

from spqc.targets._plan.geometry import WeightedSum
from spqc.targets._tir.vector import Expr, bind, cast, i32, lanes, loop, materialise, when
from spqc.targets._tir.width import LANES

from ..dense.kernel import Dense
from .high_plane_events import HighPlaneEvents
from .lane_epilogue import LaneEpilogue
from .lane_shape import RowShape, lane_shape
from .permute import elements, register_bits, to_lane_major


@dataclass
class Loaded:
    """Sums of one block of pixels in memory, [lane][16 channels]: looks like the registers of the dense kernel."""

    kernel: RowKernel
    at: Expr  # of the block's first pixel, in elements
    first: Expr

    def __getitem__(self, index: int) -> Expr:
        pixel, step = divmod(index, self.kernel.block.steps)
        lane = (self.first + step) * self.kernel.shape.step_stride + pixel
        raw = self.kernel.sums_view[lanes(self.at + lane * LANES)]
        signed = raw if self.kernel.sum_dtype == "int32" else cast(raw, "int16")
        return materialise(cast(signed, "int32"))


@dataclass
class RowKernel(Dense):
    """Emits one region. While `fill` runs, `rows_at` is the index of the first element of the 16 rows."""

    shape: RowShape = field(kw_only=True)
    planes: int = field(kw_only=True)  # bits of an input that `fill` sums; those above are events

    @abstractmethod
    def stage_rows(self) -> int:
        """Emit what comes before all sums, in scratch memory; return the byte behind it."""

    @abstractmethod
    def fill(self, tile: Expr, chunk: Expr) -> None:
        """Emit the sums of 16 channels of a chunk of pixels: elements of `sum_dtype` from `rows_at` on."""

    @property
    def sum_dtype(self) -> str:
        """Sums wrap: whatever is added on the way, the whole sum is proven to fit."""
        return "uint16" if self.head.bits <= 16 else "int32"

    @property
    def head(self) -> WeightedSum:
        if self.region.sum is None:
            raise TypeError("rows hold sums")
        return self.region.sum

    @property
    def sums_view(self) -> Expr:
        return self.context.memory.view("arena", self.sum_dtype)

    def stage_input(self) -> None:
        self.dtype = self.epilogue.dtype = "int32"
        self.lane_epilogue = self._lane_epilogue()
        self.sums_at = self.stage_rows()
        self.high_planes = self._high_planes()
        self.context.reserve(self.sums_at + self.context.machine.threads * self._unit_bytes - self.context.scratch)

    def _high_planes(self) -> HighPlaneEvents | None:
        """List the inputs that have bits above those of `fill`; None where none can."""
        if self.head.source.type.range[1] < 1 << self.planes:
            return None
        base = -(-self.sums_at // 64) * 64
        events = HighPlaneEvents(self.context, self.head, self.shape, self.planes, base, self.sum_dtype)
        events.list_events()
        self.sums_at = events.end
        return events

    def _lane_epilogue(self) -> LaneEpilogue | None:
        """Return what finishes rows as they lie; None where they are transposed."""
        c = self.context
        shape = lane_shape(c.program, self.region, self.shape, c.constants, c.machine)
        if shape is None or self.target is None:
            return None
        return LaneEpilogue(c, self.region, shape.op, self.target, shape)

    @property
    def _item(self) -> int:
        return 2 if self.sum_dtype == "uint16" else 4

    @property
    def _unit_bytes(self) -> int:
        """Scratch of one thread: the sums of a chunk, and what finishing them takes."""
        epilogue = self._rows_bytes if self.lane_epilogue is None else self.lane_epilogue.shape.bytes
        return self._rows_bytes + (epilogue if self.high_planes is None else max(epilogue, self._rows_bytes))

    @property
    def _rows_bytes(self) -> int:
        return LANES * self.shape.lanes * self._item

    def loops(self) -> None:
        tiles = self.output.padded // LANES
        if self.context.machine.threads == 1:  # a chunk's inputs stay near for all channels
            self._place_sums()
            with loop(self.shape.chunks) as chunk, loop(tiles) as tile:
                self._tile(bind(tile), bind(chunk))
            return
        with self.context.parallel(self.apart * tiles) as unit:
            self._place_sums()
            tile = bind(tirx.floormod(unit, i32(tiles)))
            with self.chunks_of(bind(tirx.floordiv(unit, i32(tiles)))) as chunk:
                self._tile(tile, chunk)

    @property
    def _chunks_per_piece(self) -> int:
        """Chunks that one thread takes: all for one thread, else as few as no pooled pixel has its window beyond."""
        n, rows = self.shape, self.region.pooled_rows
        if self.context.machine.threads == 1:
            return n.chunks
        return min(n.chunks, math.lcm(n.chunk, rows * n.out_width) // n.chunk) if rows > 1 else 1

    @property
    def apart(self) -> int:
        """How many pieces of the map threads may take."""
        return -(-self.shape.chunks // self._chunks_per_piece)

    @contextmanager
    def chunks_of(self, piece: Expr) -> Iterator[Expr]:
        """Emit a loop over the chunks of a piece of the map."""
        first, count = bind(piece * self._chunks_per_piece), i32(self._chunks_per_piece)
        if self.shape.chunks % self._chunks_per_piece:
            count = bind(tirx.min(count, i32(self.shape.chunks) - first))
        with T.serial(0, count) as more:
            yield bind(first + more)

    def _place_sums(self) -> None:
        unit = self.context.thread()
        self.rows_at = bind(i32(self.sums_at // self._item) + unit * (self._unit_bytes // self._item))
        self.transposed_at = bind(self.rows_at + LANES * self.shape.lanes)
        if self.lane_epilogue is not None:
            self.lane_epilogue.place(self.rows_at, bind(i32(self.sums_at + self._rows_bytes) + unit * self._unit_bytes))

    def _tile(self, tile: Expr, chunk: Expr) -> None:
        """Emit 16 channels of a chunk of pixels, from sums to spikes."""
        with when(self._open(tile, i32(0)) if self.block.steps == self.steps else None):
            self.fill(tile, chunk)
            if self.high_planes is not None:
                self.high_planes.add(tile, chunk, self.rows_at, self.transposed_at)
            if self.lane_epilogue is None:
                self._transpose()
        if self.lane_epilogue is None:
            self._finish_chunk(tile, chunk)
        else:
            self.lane_epilogue.emit(tile, chunk)

    def _transpose(self) -> None:
        """Bring the sums of a chunk from [channel][lane] to [lane][channel]."""
        n, view, dtype = self.shape, self.sums_view, self.sum_dtype
        bits = register_bits(self.context.machine.features)
        count = elements(dtype, bits)
        with T.serial(0, n.lanes // count) as part:
            at = bind(self.rows_at + part * count)
            rows = [T.Bind(view[lanes(at + i * n.lanes, count)]) for i in range(LANES)]
            to = bind(self.transposed_at + part * (count * LANES))
            for i, vector in enumerate(to_lane_major(rows, dtype, bits)):
                T.buffer_store(view, vector, [lanes(to + i * count, count)])

    def _finish_chunk(self, tile: Expr, chunk: Expr) -> None:
        n, b = self.shape, self.block
        with T.serial(0, n.chunk // b.pixels) as turn:
            pixel = bind(chunk * n.chunk + turn * b.pixels)
            self.block_at = bind(self.transposed_at + turn * (b.pixels * LANES))
            inside = pixel < i32(n.pixels) if n.chunks * n.chunk != n.pixels else None
            with when(inside):
                y = bind(tirx.floordiv(pixel, i32(n.out_width)))
                self.body(tile, y, bind(tirx.floormod(pixel, i32(n.out_width))))

    def sums(self, tile: Expr, y: Expr, x: Expr, first: Expr) -> Loaded:
        return Loaded(self, self.block_at, first)
