"""The look-up kernel: partial sums of 6 inputs come out of a table in a register, for 64 outputs at once.

A lane is one output pixel of one step. The spikes of 6 input channels are an index byte (`index`); for each output
channel and tap a table of 64 partial sums is put together from codes of the weights (`digits`), and one permute looks
up 64 lanes. Sums are bytes until the bound of the actual weights says that they must be widened. Then 16 channels are
transposed, and the dense kernel's tail goes on as if it had summed itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tvm import tirx
from tvm.tirx.script import builder as T

from spqc.ir.program import LANES

from ..constants import Constants
from ..context import Context
from ..digits import GROUP, Digits
from ..geometry import Region, WeightedSum, padded
from ..memory import itemsize
from ..vector import Expr, bind, cast, held, i32, lanes, loop, when
from .blocks import Block
from .dense import Dense, thresholds
from .index import Indexes
from .lanes import VECTOR, Lanes, choose_lanes
from .permute import Wide, constant_lanes, elements, look_up, to_lane_major, wide_held

_COMPARISONS = 216  # in straight code, as in `blocks`


@dataclass(frozen=True)
class Plan:
    """What the kernel of one sum does: its lanes, and a pass for each digit of the weights and bit of the inputs."""

    lanes: Lanes
    digits: tuple[Digits, ...]
    periods: tuple[int, ...]  # groups an accumulator may sum, for each digit
    planes: int

    @property
    def groups(self) -> int:
        """Look-ups for one output, digit and bit."""
        return self.lanes.slots * self.lanes.rows


def make_plan(g: WeightedSum, constants: Constants, steps: int, planes: int) -> Plan:
    """Return the plan of a sum whose weights have digits."""
    found = choose_lanes(g, steps)
    return Plan(found, constants.digits(g.weight), constants.flush_periods(g, found.rows_inside), planes)


@dataclass
class Loaded:
    """Sums of one block of pixels in memory, [lane][16 channels]: looks like the registers of the dense kernel."""

    lookup: LookUp
    at: Expr  # of the block's first pixel, in elements
    first: Expr

    def __getitem__(self, index: int) -> Expr:
        pixel, step = divmod(index, self.lookup.block.steps)
        lane = (self.first + step) * self.lookup.plan.lanes.step_stride + pixel
        raw = self.lookup.sums_view[lanes(self.at + lane * LANES)]
        signed = raw if self.lookup.sum_dtype == "int32" else cast(raw, "int16")
        return held(cast(signed, "int32"))


@dataclass
class LookUp(Dense):
    """Emits one region; everything behind the sum is the dense kernel's."""

    plan: Plan = field(kw_only=True)

    def __init__(self, context: Context, region: Region, plan: Plan) -> None:
        super().__init__(context, region, choose_pixels(region, plan, context.steps_of(region.last.out)))
        self.plan = plan

    @property
    def sum_dtype(self) -> str:
        """Sums wrap: whatever a digit adds, the whole sum is proven to fit."""
        return "uint16" if self.head.bits <= 16 else "int32"

    @property
    def head(self) -> WeightedSum:
        if self.region.sum is None:
            raise TypeError("a look-up begins with a sum")
        return self.region.sum

    def stage_input(self) -> None:
        self.dtype = "int32"
        self.tail.dtype = "int32"
        scratch = self.context.scratch
        self.indexes = Indexes(self.context, self.head, self.plan.lanes, self.plan.planes, scratch)
        self.sums_at = self.indexes.end
        units = padded(self.output.channels) // LANES if self.context.machine.threads > 1 else 1
        self.context.reserve(self.sums_at + units * self._unit_bytes - scratch)
        self.indexes.emit()

    @property
    def _unit_bytes(self) -> int:
        """Scratch of one tile: the sums of a chunk, [channel][lane] and transposed."""
        return 2 * LANES * self.plan.lanes.lanes * (2 if self.sum_dtype == "uint16" else 4)

    @property
    def sums_view(self) -> Expr:
        return self.context.memory.view("arena", self.sum_dtype)

    def loops(self) -> None:
        n = self.plan.lanes
        item = 2 if self.sum_dtype == "uint16" else 4
        tiles = padded(self.output.channels) // LANES
        if self.context.machine.threads == 1:  # a chunk's index bytes stay near for all channels
            self._place_sums(i32(self.sums_at // item))
            with loop(n.chunks) as chunk, loop(tiles) as tile:
                self._tile(bind(tile), bind(chunk))
            return
        with self.context.parallel(tiles) as tile:  # pooled pixels stay with one thread
            self._place_sums(i32(self.sums_at // item) + tile * (self._unit_bytes // item))
            with loop(n.chunks) as chunk:
                self._tile(tile, bind(chunk))

    def _place_sums(self, at: Expr) -> None:
        self.rows_at = bind(at)
        self.transposed_at = bind(self.rows_at + LANES * self.plan.lanes.lanes)

    def _tile(self, tile: Expr, chunk: Expr) -> None:
        """Emit 16 channels of a chunk of pixels, from look-ups to spikes."""
        n = self.plan.lanes
        with when(self._open(tile, i32(0)) if self.block.steps == self.steps else None):
            with loop(LANES // n.outputs) as block, loop(n.windows) as window:
                self._accumulate_block(tile, block, chunk, window)
            self._transpose()
        self._finish_chunk(tile, chunk)

    def _accumulate_block(self, tile: Expr, block: Expr, chunk: Expr, window: Expr) -> None:
        """Sum `outputs` channels over one window of lanes into memory."""
        n = self.plan.lanes
        window = bind(window)
        first = bind(self.rows_at + block * (n.outputs * n.lanes) + window * (n.vectors * VECTOR))
        targets = [first + (q * n.lanes + v * VECTOR) for q in range(n.outputs) for v in range(n.vectors)]
        for at in targets:
            T.buffer_store(self.sums_view, constant_lanes(0, VECTOR, self.sum_dtype), [lanes(at, VECTOR)])
        for part, digits in enumerate(self.plan.digits):
            for plane in range(self.plan.planes):
                start = self.indexes.tiles + plane * n.tiles_bytes
                start = bind(i32(start) + (chunk * n.windows + window) * n.tile_window)
                self._pass(part, digits.shift + plane, bind(tile * (LANES // n.outputs) + block), start, targets)

    def _pass(self, part: int, shift: int, block: Expr, start: Expr, targets: list[Expr]) -> None:
        """Sum one digit of the weights over one bit of the inputs, and add it, shifted, to the sums."""
        n = self.plan.lanes
        groups, period = self.plan.groups, self.plan.periods[part]
        with loop(-(-groups // period)) as turn:
            sums = [Wide("acc", "int8", VECTOR) for _ in targets]
            for one in sums:
                one.set(constant_lanes(0, VECTOR, "int8"))
            count = tirx.min(i32(period), groups - turn * period) if groups % period else i32(period)
            with T.serial(0, count) as k:
                group = bind(turn * period + k)
                self._look_up(part, block, group, bind(start + group * (n.tile_slot // n.rows)), sums)
            for at, one in zip(targets, sums, strict=True):
                wide = cast(
                    cast(one.get(), "int32" if self.sum_dtype == "int32" else "int16", VECTOR), self.sum_dtype, VECTOR
                )
                if shift:
                    wide = wide << constant_lanes(shift, VECTOR, self.sum_dtype)
                T.buffer_store(self.sums_view, self.sums_view[lanes(at, VECTOR)] + wide, [lanes(at, VECTOR)])

    def _look_up(self, part: int, block: Expr, group: Expr, at: Expr, sums: list[Wide]) -> None:
        """Add what one group of 6 channels gives to every accumulator."""
        n = self.plan.lanes
        arena = self.context.memory.view("arena", "uint8")
        index = [T.Bind(arena[lanes(at + v * VECTOR, VECTOR)]) for v in range(n.vectors)]
        where = self.context.constants.codes(self.head, part, n.outputs, n.rows_inside, self._split(part))
        count = GROUP // self._split(part)
        start = where.offset // itemsize(where.dtype)
        first = (block * self.plan.groups + group) * (n.outputs * count)
        for q in range(n.outputs):
            table = self._table(part, where.dtype, [start + first + (q * count + i) for i in range(count)])
            for v in range(n.vectors):
                one = sums[q * n.vectors + v]
                one.set(one.get() + look_up(table, index[v]))

    def _split(self, part: int) -> int:
        """Whole tables where few look-ups share the work of adding one from pieces."""
        return self.plan.digits[part].split(whole=self.plan.lanes.vectors <= 2)

    def _table(self, part: int, dtype: str, codes: list[Expr]) -> Expr:
        """Return the 64 partial sums of one output's 6 weights: the sum of what each of its codes adds."""
        where = self.context.constants.pieces(self.head, part, self._split(part))
        pieces, words = (self.context.memory.view("constant", view) for view in ("int8", dtype.removeprefix("u")))
        size = where.bytes // len(codes)
        found = None
        for i, at in enumerate(codes):
            code = words[at].astype(dtype).astype("int32")
            piece = pieces[lanes(i32(where.offset + i * size) + code * VECTOR, VECTOR)]
            found = piece if found is None else found + piece
        return wide_held(found, "int8", VECTOR)

    def _transpose(self) -> None:
        """Bring the sums of a chunk from [channel][lane] to [lane][channel]."""
        n, view, dtype = self.plan.lanes, self.sums_view, self.sum_dtype
        count = elements(dtype)
        with T.serial(0, n.lanes // count) as part:
            at = bind(self.rows_at + part * count)
            rows = [T.Bind(view[lanes(at + i * n.lanes, count)]) for i in range(LANES)]
            to = bind(self.transposed_at + part * (count * LANES))
            for i, vector in enumerate(to_lane_major(rows, dtype)):
                T.buffer_store(view, vector, [lanes(to + i * count, count)])

    def _finish_chunk(self, tile: Expr, chunk: Expr) -> None:
        n, b = self.plan.lanes, self.block
        with T.serial(0, n.chunk // b.pixels) as turn:
            pixel = bind(chunk * n.chunk + turn * b.pixels)
            self.block_at = bind(self.transposed_at + turn * (b.pixels * LANES))
            inside = pixel < i32(n.pixels) if n.chunks * n.chunk != n.pixels else None
            with when(inside):
                y = bind(tirx.floordiv(pixel, i32(n.out_width)))
                self.body(tile, y, bind(tirx.floormod(pixel, i32(n.out_width))))

    def sums(self, tile: Expr, y: Expr, x: Expr, first: Expr) -> Loaded:
        return Loaded(self, self.block_at, first)


def choose_pixels(region: Region, plan: Plan, steps: int) -> Block:
    """Return how many pixels' neurons run in straight code: those of a row, up to the usual number of comparisons."""
    n = plan.lanes
    most = max(1, min(24, _COMPARISONS // thresholds(region)))
    window = max(d for d in range(1, steps + 1) if steps % d == 0 and d <= most)
    fitting = [p for p in (1, 2, 4, 8) if n.out_width % p == 0 and n.chunk % p == 0 and p * window <= most]
    return Block(1, max(fitting), window)
