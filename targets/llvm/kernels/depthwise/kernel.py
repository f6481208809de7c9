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
        conv = self.region.sum
        if conv is None:
            return None
        count, narrow = self.block.accumulators, "int16" if conv.bits <= 16 else self.dtype
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
        conv, staged, b = self.region.sum, self.staged, self.block
        if conv is None or staged is None:
            return
        where = self.context.constants.taps(conv)
        weights = self.context.memory.view("constant", where.dtype)
        codes = self.context.memory.view("arena", "uint8")
        count = conv.kernel[0] * conv.kernel[1]
        start = i32(where.offset // itemsize(where.dtype))
        top = bind(staged.top(conv, y))
        with loop(conv.kernel[0]) as ky, loop(conv.kernel[1]) as kx:
            below = staged.below(conv, ky)
            for o in range(b.tiles):
                vector = bind(tile * b.tiles + o)
                at = start + (vector * count + ky * conv.kernel[1] + kx) * LANES
                weight = bind(cast(weights[lanes(at)], dtype))
                for p in range(b.pixels):
                    for t in range(b.steps):
                        place = staged.row(first + t, top + below, (x + p) * conv.stride[1] + kx, 1) + vector * LANES
                        i = (o * b.pixels + p) * b.steps + t
                        sums[i] = sums[i] + cast(codes[lanes(place)], dtype) * weight
