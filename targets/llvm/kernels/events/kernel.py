"""The event-driven kernel: for each output pixel and step, add the weight rows of the active inputs under the window.

A row holds the weights of one input for a tile of outputs. Two outputs share a 16-bit word, `256 * high + low + bias`
with 0 <= low + bias < 256, and a word costs three instructions: `a += word`, `b += word >> 8`. Then `b` is the sum of
the high bytes, and the low bytes' is `a - 256 b - bias * n` for n events: modulo 2^16, so right whenever the sum fits.
Weights of few bits are added as words `group` at a time first, where their bytes cannot overflow.

Where the weights do not prove that a sum fits 16 bits, it is widened to 32 after every run of events, or if need be
after every so many events.
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.tirx.script import builder as T

from spqc.targets._plan.geometry import WeightedSum
from spqc.targets._tir.vector import Expr, Registers, bind, broadcast, cast, constant, i32, lanes, loop, when
from spqc.targets._tir.width import LANES

from ..dense.kernel import Dense
from ..dense.stage import Staged
from ..intrinsics import prefetch
from .event_lists import EventLists, Extraction
from .row_format import RowFormat

_WORDS = 32  # 16-bit lanes of the widest vector
_LIMIT = 2**15 - 1
_LINE = 32  # 16-bit elements of a cache line
_WINDOWS = 256  # at least, of one turn: how often it uses the weights that it brings into the cache


@dataclass
class Events(Dense):
    """Emits one region event-driven; `wanted` is a block of one pixel and one step.

    A turn takes a tile of outputs and some rows of the map. First, for one block of input channels and one kernel row
    after another, it adds that row's events to the sums of all its windows in memory: the weights read meanwhile stay
    in the first-level cache. Then neurons read the sums.
    """

    format: RowFormat | None = None
    channels: int = LANES  # of a block

    def stage_input(self) -> Staged | None:
        """Emit the lists of events instead of staged bytes."""
        conv, format_ = self._sum, self._format
        self.tile = self.block.tiles * LANES
        self.vectors = max(1, self.tile // (2 * _WORDS)) * format_.parts
        self.words_per_vector = min(_WORDS, self.tile // 2)
        self.width = self.vectors * self.words_per_vector
        where = self.context.constants.event_rows(
            conv, lanes=self.tile, block=self.channels, bytes_per_weight=format_.parts, bias=format_.bias
        )
        self.weights = where.offset // 2
        steps = self.context.steps_of(conv.source)
        extraction = Extraction(self.context, conv, steps, self.channels, self.width, format_.group)
        self.column = extraction.column
        self.lists: EventLists = extraction.emit()
        self._place_sums()
        return None

    def _place_sums(self) -> None:
        """Reserve the sums of one turn's windows for each thread, whole pages apart so that no two share a line."""
        pool = self.region.pooled_rows
        wanted = -(-_WINDOWS // (self.output.width * self.steps * pool)) * pool
        self.turn_rows = min(wanted, -(-self.output.rows // pool) * pool)
        windows = self.turn_rows * self.output.width * self.steps
        self.wide = self._format.flush != "end"
        self.each = self.tile if self.wide else 2 * self.width  # elements of one window's sums: int32, or int16
        size = -(-windows * self.each * (4 if self.wide else 2) // 4096) * 4096
        self.sums_at = self.lists.end
        self.sums_size = size
        self.context.reserve(self.lists.end + size * self.context.machine.threads - self.context.scratch)

    @property
    def _sum(self) -> WeightedSum:
        if self.region.sum is None:
            raise TypeError("an event-driven kernel begins with a sum")
        return self.region.sum

    @property
    def _format(self) -> RowFormat:
        if self.format is None:
            raise TypeError("an event-driven kernel knows the format of its rows")
        return self.format

    def loops(self) -> None:
        groups = -(-self.output.rows // self.turn_rows)
        turns = self.output.padded // LANES // self.block.tiles * groups
        with self.context.parallel(turns) as unit:
            item = 4 if self.wide else 2
            self.base = bind(i32(self.sums_at // item) + self.context.thread() * (self.sums_size // item))
            self._turn(bind(tirx.floordiv(unit, i32(groups))), bind(tirx.floormod(unit, i32(groups))))

    def _turn(self, tile: Expr, group: Expr) -> None:
        """Emit one turn: all sums of its rows, then everything behind them."""
        self.top = bind(group * self.turn_rows)
        here = bind(tirx.min(i32(self.turn_rows), i32(self.output.rows) - self.top))
        self._clear_sums(here)
        conv = self._sum
        with (
            loop(self.lists.blocks) as block,
            loop(conv.kernel[0]) as ky,
            T.serial(0, here) as r,
            loop(self.output.width) as x,
            loop(self.steps) as t,
            when(self._open(tile, t)),
        ):
            self._run(tile, block, ky, r, x, t)
            self._fetch_ahead(tile, block, ky, bind((r * self.output.width + x) * self.steps + t))
        with T.serial(0, here) as r, loop(self.output.width) as x:
            self.body(tile, bind(self.top + r), bind(x))

    def _fetch_ahead(self, tile: Expr, block: Expr, ky: Expr, window: Expr) -> None:
        """Ask for a few lines of the weights that the next row of the kernel will add, each window for its own."""
        conv, view = self._sum, self.context.memory.view("constant", "int16")
        size = conv.kernel[1] * self.column  # elements of weights under one kernel row
        windows = self.turn_rows * self.output.width * self.steps
        count = -(-size // (_LINE * windows))
        following = ((tile * self.lists.blocks + block) * conv.kernel[0] + ky + 1) * size
        first = bind(i32(self.weights) + following + window * (count * _LINE))
        for k in range(count):
            prefetch(view, first + k * _LINE)

    def _window(self, r: Expr, x: Expr, t: Expr) -> Expr:
        """Return the index of a window's first element."""
        return bind(self.base + ((r * self.output.width + x) * self.steps + t) * self.each)

    def _clear_sums(self, rows: Expr) -> None:
        dtype = "int32" if self.wide else "int16"
        arena, count = self.context.memory.view("arena", dtype), self.output.width * self.steps * self.each // LANES
        with T.serial(0, rows * count) as i:
            T.buffer_store(arena, constant(0, dtype), [lanes(self.base + i * LANES)])

    def _run(self, tile: Expr, block: Expr, ky: Expr, r: Expr, x: Expr, t: Expr) -> None:
        """Emit the additions of one run of events into its window's sums."""
        conv, arena = self._sum, self.context.memory.view("arena", "int32")
        start = bind(self.lists.start(t, (self.top + r) * conv.stride[0] + ky, block, x * conv.stride[1]))
        begin = bind(arena[start])
        events = bind(arena[start + conv.kernel[1]] - begin)
        row = ((tile * self.lists.blocks + block) * conv.kernel[0] + ky) * conv.kernel[1] - x * conv.stride[1]
        base, window = bind(i32(self.weights) + row * self.column), self._window(r, x, t)
        words = Words(self, window)
        if self._format.flush == "count":
            limit, group = self._format.limit, self._format.group
            turns = bind(tirx.floordiv(events, i32(group)))
            with T.serial(0, tirx.floordiv(turns + (limit - 1), i32(limit))) as piece:
                part = bind(tirx.min(i32(limit), turns - piece * limit))
                words.begin(part * group)
                self._add(words, bind(begin + piece * (limit * group)), part, base)
                words.end()
            return
        words.begin(events)
        self._add(words, begin, tirx.floordiv(events, i32(self._format.group)), base)
        words.end()

    def _add(self, words: Words, begin: Expr, turns: Expr, base: Expr) -> None:
        """Emit the loop over a run of events, a group a turn."""
        arena, weights = (self.context.memory.view(*v) for v in (("arena", "int32"), ("constant", "int16")))
        group = self._format.group
        with T.serial(0, turns) as i:
            at = [bind(base + arena[begin + i * group + k]) for k in range(group)]
            for v in range(self.vectors):
                word = None
                for k in range(group):
                    row = weights[lanes(at[k] + v * self.words_per_vector, self.words_per_vector)]
                    word = row if word is None else word + row
                words.add(v, bind(word))

    def sums(self, tile: Expr, y: Expr, x: Expr, first: Expr) -> Registers | None:
        sums = Registers("sums", self.block.tiles, "int32")
        window = self._window(y - self.top, x, first)
        if self.wide:
            for o in range(self.block.tiles):
                sums[o] = self.context.memory.view("arena", "int32")[lanes(window + o * LANES)]
        else:
            words = Words(self, window)
            words.load(None)
            words.unpack(sums)
        return sums


class Words:
    """The accumulators `a` and `b` of one window, in registers while a run is added."""

    def __init__(self, kernel: Events, window: Expr) -> None:
        self.kernel, self.window = kernel, window
        self.a, self.b = (
            [T.alloc_buffer((kernel.words_per_vector,), "int16") for _ in range(kernel.vectors)] for _ in "ab"
        )
        self.all = lanes(i32(0), kernel.words_per_vector)

    def begin(self, events: Expr) -> None:
        """Take up the window's sums, or zeros where they are 32 bits wide; pay the bias of the events in advance."""
        k = self.kernel
        self.load(bind(broadcast((i32(0) - events * k._format.bias).astype("int16"), k.words_per_vector)))

    def load(self, bias: Expr | None) -> None:
        k, zero = self.kernel, constant(0, "int16", self.kernel.words_per_vector)
        arena = k.context.memory.view("arena", "int16")
        for v, (a, b) in enumerate(zip(self.a, self.b, strict=True)):
            at = self.window + 2 * v * k.words_per_vector
            low, high = (
                (zero, zero)
                if k.wide
                else (arena[lanes(at, k.words_per_vector)], arena[lanes(at + k.words_per_vector, k.words_per_vector)])
            )
            T.buffer_store(a, low if bias is None else low + bias, [self.all])
            T.buffer_store(b, high, [self.all])

    def add(self, v: int, word: Expr) -> None:
        T.buffer_store(self.a[v], self.a[v][self.all] + word, [self.all])
        shifted = word >> constant(8, "int16", self.kernel.words_per_vector)
        T.buffer_store(self.b[v], self.b[v][self.all] + shifted, [self.all])

    def end(self) -> None:
        """Put the sums back."""
        k = self.kernel
        if not k.wide:
            arena = k.context.memory.view("arena", "int16")
            for v, (a, b) in enumerate(zip(self.a, self.b, strict=True)):
                at = self.window + 2 * v * k.words_per_vector
                T.buffer_store(arena, a[self.all], [lanes(at, k.words_per_vector)])
                T.buffer_store(arena, b[self.all], [lanes(at + k.words_per_vector, k.words_per_vector)])
            return
        arena, sums = k.context.memory.view("arena", "int32"), Registers("run", k.block.tiles, "int32")
        self.unpack(sums)
        for o in range(k.block.tiles):
            at = lanes(self.window + o * LANES)
            T.buffer_store(arena, arena[at] + sums[o], [at])

    def unpack(self, sums: Registers) -> None:
        """Split the words into sums of 16 bits and widen them."""
        k = self.kernel
        both = 2 * k.words_per_vector  # outputs of a vector of words
        narrow = [T.alloc_buffer((both,), "int16") for _ in range(k.vectors)]
        for v, sums_of_words in enumerate(narrow):
            high = bind(self.b[v][self.all])
            low = self.a[v][self.all] - (high << constant(8, "int16", k.words_per_vector))
            T.buffer_store(sums_of_words, low, [lanes(i32(0), k.words_per_vector)])
            T.buffer_store(sums_of_words, high, [lanes(i32(k.words_per_vector), k.words_per_vector)])

        def output(first: int) -> Expr:
            return cast(narrow[first // both][lanes(i32(first % both))], "int32")

        for o in range(k.block.tiles):
            total = output(o * LANES)
            if k._format.parts == 2:
                total = total + (output(k.tile + o * LANES) << constant(8, "int32"))
            sums[o] = total
