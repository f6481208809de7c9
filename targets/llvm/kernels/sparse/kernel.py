"""The dense kernel over a list: the rows of weights that are zero for a whole tile are neither stored nor visited.

A row is what one turn of the dense kernel's inner loop reads: one place of the window, one group of input channels, all
outputs of a tile. Each tile has the rows that are not zero, one behind the other, and where each finds its inputs.
"""

from __future__ import annotations

from tvm import tirx
from tvm.tirx.script import builder as T

from spqc.targets._tir.vector import Expr, Registers, bind, i32
from spqc.targets._tir.width import LANES

from ..dense import multiply
from ..dense.accumulate import widened
from ..dense.kernel import Dense
from ..dense.product import arranged


class Sparse(Dense):
    """Emits a region whose weights have rows of zeros."""

    def _accumulate(self, sums: Registers, part: int, tile: Expr, y: Expr, x: Expr, first: Expr) -> None:
        conv, product, staged = self.region.sum, self.product, self.staged
        if conv is None or product is None or staged is None:
            return
        b = self.block
        outputs, layers = b.tiles * LANES, conv.layers.kernel if conv.layers is not None else 1
        line = staged.width * (staged.channels // product.group)
        constants = self.context.constants
        weight = arranged(product, conv, outputs, staged.channels, part)
        where = constants.sparse_rows(weight)
        strides = (conv.kernel[0] // layers, staged.height * line, line)
        places = constants.row_places(weight, strides)
        start = where.offset // (LANES * product.group * {"int8": 1, "int16": 2, "int32": 4}[where.dtype])
        lists = self.context.memory.view("constant", "int32")
        begin = i32(places.offset // 4)
        top, head = bind(staged.top(conv, y)), bind(lists[begin + tile])

        def add_row(into: Registers, j: Expr) -> None:
            row = bind(head + j)
            offset = bind(lists[begin + places.arrangement.heads + row])
            vector = bind(i32(start) + row * b.tiles)
            weights = [multiply.weights(product, self.context, vector + o) for o in range(b.tiles)]
            for p in range(b.pixels):
                for t in range(b.steps):
                    at = staged.row(first + t, top, (x + p) * conv.stride[1], product.group) + offset
                    codes = multiply.inputs(product, self.context, at)
                    for o in range(b.tiles):
                        i = (o * b.pixels + p) * b.steps + t
                        into[i] = multiply.accumulate(product, into[i], codes, weights[o])

        count = bind(lists[begin + tile + 1] - head)
        if not product.narrow:
            with T.serial(0, count) as j:
                add_row(sums, j)
            return
        period = product.period
        turns = tirx.floordiv(count + (period - 1), i32(period))
        with (
            T.serial(0, turns) as turn,
            widened(sums, product, b.accumulators) as into,
            T.serial(0, tirx.min(i32(period), count - turn * period)) as j,
        ):
            add_row(into, bind(turn * period + j))
