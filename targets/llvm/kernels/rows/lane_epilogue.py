"""What follows rows of sums, in the order of their lanes: thresholds by permutes, and spikes transposed once packed.

A vector is the pixels of a channel at one step. The outcomes of the step before choose every lane's thresholds
(`limits`); comparisons give masks, and masks the next outcomes and a bit of the packed spikes. Only packed spikes are
transposed: a byte for all steps of a neuron, where the transposed way moves 16 bits for each. What a residual adds
comes from `lane_operand`.
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.tirx.script import builder as T

from spqc.ir.ops import Automaton
from spqc.targets._plan.geometry import Region
from spqc.targets._tir.context import Context
from spqc.targets._tir.memory import Place
from spqc.targets._tir.vector import Expr, bind, broadcast, cast, constant, i32, lanes, loop, select
from spqc.targets._tir.width import LANES

from .lane_operand import LaneOperand
from .lane_shape import LaneShape, item
from .lane_store import LaneStore, transpose
from .permute import Wide, materialise_wide, permute


@dataclass
class LaneEpilogue:
    """Emits the epilogue of one region, 16 rows of a chunk at a time."""

    context: Context
    region: Region
    op: Automaton
    target: Place
    shape: LaneShape

    def place(self, rows_at: Expr, free: Expr) -> None:
        """Say where the 16 rows begin, in elements, and scratch behind them, in bytes (a multiple of 64)."""
        self.rows_at, self.free = rows_at, free

    def emit(self, tile: Expr, chunk: Expr) -> None:
        """Emit the neurons, pooling and packing of 16 channels of a chunk."""
        n = self.shape
        leaving = LaneStore(self.context, self.region, self.target, n, self.free)
        self.other = LaneOperand(self.context, n.operand, n, self.free) if n.operand else None
        if self.other is not None:
            self.other.fetch(tile, chunk)
        if self.region.last.out.name in self.context.traces:
            with T.If(self.context.memory.traced != i32(0)):
                with T.Then():
                    self._neurons(tile, traced=True)
                    leaving.trace(tile, chunk)
                with T.Else():
                    self._neurons(tile, traced=False)
        else:
            self._neurons(tile, traced=False)
        transpose(self.context, n, n.word, self._at(0, n.word), self._at(n.turned_at, n.word))
        leaving.deliver(tile, chunk)

    def _view(self, dtype: str) -> Expr:
        return self.context.memory.view("arena", dtype)

    def _at(self, offset: int, dtype: str) -> Expr:
        """Return the element index of a byte offset in the scratch."""
        return bind(tirx.floordiv(self.free + i32(offset), i32(item(dtype))))

    def _neurons(self, tile: Expr, traced: bool) -> None:
        """Leave the packed spikes of all steps, [channel][pixel]."""
        n = self.shape
        words = self._at(0, n.word)
        groups = LANES // n.channels_per_vector
        with T.serial(0, groups) as group:
            vectors = bind((tile * groups + group) * n.tables)
            tables = None if n.gated else self._tables(vectors)
            row = bind(self.rows_at + group * (n.channels_per_vector * n.rows.lanes))
            factors = self._factors(bind(tile * LANES + group))
            with loop(n.vectors) as v:
                spot = bind(group * (n.channels_per_vector * n.stride) + v * n.pixels_per_vector)
                outcome, word = Wide("outcome", n.dtype, n.count), Wide("word", n.dtype, n.count)
                outcome.set(self._entry(n.first_outcome))
                word.set(constant(0, n.dtype, n.count))
                for t in range(n.steps):
                    sums, now = self._sums(bind(row + v * n.pixels_per_vector), t), tables
                    if factors:
                        sums = self._combined(sums, factors, t, spot)
                    if now is None:
                        gate = self._gate(t, tile * LANES + group)
                        sums, now = self._let_through(sums, gate), self._tables(vectors + (1 - gate) * n.thresholds)
                    self._step(sums, now, outcome, word, t, spot, traced)
                T.buffer_store(self._view(n.word), cast(word.get(), n.word, n.count), [lanes(words + spot, n.count)])

    def _tables(self, first: Expr) -> list[Expr]:
        """Return the thresholds of one group of channels, as vectors of entries."""
        n = self.shape
        where = self.context.constants.thresholds(self.op, n.dtype, n.channels_per_vector)
        at = bind(self.context.constant_index(where.offset, n.dtype) + first * n.count)
        view = self.context.memory.view("constant", n.dtype)
        return [T.Bind(view[lanes(at + k * n.count, n.count)]) for k in range(n.thresholds)]

    def _sums(self, at: Expr, t: int) -> Expr:
        """Return the sums of one step: of one row, or of several rows side by side."""
        n = self.shape
        first, view = at + t * n.rows.step_stride, self._view(n.sums)
        if n.channels_per_vector == 1:
            return T.Bind(view[lanes(first, n.count)])
        parts = [view[lanes(first + q * n.rows.lanes, n.pixels_per_vector)] for q in range(n.channels_per_vector)]
        return materialise_wide(tirx.Shuffle(parts, [i32(i) for i in range(n.count)]), n.dtype, n.count)

    def _factors(self, channel: Expr) -> list[Expr]:
        """Return what a channel's two sums are multiplied by; nothing where there is one sum."""
        n, constants = self.shape, self.context.constants
        view = self.context.memory.view("constant", n.dtype)
        places = [constants.vector(value, n.dtype).offset for value in (n.combine.inputs[2:] if n.combine else ())]
        elements_of_factors = [view[bind(self.context.constant_index(place, n.dtype) + channel)] for place in places]
        return [T.Bind(broadcast(value, n.count)) for value in elements_of_factors]

    def _combined(self, sums: Expr, factors: list[Expr], t: int, spot: Expr) -> Expr:
        """Return the integer that two sums of a lane make."""
        n = self.shape
        first, second = cast(sums, n.dtype, n.count) * factors[0], self._operand(t, spot) * factors[1]
        return materialise_wide(first + second, n.dtype, n.count)

    def _operand(self, t: int, spot: Expr) -> Expr:
        """Return what a residual path brings at one step, out of the packed steps where they are."""
        if self.other is None:
            raise TypeError("these neurons read nothing besides their rows")
        n = self.shape
        raw = cast(self.other.row(t, spot, n.count), n.dtype, n.count)
        packed = self.other.operand.planes == 1 < n.steps
        return (raw >> self._constant(t)) & self._constant(1) if packed else raw

    def _gate(self, t: int, channel: Expr) -> Expr:
        """Return 1 where the gate of a channel is open at a step, else 0."""
        value = self.op.inputs[self.op.operand("gate") or 0]
        gate = self.context.place_of(value).element(i32(t), i32(0), channel)
        return bind(tirx.Select(gate > i32(0), i32(1), i32(0)))

    def _let_through(self, sums: Expr, gate: Expr) -> Expr:
        """Return sums, or zeros behind a closed gate, where nothing may have been summed."""
        n = self.shape
        mask = broadcast((i32(0) - gate).astype(n.dtype), n.count)
        return materialise_wide(sums & mask, n.dtype, n.count)

    def _step(
        self, sums: Expr, tables: list[Expr], outcome: Wide, word: Wide, t: int, spot: Expr, traced: bool
    ) -> None:
        """Emit one step of a vector of neurons."""
        n = self.shape
        entry = outcome.get()
        if n.op.identities > 1:
            entry = materialise_wide(entry + self._operand(t, spot), n.dtype, n.count)
        reached = [sums >= materialise_wide(permute(n.dtype, table, entry), n.dtype, n.count) for table in tables]
        fired = select(reached[self.op.fires - 1], self._constant(_signed(1 << t, n.dtype)), self._constant(0))
        word.set(word.get() | fired)
        outcome.set(_last(reached, [self._entry(k) for k in range(n.thresholds + 1)]))
        if traced:
            states = [(code - self.op.low) << 1 | (k >= self.op.fires) for k, code in enumerate(self.op.following)]
            element = cast(_last(reached, [self._constant(s) for s in states]), "uint8", n.count)
            at = self._at(n.traced_at + t * n.plane, "uint8") + spot
            T.buffer_store(self._view("uint8"), element, [lanes(at, n.count)])

    def _constant(self, value: int) -> Expr:
        return constant(value, self.shape.dtype, self.shape.count)

    def _entry(self, outcome: int) -> Expr:
        """Return the index of an outcome's first entry, in each channel's own share of the tables."""
        n = self.shape
        value = self._constant(outcome * n.op.identities)
        if n.channels_per_vector == 1:
            return value
        channel = lanes(i32(0), n.count) >> constant(n.pixels_per_vector.bit_length() - 1, "int32", n.count)
        return materialise_wide(
            value + cast(channel * constant(n.share, "int32", n.count), n.dtype, n.count), n.dtype, n.count
        )


def _last(reached: list[Expr], values: list[Expr]) -> Expr:
    """Return values[k] where k thresholds are reached; thresholds ascend."""
    chosen_value = values[0]
    for mask, value in zip(reached, values[1:], strict=True):
        chosen_value = select(mask, value, chosen_value)
    return chosen_value


def _signed(bits: int, dtype: str) -> int:
    """Return the number of a signed type that has these bits."""
    size = 8 * item(dtype)
    return bits - (1 << size) if bits >> (size - 1) else bits
