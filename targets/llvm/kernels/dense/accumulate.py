"""The inner loops of the dense kernel: rows of weights times the inputs of a block, into accumulators in registers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tvm import tirx
from tvm.tirx.script import builder as T

from spqc.targets._plan.geometry import WeightedSum
from spqc.targets._tir.context import Context
from spqc.targets._tir.memory import itemsize
from spqc.targets._tir.vector import Expr, Registers, bind, cast, constant, i32, loop
from spqc.targets._tir.width import LANES

from . import multiply
from .blocks import Block
from .product import Product, arranged
from .stage import Staged


@dataclass(frozen=True)
class Accumulation:
    """Adds one part of the weights into the sums of a block, [tile][pixel][step]; a row is what one turn reads."""

    context: Context
    sum: WeightedSum
    product: Product
    staged: Staged
    block: Block
    part: int

    def emit(self, sums: Registers, tile: Expr, y: Expr, x: Expr, first: Expr) -> None:
        product, kernel = self.product, self.sum.kernel
        channels = self.staged.channels
        weight = arranged(product, self.sum, self.block.tiles * LANES, channels, self.part)
        where = self.context.constants.place(weight)
        vectors = kernel[1] * (channels // product.group)
        start = where.offset // (LANES * product.group * itemsize(where.dtype))
        top = bind(self.staged.top(self.sum, y))

        def add_row(into: Registers, ky: Expr, below: Expr, k: Expr) -> None:
            row = bind(i32(start) + ((tile * kernel[0] + ky) * vectors + k) * self.block.tiles)
            self._add(into, row, top + below, x, first, k)

        if not product.narrow or product.period >= kernel[0] * vectors:
            with widened(sums, product, self.block.accumulators) as into, loop(kernel[0]) as ky:
                below = self.staged.below(self.sum, ky)
                with loop(vectors) as k:
                    add_row(into, ky, below, k)
            return
        turns = -(-vectors // product.period)
        with loop(kernel[0] * turns) as unit, widened(sums, product, self.block.accumulators) as into:
            ky, begin = bind(tirx.floordiv(unit, i32(turns))), bind(tirx.floormod(unit, i32(turns)) * product.period)
            below = bind(self.staged.below(self.sum, ky))
            with T.serial(0, tirx.min(i32(product.period), vectors - begin)) as k:
                add_row(into, ky, below, bind(begin + k))

    def _add(self, into: Registers, row: Expr, y: Expr, x: Expr, first: Expr, k: Expr) -> None:
        """Emit one row: its weights for every tile, times the input of every pixel and step."""
        b, product = self.block, self.product
        weights = [multiply.weights(product, self.context, row + o) for o in range(b.tiles)]
        for p in range(b.pixels):
            for t in range(b.steps):
                at = self.staged.row(first + t, y, (x + p) * self.sum.stride[1], product.group) + k
                codes = multiply.inputs(product, self.context, at)
                for o in range(b.tiles):
                    i = (o * b.pixels + p) * b.steps + t
                    into[i] = multiply.accumulate(product, into[i], codes, weights[o])


@contextmanager
def widened(sums: Registers, product: Product, count: int) -> Iterator[Registers]:
    """Give the registers to add into: narrow ones, which are added to the sums afterwards, or the sums themselves."""
    if not product.narrow:
        yield sums
        return
    narrow = Registers("narrow", count, product.narrow)
    for i in range(count):
        narrow[i] = constant(0, product.narrow)
    yield narrow
    for i in range(count):
        sums[i] = sums[i] + cast(narrow[i], product.dtype)
