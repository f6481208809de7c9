"""A network's input as vectors of pixels: four inputs of an output in 32 bits.

First planes get zeros around them; then, for every chunk of pixels and in the order of the lanes, bytes of four inputs
(places of the kernel in some channel) are put together.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from tvm import tirx
from tvm.tirx.script import builder as T

from spqc.targets._plan.geometry import WeightedSum
from spqc.targets._tir.context import Context
from spqc.targets._tir.memory import input_index
from spqc.targets._tir.vector import Expr, bind, constant, i32, lanes

from .plan import INPUTS, Pieces, PixelLanes, pieces, quads_of

_LINE = 64  # bytes


@dataclass(frozen=True)
class Quads:
    """Plans scratch from byte `base` on, and emits its filling.

    The planes are bytes, [channel][step][row][column]; quads are 32 bits, [quad][step][pixel]. Quad k of a pixel holds
    inputs 4 k to 4 k + 3 of its output, in the order of a weight's elements: channel, kernel row, kernel column.
    """

    context: Context
    sum: WeightedSum
    lanes: PixelLanes
    base: int

    @property
    def count(self) -> int:
        """Quads of one output."""
        return quads_of(self.sum)

    @property
    def _planes(self) -> int:
        return _up(self.base)

    @property
    def _rows(self) -> int:
        return self.sum.input.height + 2 * self.sum.padding[0]

    @property
    def _width(self) -> int:
        return self.sum.input.width + 2 * self.sum.padding[1]

    @property
    def _first(self) -> int:
        """The byte where the quads begin."""
        return self._planes + _up(self.sum.input.channels * self.lanes.steps * self._rows * self._width)

    @property
    def end(self) -> int:
        """The byte behind them."""
        return self._first + INPUTS * self.count * self.lanes.steps * self._pixels

    @property
    def _pixels(self) -> int:
        """Pixels of whole chunks, and a line, so that quads do not meet in one set of a cache."""
        return self.lanes.chunks * self.lanes.chunk + _LINE // INPUTS

    def at(self, quad: Expr, step: Expr, pixel: Expr) -> Expr:
        """Return the index of a quad, among elements of 32 bits."""
        return i32(self._first // INPUTS) + (quad * self.lanes.steps + step) * self._pixels + pixel

    @property
    def _bytes(self) -> Expr:
        return self.context.memory.view("arena", "uint8")

    def emit(self) -> None:
        """Emit the planes and the quads."""
        with T.serial(0, (self._first - self._planes) // _LINE) as i:
            T.buffer_store(self._bytes, constant(0, "uint8", _LINE), [lanes(self._planes + i * _LINE, _LINE)])
        steps = i32(self.lanes.steps)
        with self.context.parallel(self.sum.input.channels * self.lanes.steps) as unit:
            self._pad(bind(tirx.floordiv(unit, steps)), bind(tirx.floormod(unit, steps)))
        with self.context.parallel(self.lanes.steps * self.sum.output.height) as unit:
            height = i32(self.sum.output.height)
            self._join(bind(tirx.floordiv(unit, height)), bind(tirx.floormod(unit, height)))

    def _pad(self, channel: Expr, step: Expr) -> None:
        """Copy a plane to where zeros lie around it."""
        conv, context = self.sum, self.context
        m, (rows, columns), codes = conv.input, conv.padding, context.memory.view("input", "uint8")
        row = Pieces.of(m.width)
        count = row.pixels
        with T.serial(0, m.height) as y, T.serial(0, row.count) as part:
            x = bind(first_pixel(row, part))
            at = bind(input_index(context.program, conv.source, context.sample, step, channel, y * m.width + x))
            to = bind(self._spot(channel, step, y + rows, x + columns))
            T.buffer_store(self._bytes, codes[_run(at, count)], [_run(to, count)])

    def _join(self, step: Expr, y: Expr) -> None:
        """Put the inputs of a row of outputs together."""
        conv, row = self.sum, pieces(self.sum)
        count = row.pixels
        inputs = list(product(range(conv.input.channels), range(conv.kernel[0]), range(conv.kernel[1])))
        with T.serial(0, row.count) as part:
            x = bind(first_pixel(row, part))
            for quad in range(self.count):
                value = None
                for place, (c, ky, kx) in enumerate(inputs[quad * INPUTS : quad * INPUTS + INPUTS]):
                    at = bind(self._spot(i32(c), step, y * conv.stride[0] + ky, x * conv.stride[1] + kx))
                    code = self._widened(at, count) << _each(8 * place, count)
                    value = code if value is None else value | code
                to = bind(self.at(i32(quad), step, y * conv.output.width + x))
                T.buffer_store(self.context.memory.view("arena", "int32"), value, [_run(to, count)])

    def _widened(self, at: Expr, count: int) -> Expr:
        return self._bytes[_run(at, count)].astype(f"int32x{count}" if count > 1 else "int32")

    def _spot(self, channel: Expr, step: Expr, row: Expr, column: Expr) -> Expr:
        return i32(self._planes) + ((channel * self.lanes.steps + step) * self._rows + row) * self._width + column


def _run(at: Expr, count: int) -> Expr:
    return lanes(at, count) if count > 1 else at


def _each(value: int, count: int) -> Expr:
    return constant(value, "int32", count) if count > 1 else i32(value)


def _up(size: int) -> int:
    return -(-size // _LINE) * _LINE


def first_pixel(row: Pieces, piece: Expr) -> Expr:
    """Return the first pixel of a piece."""
    if row.width % row.pixels == 0:
        return piece * row.pixels
    return tirx.min(piece * row.pixels, i32(row.width - row.pixels))
