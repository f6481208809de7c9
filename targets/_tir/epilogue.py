"""What follows a sum element by element, on vectors that are still in registers: a table with one rule an operator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tvm import tirx

from spqc.ir import Op, Value
from spqc.ir.ops import (
    Add,
    Affine,
    Automaton,
    Bias,
    Combine,
    CurrentNeuron,
    Gate,
    Greater,
    Integrate,
    Neuron,
    SpatialMask,
)

from .automaton import Fired, Rows, advance_automaton
from .context import Context
from .fixed import advance_neuron
from .integer import advance_current, advance_integrate
from .vector import Expr, bind, broadcast, cast, constant, i32, lanes, materialise, select


@dataclass(frozen=True)
class VectorPosition:
    """Where a vector is: its step, its pixel and its first channel."""

    step: Expr
    pixel: Expr
    channel: Expr


@dataclass
class Epilogue:
    """Evaluates the operators behind a sum; constants that only depend on the channel are loaded once by `prepare`."""

    context: Context
    ops: tuple[Op, ...]
    dtype: str

    def prepare(self, channel: Expr) -> None:
        """Load what one channel tile needs."""
        self.vectors: dict[str, Expr] = {}
        self.rows: Rows | None = None
        for op in self.ops:
            RULES[type(op)].load(self, op, channel)

    def run(self, n: Expr, position: VectorPosition, states: tuple[Expr, ...]) -> Fired:
        """Return the spikes and the next states, or the plain result where the region has no neuron."""
        x = n
        for op in self.ops:
            result = RULES[type(op)].apply(self, op, x, Moment(position, states))
            if isinstance(result, Fired):
                return result
            x = materialise(result, self.result_dtype(op))
        return Fired(x)

    def result_dtype(self, op: Op) -> str:
        """Return the type an operator gives: fixed point int64, comparisons int32, the rest as it came."""
        if isinstance(op, Greater):
            return "int32"
        wide = op.outputs[0].type.encoding == "fixed" or (isinstance(op, Combine) and op.outputs[0].type.bits > 32)
        return "int64" if wide else self.dtype

    def load(self, value: Value, dtype: str, channel: Expr) -> None:
        """Load the elements of a constant for the channels of a tile."""
        where = self.context.constants.vector(value, dtype)
        base = self.context.constant_index(where.offset, dtype)
        self.vectors[value.name] = bind(self.context.memory.view("constant", dtype)[lanes(base + channel)])

    def constant(self, value: Value) -> Expr:
        """Return what `load` loaded."""
        return self.vectors[value.name]

    def operand(self, value: Value, position: VectorPosition, dtype: str = "int32") -> Expr:
        """Return another value at the same place."""
        return bind(self.context.place_of(value).load(position.step, position.pixel, position.channel, dtype))

    def gate(self, value: Value, position: VectorPosition) -> Expr:
        """Return a channel gate, which has one pixel."""
        return bind(self.context.place_of(value).load(position.step, i32(0), position.channel, "int32"))


@dataclass(frozen=True)
class Moment:
    """What one application sees besides its vector: where it is, and the neuron's states there."""

    position: VectorPosition
    states: tuple[Expr, ...]


def _nothing(epilogue: Epilogue, op: Any, channel: Expr) -> None:
    """Load nothing."""


@dataclass(frozen=True)
class Rule:
    """How one operator follows a sum: what it gives from a vector, and what it loads for a channel tile before."""

    apply: Callable[[Epilogue, Any, Expr, Moment], Any]
    load: Callable[[Epilogue, Any, Expr], None] = _nothing


def _load_by_sums(epilogue: Epilogue, op: Op, channel: Expr) -> None:
    epilogue.load(op.inputs[1], "int32" if epilogue.dtype == "int32" else "int64", channel)


def _bias(epilogue: Epilogue, op: Bias, x: Expr, at: Moment) -> Expr:
    return x + epilogue.constant(op.inputs[1])


def _greater(epilogue: Epilogue, op: Greater, x: Expr, at: Moment) -> Expr:
    return select(x > epilogue.constant(op.inputs[1]), constant(1, "int32"), constant(0, "int32"))


def _load_affine(epilogue: Epilogue, op: Affine, channel: Expr) -> None:
    for factor in op.inputs[1:3]:
        epilogue.load(factor, "int64", channel)


