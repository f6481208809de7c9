"""The finite automaton on vectors: compare, count, move."""

from __future__ import annotations

from dataclasses import dataclass

from tvm.tirx.script import builder as T

from spqc.ir.ops import Automaton

from .context import Context
from .vector import Expr, Registers, bind, broadcast, constant, held, lanes, select

_UNROLLED = 27  # thresholds a neuron that are compared straight in registers


@dataclass(frozen=True)
class Fired:
    """Spikes (int32, 0 or 1) with the next state's index; or a plain result, without one."""

    value: Expr
    state: Expr | None


@dataclass(frozen=True)
class Rows:
    """The thresholds of one channel tile: bound vectors where they are few, else where to find them."""

    context: Context
    dtype: str
    base: Expr
    rows: int
    steps: int
    bound: tuple[Expr, ...]

    @classmethod
    def load(cls, context: Context, op: Automaton, dtype: str, channel: Expr) -> Rows:
        value = op.inputs[2]
        rows, steps, _ = value.type.shape
        where = context.constants.table(value, dtype, fill=2 ** (31 if dtype == "int32" else 62) - 1)
        base = bind(context.constant_index(where.offset, dtype) + channel * (rows * steps))
        few = rows * steps <= _UNROLLED
        view = context.memory.view("constant", dtype)
        bound = tuple(bind(view[lanes(base + i * 16)]) for i in range(rows * steps)) if few else ()
        return cls(context, dtype, base, rows, steps, bound)

    def count(self, n: Expr, row: Expr) -> Expr:
        """Return how many thresholds of its row each lane reaches."""
        one, zero = constant(1, "int32"), constant(0, "int32")
        if not self.bound:
            return self._count_looped(n, row)
        total = None
        for k in range(self.steps):
            limit = self.bound[(self.rows - 1) * self.steps + k]
            for r in range(self.rows - 2, -1, -1):
                limit = select(row == constant(r, "int32"), self.bound[r * self.steps + k], limit)
            passed = select(n >= limit, one, zero)
            total = passed if total is None else total + passed
        return total

    def _count_looped(self, n: Expr, row: Expr) -> Expr:
        total = Registers("passed", 1)
        total[0] = constant(0, "int32")
        view = self.context.memory.view("constant", self.dtype)
        with T.serial(0, self.rows) as r, T.serial(0, self.steps) as k:
            limit = bind(view[lanes(self.base + (r * self.steps + k) * 16)])
            reached = select(n >= limit, constant(1, "int32"), constant(0, "int32"))
            total[0] = total[0] + select(row == broadcast(r), reached, constant(0, "int32"))
        return total[0]


def advance_automaton(
    op: Automaton, rows: Rows, n: Expr, state: Expr, identity: Expr | None, gate: Expr | None
) -> Fired:
    """Return spikes and next state indices (a code less the smallest code)."""
    row = state if op.identities == 1 else state * constant(op.identities, "int32")
    row = row if identity is None else held(row + identity)
    outcome = held(rows.count(n, row))
    if gate is not None:
        resting = chosen(state, op.rest)
        outcome = held(select(gate > constant(0, "int32"), outcome, resting))
    spikes = select(outcome >= constant(op.fires, "int32"), constant(1, "int32"), constant(0, "int32"))
    return Fired(held(spikes), held(chosen(outcome, tuple(code - op.low for code in op.following))))


def chosen(index: Expr, table: tuple[int, ...]) -> Expr:
    """Return table[index] for small indices; entries equal to their index cost nothing."""
    found = index
    for i, entry in enumerate(table):
        if entry != i:
            found = select(index == constant(i, "int32"), constant(entry, "int32"), found)
    return found
