"""Lists of active inputs: spikes as numbers, in the order in which a convolution's window meets them.

An event is `(padded column * rows + channel) * width`: the weights that it adds begin there, less the window's first
column. The channels come in blocks; the events of a block under a window's row are one run, from the entry of its first
column to that behind its last. Each step, row of the map and block has a segment of its own, so that threads need not
wait for each other. An input of code v gives v events. A column's events are filled up to a multiple of `group` with
events that add zeros.
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.tirx.script import builder as T

from spqc.targets._plan.geometry import WeightedSum
from spqc.targets._tir.context import Context
from spqc.targets._tir.memory import Place
from spqc.targets._tir.vector import Expr, bind, broadcast, cast, constant, i32, lanes, select
from spqc.targets._tir.width import LANES

from ..dense.stage import Staged, stage

COMPRESS = "avx512f"


@dataclass(frozen=True)
class EventLists:
    """Where the events lie, in int32 elements of the arena; `end`: the first free byte behind.

    `starts`: [t][padded row][block][padded column], the index of the first event of each.
    """

    first: int
    starts: int
    segment: int
    blocks: int
    height: int
    width: int
    end: int

    def start(self, step: Expr, row: Expr, block: Expr, column: Expr) -> Expr:
        """Return the index of the entry that says where the events of a padded pixel begin."""
        return i32(self.starts) + ((step * self.height + row) * self.blocks + block) * (self.width + 1) + column


@dataclass(frozen=True)
class Extraction:
    """Emits the lists of one sum's input: `block` channels at a time, each `width` elements of weights wide."""

    context: Context
    conv: WeightedSum
    steps: int
    block: int
    width: int
    group: int

    @property
    def column(self) -> int:
        """Elements of weights that one column of a block's channels takes, the row of zeros with them."""
        return (self.block + 1) * self.width

    @property
    def top(self) -> int:
        """The greatest code of an input: how many events it may give."""
        return self.conv.source.type.range[1]

    def emit(self) -> EventLists:
        source, used = self._source()
        lists = self._place(used)
        self._empty_rows(lists)
        height, blocks = i32(self.conv.input.rows), i32(lists.blocks)
        with self.context.parallel(self.steps * self.conv.input.rows * lists.blocks) as unit:
            block, row = bind(tirx.floormod(unit, blocks)), bind(tirx.floordiv(unit, blocks))
            t, y = bind(tirx.floordiv(row, height)), bind(tirx.floormod(row, height))
            self._row(lists, source, t, y, block, bind(i32(lists.first) + unit * lists.segment))
        return lists

    def _source(self) -> tuple[Place | Staged, int]:
        """Return where the input lies, with its channels side by side, and the scratch bytes taken for it."""
        if not self.context.is_input(self.conv.source):
            return self.context.place_of(self.conv.source), 0
        staged = stage(self.context, self.conv, 0, LANES)
        return staged, -(-(staged.bytes + 4 * LANES) // 64) * 64

    def _place(self, used: int) -> EventLists:
        conv = self.conv
        height, width = conv.input.rows + 2 * conv.padding[0], conv.input.width + 2 * conv.padding[1]
        blocks = -(-conv.input.channels // self.block)
        column = -(-self.block * self.top // self.group) * self.group
        segment = -(-(conv.input.width * column + LANES) // LANES) * LANES
        first = self.context.scratch + used
        starts = first + 4 * self.steps * conv.input.rows * blocks * segment
        end = -(-(starts + 4 * self.steps * height * blocks * (width + 1)) // 64) * 64
        self.context.reserve(end - self.context.scratch)
        return EventLists(first // 4, starts // 4, segment, blocks, height, width, end)

    def _empty_rows(self, lists: EventLists) -> None:
        """Give the rows of the padding no events."""
        pad, arena = self.conv.padding[0], self.context.memory.view("arena", "int32")
        if pad == 0:
            return
        with T.grid(self.steps, 2 * pad, lists.blocks * (lists.width + 1)) as (t, r, x):
            row = select(r < i32(pad), r, r + i32(self.conv.input.rows))
            T.buffer_store(arena, i32(0), [lists.start(t, row, i32(0), x)])

    def _row(self, lists: EventLists, source: Place | Staged, t: Expr, y: Expr, block: Expr, begin: Expr) -> None:
        (above, pad), arena = self.conv.padding, self.context.memory.view("arena", "int32")
        at = T.alloc_buffer((1,), "int32")
        T.buffer_store(at, begin, [0])
        starts = bind(lists.start(t, y + above, block, i32(0)))
        with T.serial(0, pad) as x:
            T.buffer_store(arena, begin, [starts + x])
        with T.serial(0, self.conv.input.width) as x:
            T.buffer_store(arena, at[0], [starts + pad + x])
            self._column(source, at, t, y, x, block)
            if self.group > 1:
                self._fill(at, begin, x)
        with T.serial(0, pad + 1) as x:
            T.buffer_store(arena, at[0], [starts + pad + self.conv.input.width + x])

    def _column(self, source: Place | Staged, at: Expr, t: Expr, y: Expr, x: Expr, block: Expr) -> None:
        """Append the events of one pixel."""
        first = bind((x + self.conv.padding[1]) * self.column)
        channels = self.conv.input.padded
        tiles = tirx.min(i32(self.block // LANES), i32(channels // LANES) - block * (self.block // LANES))
        with T.serial(0, tiles) as tile:
            codes = bind(self._codes(source, t, y, x, block * self.block + tile * LANES))
            for level in range(1, self.top + 1):
                self._append(at, codes >= constant(level, "int32"), bind(first + tile * (LANES * self.width)))

    def _codes(self, source: Place | Staged, t: Expr, y: Expr, x: Expr, channel: Expr) -> Expr:
        if isinstance(source, Place):
            return source.load(t, bind(y * self.conv.input.width + x), channel)
        at = source.row(t, y + self.conv.padding[0], x + self.conv.padding[1], 1) + channel
        return cast(self.context.memory.view("arena", "uint8")[lanes(at)], "int32")

    def _append(self, at: Expr, active: Expr, first: Expr) -> None:
        append(self.context, at, active, broadcast(first) + lanes(i32(0)) * constant(self.width, "int32"))

    def _fill(self, at: Expr, begin: Expr, x: Expr) -> None:
        """Append events of zeros up to a multiple of the group."""
        arena = self.context.memory.view("arena", "int32")
        zeros = bind((x + self.conv.padding[1]) * self.column + self.block * self.width)
        T.buffer_store(arena, broadcast(zeros), [lanes(at[0])])
        T.buffer_store(at, begin + ((at[0] - begin + (self.group - 1)) & i32(-self.group)), [0])


def append(context: Context, at: Expr, active: Expr, events: Expr) -> None:
    """Append the events of the active lanes where `at` says, and count them; LANES elements behind may be touched."""
    arena = context.memory.view("arena", "int32")
    one, zero = constant(1, "int32"), constant(0, "int32")
    if COMPRESS in context.machine.features:
        packed = T.call_llvm_pure_intrin("int32x16", "llvm.x86.avx512.mask.compress.v16i32", events, zero, active)
        T.buffer_store(arena, packed, [lanes(at[0])])
        count = T.call_llvm_pure_intrin("int32", "llvm.vector.reduce.add.v16i32", select(active, one, zero))
        T.buffer_store(at, at[0] + count, [0])
        return
    bits, numbers = T.alloc_buffer((LANES,), "int32"), T.alloc_buffer((LANES,), "int32")
    T.buffer_store(bits, select(active, one, zero), [lanes(i32(0))])
    T.buffer_store(numbers, events, [lanes(i32(0))])
    with T.serial(0, LANES) as lane:  # always stored, kept only where the next one does not overwrite it
        T.buffer_store(arena, numbers[lane], [at[0]])
        T.buffer_store(at, at[0] + bits[lane], [0])