def _affine(epilogue: Epilogue, op: Affine, x: Expr, at: Moment) -> Expr:
    return cast(x, "int64") * epilogue.constant(op.inputs[1]) + epilogue.constant(op.inputs[2])


def _load_combine(epilogue: Epilogue, op: Combine, channel: Expr) -> None:
    for factor in op.inputs[2:]:
        epilogue.load(factor, epilogue.result_dtype(op), channel)


def _combine(epilogue: Epilogue, op: Combine, x: Expr, at: Moment) -> Expr:
    dtype = epilogue.result_dtype(op)
    other = epilogue.operand(op.inputs[1], at.position, dtype)
    return cast(x, dtype) * epilogue.constant(op.inputs[2]) + other * epilogue.constant(op.inputs[3])


def _add(epilogue: Epilogue, op: Add, x: Expr, at: Moment) -> Expr:
    if op.counts:
        return x + epilogue.operand(op.inputs[1], at.position, epilogue.dtype)
    ratio = round(op.type_of(1).scale / op.type_of(0).scale)
    other = epilogue.operand(op.inputs[1], at.position, "int64")
    return x + (other if ratio == 1 else other * broadcast(tirx.const(ratio, "int64")))


def _spatial_mask(epilogue: Epilogue, op: SpatialMask, x: Expr, at: Moment) -> Expr:
    limit = constant(round(op.threshold / op.type_of(0).scale), "int64")
    outside = tirx.Or(x > limit, x < constant(0, "int64") - limit)
    return select(outside, x, constant(0, "int64"))


def _gate(epilogue: Epilogue, op: Gate, x: Expr, at: Moment) -> Expr:
    return x * cast(epilogue.gate(op.inputs[1], at.position), "int64")


def _neuron(epilogue: Epilogue, op: Neuron, x: Expr, at: Moment) -> Fired:
    return advance_neuron(op, x, at.states[0])


def _integrate(epilogue: Epilogue, op: Integrate, x: Expr, at: Moment) -> Fired:
    return advance_integrate(op, x, at.states[0])


def _load_current(epilogue: Epilogue, op: CurrentNeuron, channel: Expr) -> None:
    for bias in op.inputs[3:4]:
        epilogue.load(bias, "int32", channel)


def _current(epilogue: Epilogue, op: CurrentNeuron, x: Expr, at: Moment) -> Fired:
    bias = epilogue.constant(op.inputs[3]) if len(op.inputs) == 4 else None
    return advance_current(op, x, at.states, bias)


def _load_automaton(epilogue: Epilogue, op: Automaton, channel: Expr) -> None:
    dtype = "int64" if op.type_of(0).bits > 32 else epilogue.dtype
    epilogue.rows = Rows.load(epilogue.context, op, dtype, channel)
    if "direction" in op.reads:
        epilogue.load(op.inputs[op.operand("direction") or 0], epilogue.dtype, channel)


def _automaton(epilogue: Epilogue, op: Automaton, n: Expr, at: Moment) -> Fired:
    if epilogue.rows is None:
        raise TypeError("an automaton runs after prepare")
    identity = gate = None
    if "identity" in op.reads:
        identity = epilogue.operand(op.inputs[op.operand("identity") or 0], at.position)
    if "gate" in op.reads:
        gate = epilogue.gate(op.inputs[op.operand("gate") or 0], at.position)
    if "direction" in op.reads:
        n = materialise(n * epilogue.constant(op.inputs[op.operand("direction") or 0]), epilogue.dtype)
    return advance_automaton(op, epilogue.rows, n, at.states[0], identity, gate)


RULES: Mapping[type[Op], Rule] = {
    Add: Rule(_add),
    Affine: Rule(_affine, _load_affine),
    Automaton: Rule(_automaton, _load_automaton),
    Bias: Rule(_bias, _load_by_sums),
    Combine: Rule(_combine, _load_combine),
    CurrentNeuron: Rule(_current, _load_current),
    Gate: Rule(_gate),
    Greater: Rule(_greater, _load_by_sums),
    Integrate: Rule(_integrate),
    Neuron: Rule(_neuron),
    SpatialMask: Rule(_spatial_mask),
}
"""One rule for each operator that may follow a sum."""
