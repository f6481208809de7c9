"""The look-up kernel: partial sums of some inputs come out of a table in a register, for a vector of outputs at once.

A lane is one output pixel of one step. The spikes of 6 input channels are an index byte (`index`); for each output
channel and tap a table of 64 partial sums is put together from codes of the weights (`digits`), and one permute looks
up 64 lanes: with AVX-512 VBMI. Other CPUs look up 32 (or 16) lanes in tables of 16 sums of 4 channels. Sums are bytes
until the bound of the actual weights says that they must be widened. Then 16 channels are
transposed, and the dense kernel's epilogue goes on as if it had summed itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tvm import tirx
from tvm.tirx.script import builder as T

from spqc.targets._plan.geometry import Region
from spqc.targets._tir.context import Context
from spqc.targets._tir.memory import itemsize
from spqc.targets._tir.vector import Expr, bind, cast, i32, lanes, loop
from spqc.targets._tir.width import LANES

from ..rows.permute import Wide, constant_lanes, look_up, materialise_wide, repeated
from ..rows.plan import choose_pixels
from ..rows.rows import RowKernel
from .index import Indexes
from .plan import Plan


@dataclass
class LookUp(RowKernel):
    """Emits one region: rows of sums by look-ups; what follows them is any row kernel's."""

    plan: Plan = field(kw_only=True)

    @classmethod
    def of(cls, context: Context, region: Region, plan: Plan) -> LookUp:
        """Return the emitter of a region under a plan."""
        block = choose_pixels(region, plan.lanes, context.steps_of(region.last.out))
        return cls(context, region, block, shape=plan.lanes, planes=plan.planes, plan=plan)

    def stage_rows(self) -> int:
        self.indexes = Indexes(self.context, self.head, self.plan.lanes, self.plan.planes, self.context.scratch)
        self.indexes.emit()
        return self.indexes.end

    def fill(self, tile: Expr, chunk: Expr) -> None:
        """Emit the sums of 16 channels: one stretch of groups for all of them, so that its index bytes stay near."""
        n = self.plan.lanes
        with loop(n.windows) as window:
            window = bind(window)
            self._clear_rows(window)
            for part, digits in enumerate(self.plan.digits):
                for plane in range(0, self.plan.planes, self.plan.planes_per_pass):
                    start = self.indexes.tiles + plane * n.tiles_bytes
                    start = bind(i32(start) + (chunk * n.windows + window) * n.tile_window)
                    self._pass(part, digits.shift + plane, tile, window, start)

    def _clear_rows(self, window: Expr) -> None:
        n, size = self.plan.lanes, self.plan.lanes.vector
        with T.serial(0, LANES) as row, T.serial(0, n.vectors) as v:
            at = self.rows_at + row * n.lanes + (window * n.vectors + v) * size
            T.buffer_store(self.sums_view, constant_lanes(0, size, self.sum_dtype), [lanes(at, size)])

    def _pass(self, part: int, shift: int, tile: Expr, window: Expr, start: Expr) -> None:
        """Sum one digit of the weights over one bit of the inputs (or several), and add it, shifted, to the sums."""
        n = self.plan.lanes
        groups, period = self.plan.groups, self.plan.periods[part]
        blocks = LANES // n.outputs
        with loop(-(-groups // period)) as turn, loop(blocks) as block:
            first = bind(turn * period)
            count = tirx.min(i32(period), groups - first) if groups % period else i32(period)
            at = bind(self.rows_at + block * (n.outputs * n.lanes) + window * (n.vectors * n.vector))
            self._sum_stretch(part, shift, bind(tile * blocks + block), first, bind(count), start, at)

    def _sum_stretch(self, part: int, shift: int, block: Expr, first: Expr, count: Expr, start: Expr, at: Expr) -> None:
        """Sum `count` groups in bytes, for `outputs` channels, and add the widened sums to their rows."""
        n, size, planes = self.plan.lanes, self.plan.lanes.vector, self.plan.planes_per_pass
        targets = [at + (q * n.lanes + v * size) for q in range(n.outputs) for v in range(n.vectors)]
        sums = [[Wide("acc", "int8", size) for _ in range(planes)] for _ in targets]
        for one in (one for bits in sums for one in bits):
            one.set(constant_lanes(0, size, "int8"))
        with T.serial(0, count) as k:
            group = bind(first + k)
            self._look_up(part, block, group, bind(start + group * (n.tile_slot // n.rows)), sums)
        for target, bits in zip(targets, sums, strict=True):
            whole = self.sums_view[lanes(target, size)]
            for plane, one in enumerate(bits):
                whole = whole + self._widened(one, shift + plane)
            T.buffer_store(self.sums_view, whole, [lanes(target, size)])

    def _widened(self, one: Wide, shift: int) -> Expr:
        """Return an accumulator as elements of sums, shifted."""
        signed = cast(one.get(), "int32" if self.sum_dtype == "int32" else "int16", one.count)
        wide = cast(signed, self.sum_dtype, one.count)
        return wide << constant_lanes(shift, one.count, self.sum_dtype) if shift else wide

    def _look_up(self, part: int, block: Expr, group: Expr, at: Expr, sums: list[list[Wide]]) -> None:
        """Add what one group of channels gives to every accumulator."""
        n, size = self.plan.lanes, self.plan.lanes.vector
        arena = self.context.memory.view("arena", "uint8")
        planes = range(self.plan.planes_per_pass)
        index = [
            [T.Bind(arena[lanes(at + (plane * n.tiles_bytes + v * size), size)]) for plane in planes]
            for v in range(n.vectors)
        ]
        inputs = n.permute.inputs
        where = self.context.constants.codes(
            self.head, part, outputs=n.outputs, rows_inside=n.rows_inside, inputs=inputs
        )
        count = inputs // where.arrangement.split
        start = where.offset // itemsize(where.dtype)
        first = (block * self.plan.groups + group) * (n.outputs * count)
        for q in range(n.outputs):
            table = self._table(part, [start + first + (q * count + i) for i in range(count)])
            for v in range(n.vectors):
                for one, bits in zip(sums[q * n.vectors + v], index[v], strict=True):
                    one.set(one.get() + look_up(table, bits, size))

    def _table(self, part: int, codes: list[Expr]) -> Expr:
        """Return the partial sums of one output's weights: the sum of what each of its codes adds."""
        n = self.plan.lanes
        entries = 2**n.permute.inputs
        where = self.context.constants.code_tables(self.head, part, n.permute.inputs)
        pieces, words = (self.context.memory.view("constant", view) for view in ("int8", "int16"))
        size = where.bytes // len(codes)
        sums = None
        for i, at in enumerate(codes):
            begin = words[at].astype("uint16").astype("int32")
            piece = pieces[lanes(i32(where.offset + i * size) + begin, entries)]
            sums = piece if sums is None else sums + piece
        table = materialise_wide(sums, "int8", entries)
        return materialise_wide(repeated(table, entries, n.vector // entries), "int8", n.vector)
