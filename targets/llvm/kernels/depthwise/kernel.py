"""The depthwise kernel: a channel reads itself alone, so that lanes multiply side by side and nothing is broadcast.

Sums of at most 16 bits stay in 16-bit lanes. Its neuron, pooling and packing are those of the dense kernel.
"""

from __future__ import annotations

from spqc.targets._tir.memory import itemsize
from spqc.targets._tir.vector import Expr, Registers, bind, cast, constant, i32, lanes, loop, when
from spqc.targets._tir.width import LANES

from ..dense.constant_input_spikes import Sums
from ..dense.kernel import Dense


class Depthwise(Dense):
    """Emits a region whose convolution has a group for each channel."""

    def sums(self, tile: Expr, y: Expr, x: Expr, first: Expr) -> Sums | None:
        """Emit the multiply-accumulate loops of one block and return its accumulators [tile][pixel][step]."""
        g = self.region.sum
        if g is None:
            return None
        count, narrow = self.block.accumulators, "int16" if g.bits <= 16 else self.dtype
        sums = Registers("sums", count, narrow)
        for i in range(count):
            sums[i] = constant(0, narrow)
        with when(self._open(tile, first)):
            self._taps(sums, narrow, tile, y, x, first)
        if narrow == self.dtype:
            return sums
        wide = Registers("wide", count, self.dtype)
        for i in range(count):
            wide[i] = cast(sums[i], self.dtype)
        return wide

    def _taps(self, sums: Registers, dtype: str, tile: Expr, y: Expr, x: Expr, first: Expr) -> None:
        g, staged, b = self.region.sum, self.staged, self.block
        if g is None or staged is None:
            return
        where = self.context.constants.taps(g)
        weights = self.context.memory.view("constant", where.dtype)
        codes = self.context.memory.view("arena", "uint8")
        count = g.kernel[0] * g.kernel[1]
        start = i32(where.offset // itemsize(where.dtype))
        top = bind(staged.top(g, y))
        with loop(g.kernel[0]) as ky, loop(g.kernel[1]) as kx:
            below = staged.below(g, ky)
            for o in range(b.tiles):
                vector = bind(tile * b.tiles + o)
                at = start + (vector * count + ky * g.kernel[1] + kx) * LANES
                weight = bind(cast(weights[lanes(at)], dtype))
                for p in range(b.pixels):
                    for t in range(b.steps):
                        place = staged.row(first + t, top + below, (x + p) * g.stride[1] + kx, 1) + vector * LANES
                        i = (o * b.pixels + p) * b.steps + t
                        sums[i] = sums[i] + cast(codes[lanes(place)], dtype) * weight
