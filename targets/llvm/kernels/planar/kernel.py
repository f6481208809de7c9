"""The planar kernel: byte dot products whose lanes are pixels, of a network's own input.

A vector is 16 pixels of one step, four inputs each (`quads`), and is multiplied by four weights of one output
channel: sums come in the order of the lanes, where neurons take fewest instructions.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tvm import tirx
from tvm.tirx.script import builder as T

from spqc.targets._plan.geometry import Region
from spqc.targets._tir.context import Context
from spqc.targets._tir.vector import Expr, Registers, bind, broadcast, cast, constant, lanes, loop
from spqc.targets._tir.width import LANES

from ..dense.multiply import accumulate
from ..dense.product import Dot, arranged
from ..rows.plan import choose_pixels
from ..rows.rows import RowKernel
from .plan import INPUTS, PixelLanes, in_order
from .quads import Quads

_OUTPUTS = 4  # by four vectors of pixels: sums of both in registers


@dataclass
class Planar(RowKernel):
    """Emits one region: rows of sums by dot products; what follows them is any row kernel's."""

    pixels: PixelLanes = field(kw_only=True)

    @classmethod
    def of(cls, context: Context, region: Region, pixels: PixelLanes) -> Planar:
        """Return the emitter of a region."""
        block = choose_pixels(region, pixels, context.steps_of(region.last.out))
        return cls(context, region, block, shape=pixels, planes=8, pixels=pixels)

    def stage_rows(self) -> int:
        self.quads = Quads(self.context, self.head, self.pixels, self.context.scratch)
        self.quads.emit()
        return self.quads.end

    def fill(self, tile: Expr, chunk: Expr) -> None:
        with loop(self.pixels.steps) as step, T.serial(0, LANES // _OUTPUTS) as block:
            lane = bind(step * self.pixels.chunk)
            first = bind(block * _OUTPUTS)
            sums = self._summed(tile, first, step, chunk * self.pixels.chunk)
            for q in range(_OUTPUTS):
                to = bind(self.rows_at + (first + q) * self.pixels.lanes + lane)
                for v in range(self._vectors):
                    value = cast(sums[q * self._vectors + v], self.sum_dtype)
                    T.buffer_store(self.sums_view, value, [lanes(to + v * LANES)])

    @property
    def _vectors(self) -> int:
        return self.pixels.chunk // LANES

    def _summed(self, tile: Expr, first: Expr, step: Expr, pixel: Expr) -> Registers:
        """Return the sums of some outputs from `first` on, [output][vector], over a chunk from `pixel` on."""
        product, quads, whole = Dot(), self.quads, in_order(self.head)
        weights = self.context.constants.place(arranged(product, whole, LANES, quads.count * INPUTS))
        codes, inputs = self.context.memory.view("constant", "int32"), self.context.memory.view("arena", "int32")
        sums = Registers("sums", _OUTPUTS * self._vectors)
        for i in range(_OUTPUTS * self._vectors):
            sums[i] = constant(0, "int32")
        with T.serial(0, quads.count) as k:
            row = bind(weights.offset // INPUTS + (tile * quads.count + k) * LANES + first)
            at = bind(quads.at(k, step, pixel))
            taken = [T.Bind(inputs[lanes(at + v * LANES)]) for v in range(self._vectors)]
            for q in range(_OUTPUTS):
                weight = bind(broadcast(codes[row + q]))
                for v, quad in enumerate(taken):
                    i = q * self._vectors + v
                    sums[i] = accumulate(product, sums[i], quad, tirx.reinterpret("int8x64", weight))
        return sums
