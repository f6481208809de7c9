"""The upper bits of inputs as events: where few inputs have them, a whole plane of bits is mostly zeros.

Every input whose code reaches 2**planes is listed, `code >> planes` times, once a step and row of the map. Behind the
sums of the lower planes, a listed input adds its weights, shifted, to 16 channels of every output that sees it:
[lane][channel] in scratch memory, transposed and added to the rows where there was any.
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.tirx.script import builder as T

from spqc.targets._plan.geometry import WeightedSum
from spqc.targets._tir.context import Context
from spqc.targets._tir.memory import itemsize
from spqc.targets._tir.vector import Expr, all_of, bind, broadcast, cast, constant, i32, lanes, loop
from spqc.targets._tir.width import LANES

from ..events.event_lists import append
from ..intrinsics import prefetch
from .lane_shape import RowShape
from .permute import constant_lanes, elements, register_bits, to_row_major

_COLUMN = 16  # an event is `column << 16 | channel`
_LINE = 64  # bytes that the memory brings at once


@dataclass(frozen=True)
class HighPlaneEvents:
    """Emits lists and sums of one region's upper bits; the lists lie from byte `base` (a multiple of 64) on."""

    context: Context
    conv: WeightedSum
    shape: RowShape
    planes: int  # bits of an input that are summed elsewhere
    base: int
    dtype: str  # of sums

    @property
    def _rows(self) -> int:
        return self.context.steps * self.conv.input.rows

    @property
    def _times(self) -> int:
        """How many events an input gives at most."""
        return self.conv.source.type.range[1] >> self.planes

    @property
    def _segment(self) -> int:
        """Elements of the events of one row, and what a vector behind them may touch."""
        return self.conv.input.width * self.conv.input.padded * self._times + LANES

    @property
    def _events(self) -> int:
        """First element of the events, behind a count for every step and row."""
        return self.base // 4 + -(-self._rows // LANES) * LANES

    @property
    def end(self) -> int:
        return 4 * (self._events + -(-self._rows * self._segment // LANES) * LANES)

    @property
    def _arena(self) -> Expr:
        return self.context.memory.view("arena", "int32")

    def list_events(self) -> None:
        """Emit the lists: whole vectors of inputs without upper bits are passed over."""
        with self.context.parallel(self._rows) as unit:
            row = bind(unit)
            begin = bind(i32(self._events) + row * self._segment)
            at = T.alloc_buffer((1,), "int32")
            T.buffer_store(at, begin, [i32(0)])
            self._scan(row, at)
            T.buffer_store(self._arena, at[0] - begin, [i32(self.base // 4) + row])

    def _scan(self, row: Expr, at: Expr) -> None:
        source = self.context.place_of(self.conv.source)
        codes = self.context.memory.view(source.region, source.dtype)
        line = self.conv.input.width * source.channels
        size = max(n for n in (16, 32, 64) if line % n == 0)
        first = bind(source.base + row * line)
        with T.serial(0, line // size) as turn:
            start = bind(first + turn * size)
            upper = codes[lanes(start, size)] & constant_lanes(-(1 << self.planes) & 0xFF, size, source.dtype)
            with T.If(_any(upper, source.dtype, size)), T.Then(), T.serial(0, size // LANES) as part:
                here = bind(turn * size + part * LANES)
                column = bind(tirx.floordiv(here, i32(source.channels)))
                event = bind((column << _COLUMN) + (here - column * source.channels))
                inputs = bind(cast(codes[lanes(start + part * LANES)], "int32"))
                for times in range(1, self._times + 1):
                    events = broadcast(event) + lanes(i32(0))
                    append(self.context, at, inputs >= constant(times << self.planes, "int32"), events)

    def add(self, tile: Expr, chunk: Expr, rows_at: Expr, free: Expr) -> None:
        """Add to the rows of a tile; `free`: first element of scratch for as many sums."""
        first, count = self._window(chunk)
        total = T.alloc_buffer((1,), "int32")
        T.buffer_store(total, i32(0), [i32(0)])
        counts = i32(self.base // 4)
        with loop(self.context.steps) as t, T.serial(0, count) as k:
            T.buffer_store(total, total[0] + self._arena[counts + t * self.conv.input.rows + first + k], [i32(0)])
        with T.If(total[0] > i32(0)), T.Then():
            self._clear(free)
            with loop(self.context.steps) as t, T.serial(0, count) as k:
                step, y = bind(t), bind(first + k)
                row = bind(step * self.conv.input.rows + y)
                with T.serial(0, self._arena[counts + row]) as e:
                    event = bind(self._arena[i32(self._events) + row * self._segment + e])
                    self._add_event(tile, chunk, step, y, event, free)
            self._join(rows_at, free)

    def _window(self, chunk: Expr) -> tuple[Expr, Expr]:
        """Return the first row of the input that a chunk of outputs sees, and how many."""
        conv, n = self.conv, self.shape
        top = bind(tirx.floordiv(chunk * n.chunk, i32(conv.output.width)) * conv.stride[0] - conv.padding[0])
        last = tirx.min(chunk * n.chunk + n.chunk, i32(n.pixels)) - 1
        below = tirx.floordiv(last, i32(conv.output.width)) * conv.stride[0] - conv.padding[0] + conv.kernel[0]
        first = bind(tirx.max(top, i32(0)))
        return first, bind(tirx.max(tirx.min(below, i32(conv.input.rows)) - first, i32(0)))

    def _clear(self, free: Expr) -> None:
        count = elements(self.dtype)
        with T.serial(0, LANES * self.shape.lanes // count) as i:
            zeros = constant_lanes(0, count, self.dtype)
            T.buffer_store(self._sums, zeros, [lanes(bind(free + i * count), count)])

    @property
    def _sums(self) -> Expr:
        return self.context.memory.view("arena", self.dtype)

    def _add_event(self, tile: Expr, chunk: Expr, step: Expr, y: Expr, event: Expr, free: Expr) -> None:
        """Add one input's weights to 16 channels of all outputs of the chunk that see it."""
        conv, n = self.conv, self.shape
        where = self.context.constants.spread(conv)
        weights = self.context.memory.view("constant", where.dtype)
        channel = event & i32((1 << _COLUMN) - 1)
        row = tile * conv.input.padded + channel
        first = bind(where.offset // itemsize(where.dtype) + row * (conv.kernel[0] * conv.kernel[1] * LANES))
        self._fetch_ahead(weights, itemsize(where.dtype), first)
        below, right = bind(y + conv.padding[0]), bind((event >> _COLUMN) + conv.padding[1])
        with T.serial(0, conv.kernel[0]) as ky, T.serial(0, conv.kernel[1]) as kx:
            down, across = bind(below - ky), bind(right - kx)
            oy, ox = (bind(tirx.floordiv(at, i32(s))) for at, s in zip((down, across), conv.stride, strict=True))
            pixel = bind(oy * conv.output.width + ox - chunk * n.chunk)
            inside = [down >= i32(0), across >= i32(0), oy < i32(conv.output.height), ox < i32(conv.output.width)]
            seen = [at == o * s for at, o, s in zip((down, across), (oy, ox), conv.stride, strict=True) if s > 1]
            with T.If(all_of([*inside, *seen, pixel >= i32(0), pixel < i32(n.chunk)])), T.Then():
                at = bind(free + (step * n.step_stride + pixel) * LANES)
                raw = weights[lanes(first + (ky * conv.kernel[1] + kx) * LANES)]
                wide = cast(cast(raw, "int32" if self.dtype == "int32" else "int16"), self.dtype)
                shifted = wide << constant(self.planes, self.dtype)
                T.buffer_store(self._sums, self._sums[lanes(at)] + shifted, [lanes(at)])

    def _fetch_ahead(self, weights: Expr, size: int, first: Expr) -> None:
        """Ask for what the next tile adds for an event: no hardware foresees which channels events have."""
        taps = self.conv.kernel[0] * self.conv.kernel[1] * LANES
        line = _LINE // size
        for k in range(-(-taps // line) + (taps % line > 0)):
            prefetch(weights, first + (self.conv.input.padded * taps + k * line))

    def _join(self, rows_at: Expr, free: Expr) -> None:
        """Add the transpose of the scratch to the rows."""
        n, view = self.shape, self._sums
        bits = register_bits(self.context.machine.features)
        count = elements(self.dtype) if bits == 512 else LANES
        with T.serial(0, n.lanes // count) as part:
            start = bind(free + part * (count * LANES))
            taken = [T.Bind(view[lanes(start + i * count, count)]) for i in range(LANES)]
            to = bind(rows_at + part * count)
            for i, row in enumerate(to_row_major(taken, self.dtype, bits)):
                target = lanes(to + i * n.lanes, count)
                T.buffer_store(view, view[target] + row, [target])


def _any(vector: Expr, dtype: str, count: int) -> Expr:
    """Return whether any element of a vector is not 0."""
    item = dtype.removeprefix("uint").removeprefix("int")
    return T.call_llvm_pure_intrin(dtype, f"llvm.vector.reduce.or.v{count}i{item}", vector) != tirx.const(0, dtype)
