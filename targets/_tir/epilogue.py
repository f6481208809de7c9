"""What follows a sum element by element, on vectors that are still in registers."""

from __future__ import annotations

from dataclasses import dataclass

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
from .vector import Expr, bind, broadcast, cast, constant, held, i32, lanes, select


def result_dtype(op: Op, sums: str) -> str:
    """Return the vector type an operator of a tail gives: fixed point int64, comparisons int32, the rest as it came."""
    if isinstance(op, Greater):
        return "int32"
    wide = op.outputs[0].type.encoding == "fixed" or (isinstance(op, Combine) and op.outputs[0].type.bits > 32)
    return "int64" if wide else sums


@dataclass(frozen=True)
class Spot:
    """Where a vector is: its step, its pixel and its first channel."""

    step: Expr
    pixel: Expr
    channel: Expr


@dataclass
class Tail:
    """Evaluates the operators behind a sum; constants that do not depend on the spot are loaded once by `prepare`."""

    context: Context
    ops: tuple[Op, ...]
    dtype: str

    def prepare(self, channel: Expr) -> None:
        """Load what one channel tile needs."""
        self.vectors: dict[str, Expr] = {}
        self.rows: Rows | None = None
        for op in self.ops:
            if isinstance(op, Bias | Greater):
                self._load(op.inputs[1], "int32" if self.dtype == "int32" else "int64", channel)
            elif isinstance(op, Affine):
                self._load(op.inputs[1], "int64", channel)
                self._load(op.inputs[2], "int64", channel)
            elif isinstance(op, Combine):
                for factor in op.inputs[2:]:
                    self._load(factor, result_dtype(op, self.dtype), channel)
            elif isinstance(op, CurrentNeuron) and len(op.inputs) == 4:
                self._load(op.inputs[3], "int32", channel)
            elif isinstance(op, Automaton):
                dtype = "int64" if op.type_of(0).bits > 32 else self.dtype
                self.rows = Rows.load(self.context, op, dtype, channel)
                if "direction" in op.reads:
                    self._load(op.inputs[op.operand("direction") or 0], self.dtype, channel)

    def _load(self, value: Value, dtype: str, channel: Expr) -> None:
        where = self.context.constants.vector(value, dtype)
        base = self.context.constant_index(where.offset, dtype)
        self.vectors[value.name] = bind(self.context.memory.view("constant", dtype)[lanes(base + channel)])

    def run(self, n: Expr, spot: Spot, states: tuple[Expr, ...]) -> Fired:
        """Return the spikes and the next states, or the plain result where the region has no neuron."""
        x = n
        for op in self.ops:
            if isinstance(op, Automaton):
                return self._automaton(op, x, spot, states[0])
            if isinstance(op, Neuron):
                return advance_neuron(op, x, states[0])
            if isinstance(op, Integrate):
                return advance_integrate(op, x, states[0])
            if isinstance(op, CurrentNeuron):
                return advance_current(op, x, states, self.vectors[op.inputs[3].name] if len(op.inputs) == 4 else None)
            x = held(self._step(op, x, spot), result_dtype(op, self.dtype))
        return Fired(x)

    def _automaton(self, op: Automaton, n: Expr, spot: Spot, state: Expr) -> Fired:
        if self.rows is None:
            raise TypeError("an automaton runs after prepare")
        identity = gate = None
        if "identity" in op.reads:
            identity = self._operand(op.inputs[op.operand("identity") or 0], spot)
        if "gate" in op.reads:
            gate = self._gate(op.inputs[op.operand("gate") or 0], spot)
        if "direction" in op.reads:
            n = held(n * self.vectors[op.inputs[op.operand("direction") or 0].name], self.dtype)
        return advance_automaton(op, self.rows, n, state, identity, gate)

    def _operand(self, value: Value, spot: Spot, dtype: str = "int32") -> Expr:
        return bind(self.context.place_of(value).load(spot.step, spot.pixel, spot.channel, dtype))

    def _gate(self, value: Value, spot: Spot) -> Expr:
        return bind(self.context.place_of(value).load(spot.step, i32(0), spot.channel, "int32"))

    def _step(self, op: Op, x: Expr, spot: Spot) -> Expr:
        if isinstance(op, Bias):
            return x + self.vectors[op.inputs[1].name]
        if isinstance(op, Combine):
            dtype = result_dtype(op, self.dtype)
            other = self._operand(op.inputs[1], spot, dtype)
            return cast(x, dtype) * self.vectors[op.inputs[2].name] + other * self.vectors[op.inputs[3].name]
        if isinstance(op, Greater):
            return select(x > self.vectors[op.inputs[1].name], constant(1, "int32"), constant(0, "int32"))
        if isinstance(op, Affine):
            return cast(x, "int64") * self.vectors[op.inputs[1].name] + self.vectors[op.inputs[2].name]
        if isinstance(op, Add) and op.counts:
            return x + self._operand(op.inputs[1], spot, self.dtype)
        if isinstance(op, Add):
            ratio = round(op.type_of(1).scale / op.type_of(0).scale)
            other = self._operand(op.inputs[1], spot, "int64")
            return x + (other if ratio == 1 else other * broadcast(tirx.const(ratio, "int64")))
        if isinstance(op, SpatialMask):
            limit = constant(round(op.threshold / op.type_of(0).scale), "int64")
            outside = tirx.Or(x > limit, x < constant(0, "int64") - limit)
            return select(outside, x, constant(0, "int64"))
        if isinstance(op, Gate):
            gate = cast(self._gate(op.inputs[1], spot), "int64")
            return x * gate
        raise TypeError(f"{op.name} does not follow a sum")
