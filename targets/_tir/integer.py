"""Integer membranes on vectors: shifts that round, sums that wrap or saturate (the meaning: spqc.ir.fixed_point)."""

from __future__ import annotations

from spqc.ir import Type
from spqc.ir.ops import CurrentNeuron, Integrate

from .automaton import Fired
from .vector import Expr, cast, constant, materialise, select


def advance_integrate(op: Integrate, n: Expr, membrane: Expr) -> Fired:
    """Return spikes and next membranes (int32)."""
    numbers = op.numbers
    kind = width(op.leak, numbers.bits, op.type_of(0), op.shift)
    lanes = Lanes(kind)
    kept = lanes.shifted(cast(membrane, kind) * constant(op.leak, kind), -op.leak_shift, op.rounding)
    u = lanes.fitted(kept + lanes.shifted(cast(n, kind), op.shift, op.rounding), numbers.bits, op.overflow)
    threshold = constant(op.threshold, kind)
    fires = u > threshold if op.fire == "gt" else u >= threshold
    spikes = materialise(select(fires, constant(1, "int32"), constant(0, "int32")))
    if op.reset == "soft":
        after = lanes.fitted(u - cast(spikes, kind) * threshold, numbers.bits, op.overflow)
    else:
        after = select(spikes > constant(0, "int32"), constant(0, kind), u) if op.reset == "hard" else u
    return Fired(spikes, (materialise(cast(after, "int32")),))


def advance_current(op: CurrentNeuron, n: Expr, states: tuple[Expr, ...], bias: Expr | None) -> Fired:
    """Return spikes, next currents and next voltages (int32)."""
    kind = width(1 << op.leak_shift, op.bits + 1, op.type_of(0), op.shift)
    lanes = Lanes(kind)
    current, voltage = (cast(state, kind) for state in states)
    kept = lanes.shifted(current * constant(op.current_leak, kind), -op.leak_shift, "zero")
    u = materialise(kept + lanes.shifted(cast(n, kind), op.shift, "zero"), kind)
    # the wrap leaves u in (-2^(bits-1), 2^(bits-1)]
    u = materialise(constant(0, kind) - lanes.fitted(constant(0, kind) - u, op.bits, "wrap"), kind)
    v = lanes.shifted(voltage * constant(op.leak, kind), -op.leak_shift, "zero") + u
    v = materialise(v if bias is None else v + cast(bias, kind), kind)
    v = lanes.clipped(v, 1 - op.numbers.greatest, op.numbers.greatest - 1)
    fires = v > constant(op.threshold, kind)
    spikes = materialise(select(fires, constant(1, "int32"), constant(0, "int32")))
    after = select(spikes > constant(0, "int32"), constant(0, kind), v)
    return Fired(spikes, (materialise(cast(u, "int32")), materialise(cast(after, "int32"))))


def width(leak: int, bits: int, n: Type, shift: int) -> str:
    """Return the integer type in which neither the product nor the sum of a charge can overflow."""
    product = bits - 1 + leak.bit_length()
    return "int32" if max(product, n.bits + max(shift, 0)) <= 30 else "int64"


class Lanes:
    """Shifts and fits of vectors of one integer type."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def shifted(self, x: Expr, places: int, rounding: str) -> Expr:
        if places == 0:
            return x
        if places > 0:
            return x << constant(places, self.kind)
        down = constant(-places, self.kind)
        if rounding == "nearest":
            return (x + constant(1 << (-places - 1), self.kind)) >> down
        if rounding == "zero":
            x = materialise(x, self.kind)
            sign = x >> constant(int(self.kind.removeprefix("int")) - 1, self.kind)
            return (x + (sign & constant((1 << -places) - 1, self.kind))) >> down
        return x >> down

    def fitted(self, x: Expr, bits: int, overflow: str) -> Expr:
        half = 1 << (bits - 1)
        if overflow == "saturate":
            return self.clipped(materialise(x, self.kind), -half, half - 1)
        wrapped = (x + constant(half, self.kind)) & constant(2 * half - 1, self.kind)
        return materialise(wrapped - constant(half, self.kind), self.kind)

    def clipped(self, x: Expr, low: int, high: int) -> Expr:
        """Return a vector with its lanes in [low, high]."""
        least, most = constant(low, self.kind), constant(high, self.kind)
        above = materialise(select(x > least, x, least), self.kind)
        return materialise(select(above < most, above, most), self.kind)
