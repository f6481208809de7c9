"""The finite automaton on vectors: compare, count, move."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tvm import tirx

from spqc.ir.ops import Automaton

from .._plan.neurons import UNROLLED
from .context import Context
from .vector import Expr, Registers, bind, broadcast, cast, constant, lane_numbers, lanes, materialise, select, width


@dataclass(frozen=True)
class Fired:
    """Spikes (int32, 0 or 1) with the next states as registers hold them; or a plain result, without any."""

    value: Expr
    states: tuple[Expr, ...] = ()


@dataclass(frozen=True)
class Rows:
    """The thresholds of one channel tile: bound vectors where they are few, else where to find them.

    In memory a threshold takes `width` elements: one for each lane, or one for all where channels share a table.
    """

    context: Context
    dtype: str
    base: Expr
    rows: int
    steps: int
    width: int
    bound: tuple[Expr, ...]

    @classmethod
    def load(cls, context: Context, op: Automaton, dtype: str, channel: Expr) -> Rows:
        value = op.inputs[2]
        rows, steps, channels = value.type.shape
        shared = channels == 1 < op.out.type.shape[0]
        if shared:
            base = bind(context.constant_index(context.constants.vector(value, dtype).offset, dtype))
        else:
            where = context.constants.table(value, dtype, fill=2 ** (31 if dtype == "int32" else 62) - 1)
            base = bind(context.constant_index(where.offset, dtype) + channel * (rows * steps))
        unbound = cls(context, dtype, base, rows, steps, 1 if shared else width(), ())
        few = range(rows * steps if rows * steps <= UNROLLED else 0)
        return replace(unbound, bound=tuple(bind(unbound._at(i)) for i in few))

    def _at(self, index: int) -> Expr:
        view = self.context.memory.view("constant", self.dtype)
        return broadcast(view[self.base + index]) if self.width == 1 else view[lanes(self.base + index * self.width)]

    def count(self, n: Expr, row: Expr) -> Expr:
        """Return how many thresholds of its row each lane reaches."""
        if not self.bound:
            return self._search(n, row)
        return last_reached(self.reached(n, row), range(self.steps + 1))

    def reached(self, n: Expr, row: Expr) -> list[Expr]:
        """Return whether each lane reaches each threshold of its row, where thresholds are bound."""
        conditions = []
        for k in range(self.steps):
            limit = self.bound[(self.rows - 1) * self.steps + k]
            for r in range(self.rows - 2, -1, -1):
                limit = select(row == constant(r, "int32"), self.bound[r * self.steps + k], limit)
            conditions.append(n >= materialise(limit, self.dtype))
        return conditions

    def _search(self, n: Expr, row: Expr) -> Expr:
        """Find the count by bisection: thresholds of a row ascend, and each lane looks its own row up in memory."""
        view = self.context.memory.view("constant", self.dtype)
        first = row * constant(self.steps * self.width, "int32") + broadcast(self.base)
        first = materialise(first if self.width == 1 else first + lane_numbers())
        passed = Registers("passed", 1)
        passed[0] = constant(0, "int32")
        for bit in reversed(range(self.steps.bit_length())):
            probe = materialise(passed[0] + constant(1 << bit, "int32"))
            last = constant(self.steps, "int32")
            known = materialise(select(probe < last, probe, last))
            limit = materialise(
                view[first + (known - constant(1, "int32")) * constant(self.width, "int32")], self.dtype
            )
            reached = tirx.And(n >= limit, probe <= last)
            passed[0] = select(reached, probe, passed[0])
        return passed[0]


def advance_automaton(
    op: Automaton, rows: Rows, n: Expr, state: Expr, identity: Expr | None, gate: Expr | None
) -> Fired:
    """Return spikes and next state indices (a code less the smallest code)."""
    row = state if op.identities == 1 else state * constant(op.identities, "int32")
    row = row if identity is None else materialise(row + identity)
    if op.carry:
        n, row = materialise(n + cast(chosen(state, op.carry), rows.dtype), rows.dtype), constant(0, "int32")
    if gate is None and rows.bound:  # straight from comparisons, whose outcome nobody else asks for
        reached = rows.reached(n, row)
        spikes = last_reached(reached, [int(k >= op.fires) for k in range(len(op.following))])
        return Fired(
            materialise(spikes), (materialise(last_reached(reached, [code - op.low for code in op.following])),)
        )
    outcome = materialise(rows.count(n, row))
    if gate is not None:
        resting = chosen(state, op.rest)
        outcome = materialise(select(gate > constant(0, "int32"), outcome, resting))
    spikes = select(outcome >= constant(op.fires, "int32"), constant(1, "int32"), constant(0, "int32"))
    return Fired(materialise(spikes), (materialise(chosen(outcome, tuple(code - op.low for code in op.following))),))


def last_reached(reached: Sequence[Expr], values: Sequence[int]) -> Expr:
    """Return values[k] where k conditions hold: each holds only where the one before does."""
    value_so_far = constant(values[0], "int32")
    for condition, before, value in zip(reached, values[:-1], values[1:], strict=True):
        if value != before:
            value_so_far = select(condition, constant(value, "int32"), value_so_far)
    return value_so_far


def chosen(index: Expr, table: tuple[int, ...]) -> Expr:
    """Return table[index]: one multiplication and addition a run of equal steps, chosen by where the runs begin."""
    value = None
    for first, slope in _runs(table):
        offset = table[first] - slope * first
        line = index if slope == 1 else index * constant(slope, "int32") if slope else constant(0, "int32")
        line = line + constant(offset, "int32") if offset else line
        value = line if value is None else select(index >= constant(first, "int32"), line, value)
    return value


def _runs(table: tuple[int, ...]) -> list[tuple[int, int]]:
    """Return (first index, step) of the runs of equal steps that make up a table, longest first from the left."""
    runs, first = [], 0
    while first < len(table):
        slope = table[first + 1] - table[first] if first + 1 < len(table) else 0
        runs.append((first, slope))
        following = first + 1
        while following < len(table) and table[following] - table[following - 1] == slope:
            following += 1
        first = following
    return runs
