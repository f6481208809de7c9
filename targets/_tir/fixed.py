"""The neuron in 64-bit fixed point: what no table can hold."""

from __future__ import annotations

import math
from collections.abc import Sequence

from spqc.ir.ops import Neuron

from .automaton import Fired
from .vector import Expr, cast, constant, materialise, select


def advance_neuron(op: Neuron, x: Expr, state: Expr) -> Fired:
    """Return spikes and next state indices of a neuron charged in fixed point (the meaning: ops.Neuron.evaluate)."""
    scale = op.type_of(0).scale
    shift = op.levels.index(0.0) + op.low  # state index -> level index
    carried = [round(op.leak * level / scale) for level in op.levels[shift:]]
    u = materialise(_table64(state, carried) + _scaled(op, x), "int64")
    if op.order == "quantise_first":
        u = materialise(_table64(materialise(_level(op, u)), [round(level / scale) for level in op.levels]), "int64")
    threshold = constant(round(op.threshold / scale), "int64")
    fires = u >= threshold if op.fire == "ge" else u > threshold
    zero, one = constant(0, "int32"), constant(1, "int32")
    negative = state < constant(op.levels.index(0.0) - shift, "int32")
    spikes = select(fires, one, zero)
    if op.silence in ("spikes", "sticky"):
        spikes = select(negative, zero, spikes)
    spikes = materialise(spikes)
    reset = u - threshold if op.reset == "soft" else constant(0, "int64")
    after = select(cast(spikes, "int64") > constant(0, "int64"), reset, u)
    following = materialise(_level(op, materialise(after, "int64")))
    if op.silence == "state":
        floor = constant(op.levels.index(0.0), "int32")
        following = select(following > floor, following, floor) - constant(shift, "int32")
    if op.silence == "sticky":
        following = select(negative, state, following)
    return Fired(spikes, (materialise(following),))


def _scaled(op: Neuron, x: Expr) -> Expr:
    """Return the charge after the input scale 2^k: `fix-point` keeps enough fractional bits to shift."""
    k = round(math.log2(op.input_scale))
    if k == 0:
        return x
    return x << constant(k, "int64") if k > 0 else x >> constant(-k, "int64")


def _level(op: Neuron, u: Expr) -> Expr:
    """Return the index of the level each potential is stored as."""
    total = constant(0, "int32")
    for middle, rises in op.quantiser:
        limit = constant(round(middle / op.type_of(0).scale), "int64")
        passed = u >= limit if rises else u > limit
        total = total + select(passed, constant(1, "int32"), constant(0, "int32"))
    return total


def _table64(index: Expr, table: Sequence[int]) -> Expr:
    value = constant(table[-1], "int64")
    for i in range(len(table) - 2, -1, -1):
        value = select(cast(index, "int64") == constant(i, "int64"), constant(table[i], "int64"), value)
    return value
