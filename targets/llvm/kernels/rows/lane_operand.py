"""What neurons in lane order read from another kernel: brought from [pixel][channel] to [channel][pixel] first."""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.tirx.script import builder as T

from spqc.targets._tir.context import Context
from spqc.targets._tir.vector import Expr, bind, i32, lanes, loop, store
from spqc.targets._tir.width import LANES

from .lane_shape import LaneShape, Operand, item
from .permute import elements, to_row_major


@dataclass(frozen=True)
class LaneOperand:
    """Emits the operand of 16 channels of a chunk: [plane][channel][pixel] in the scratch from byte `free` on."""

    context: Context
    operand: Operand
    shape: LaneShape
    free: Expr

    @property
    def _view(self) -> Expr:
        return self.context.memory.view("arena", self.operand.dtype)

    def _at(self, offset: int) -> Expr:
        return bind(tirx.floordiv(self.free + i32(offset), i32(item(self.operand.dtype))))

    def fetch(self, tile: Expr, chunk: Expr) -> None:
        """Transpose the channels of a tile; what is turned later lends its scratch."""
        n, dtype = self.shape, self.operand.dtype
        source, count = self.context.place_of(self.operand.value), elements(dtype)
        work, base = self._at(n.turned_at), self._at(n.operand_at)
        codes = self.context.memory.view(source.region, source.dtype)
        with loop(self.operand.planes) as plane, loop(-(-n.rows.chunk // count)) as block:
            pixel = bind(chunk * n.rows.chunk + block * count)
            inside = tirx.min(i32(min(count, n.rows.chunk)), n.rows.pixels - pixel)
            with T.serial(0, inside) as p:
                store(self._view, work + p * LANES, codes[lanes(source.index(plane, pixel + p, tile * LANES))])
            taken = [T.Bind(self._view[lanes(work + i * count, count)]) for i in range(LANES)]
            to = bind(base + plane * n.plane + block * count)
            for i, row in enumerate(to_row_major(taken, dtype)):
                T.buffer_store(self._view, row, [lanes(to + i * n.stride, count)])

    def row(self, step: int, spot: Expr, count: int) -> Expr:
        """Return the elements of `count` lanes from `spot` on: of one step, or of all where they are packed."""
        plane = step if self.operand.planes > 1 else 0
        return self._view[lanes(self._at(self.shape.operand_at) + (spot + plane * self.shape.plane), count)]
