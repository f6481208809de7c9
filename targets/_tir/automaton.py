"""The finite automaton on vectors: compare, count, move."""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx

from spqc.ir.ops import Automaton
from spqc.ir.program import LANES

from .context import Context
from .vector import Expr, Registers, bind, broadcast, constant, held, lane_numbers, lanes, select

_UNROLLED = 64  # thresholds a neuron that are compared straight in registers
_PROBE = 8  # comparisons that one step of a bisection is worth, in code and in time


def work(op: Automaton) -> int:
    """Return what deciding one neuron costs, in comparisons."""
    rows, steps, _ = op.type_of(2).shape
    return rows * steps if rows * steps <= _UNROLLED else _PROBE * steps.bit_length()


@dataclass(frozen=True)
class Fired:
    """Spikes (int32, 0 or 1) with the next states as registers hold them; or a plain result, without any."""

    value: Expr
    states: tuple[Expr, ...] = ()


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
            return self._search(n, row)
        total = None
        for k in range(self.steps):
            limit = self.bound[(self.rows - 1) * self.steps + k]
            for r in range(self.rows - 2, -1, -1):
                limit = select(row == constant(r, "int32"), self.bound[r * self.steps + k], limit)
            passed = select(n >= limit, one, zero)
            total = passed if total is None else total + passed
        return total

    def _search(self, n: Expr, row: Expr) -> Expr:
        """Find the count by bisection: thresholds of a row ascend, and each lane looks its own row up in memory."""
        view = self.context.memory.view("constant", self.dtype)
        first = held(row * constant(self.steps * LANES, "int32") + lane_numbers() + broadcast(self.base))
        passed = Registers("passed", 1)
        passed[0] = constant(0, "int32")
        for bit in reversed(range(self.steps.bit_length())):
            probe = held(passed[0] + constant(1 << bit, "int32"))
            last = constant(self.steps, "int32")
            known = held(select(probe < last, probe, last))
            limit = held(view[first + (known - constant(1, "int32")) * constant(LANES, "int32")], self.dtype)
            reached = tirx.And(n >= limit, probe <= last)
            passed[0] = select(reached, probe, passed[0])
        return passed[0]


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
    return Fired(held(spikes), (held(chosen(outcome, tuple(code - op.low for code in op.following))),))


def chosen(index: Expr, table: tuple[int, ...]) -> Expr:
    """Return table[index] for small indices; entries equal to their index cost nothing."""
    found = index
    for i, entry in enumerate(table):
        if entry != i:
            found = select(index == constant(i, "int32"), constant(entry, "int32"), found)
    return found
