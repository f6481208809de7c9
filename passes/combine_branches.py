"""Let one integer decide a neuron that two sums decide (a projected residual): thresholds instead of 64-bit arithmetic.

The neuron asks whether a*n + e*k + b reaches a limit; a, e and b are integers of one lattice for each channel, of some
40 bits. That sum, without b, is the integer. Smaller p and m with nearly the ratio of a and e may stand in for them, so
that p*n + m*k has 31 bits and passes one threshold exactly where a*n + e*k passes its own, for every n and k that the
weights allow. Both sides are linear, so that is decided along the border: for each k, at the first n that passes and at
the last that does not. Long sums leave no room for it: their layers keep a and e.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from spqc.ir import Array, Graph, Op, Value
from spqc.ir.ops import Add, Affine, Automaton, Combine, Gate, Neuron
from spqc.ir.ranges import bounds
from spqc.ir.rewrite import with_data
from spqc.ir.types import Type, signed_type
from spqc.plugins.passes import Module, Pass

from ._ladder import Ladder, bisect

_GREATEST = 2.0**30  # of p*n + m*k, with room for a threshold beyond it
_SCALES = 64  # tried for each channel
_BEYOND = int(np.iinfo(np.int32).max)  # what no sum reaches


@dataclass(frozen=True)
class CombineBranches(Pass):
    """Turn neurons in fixed point that two sums decide into automata of one; `limit`: values of k that are tried."""

    limit: int = 4096
    name: ClassVar[str] = "combine-branches"

    def run(self, module: Module) -> Module:
        if not isinstance(module, Graph):
            return module
        for op in module.ops:
            if isinstance(op, Neuron) and op.type_of(0).encoding == "fixed":
                module = _combine(module, op, self.limit)
        return module


@dataclass(frozen=True)
class _Branches:
    """What a neuron adds up: two sums with batch norm each, and perhaps a gate over both."""

    first: Affine
    second: Affine
    gate: Value | None


@dataclass(frozen=True)
class _Channel:
    """One channel's reals on their common lattice, as integers: a*n + e*k + b for n and k in their ranges."""

    a: int
    e: int
    b: int
    n: tuple[int, int]
    k: tuple[int, int]


def _combine(graph: Graph, neuron: Neuron, limit: int) -> Graph:
    branches = _branches(graph, neuron)
    if branches is None:
        return graph
    channels, ladder = _channels(graph, branches), Ladder(neuron)
    charges = _charges(ladder, channels)
    narrow = _narrow(channels, charges, limit)
    p, m, theta = narrow or _exact(channels, charges)
    factor = Type("int", 32 if narrow else 64, p.shape, "const")
    table = np.moveaxis(theta.reshape(len(channels), len(ladder.codes), -1), 0, -1)
    limits = replace(signed_type(int(table.min()), int(table.max()), table.shape), clock="const")
    stem = neuron.outputs[0].name[1:]
    arrays = {f"@p.{stem}": p, f"@m.{stem}": m, f"@theta.{stem}": table}
    constants = [Value(name, type_) for name, type_ in zip(arrays, (factor, factor, limits), strict=True)]
    return _replaced(graph, ladder, branches, constants, arrays)


def _exact(channels: list[_Channel], charges: Array) -> tuple[Array, Array, Array]:
    """Return the channels' own factors, and thresholds [channel, state and step]."""
    a, e, b = (np.array([getattr(c, name) for c in channels], np.int64) for name in "aeb")
    return a, e, charges - b[:, None]


def _narrow(channels: list[_Channel], charges: Array, limit: int) -> tuple[Array, Array, Array] | None:
    """Return p, m [C] and thresholds [C, ...] that 32 bits hold; None where a channel has none."""
    columns = []
    for channel in channels:
        one = _weighed(channel, charges) if channel.k[1] - channel.k[0] < limit else None
        if one is None:
            return None
        columns.append(one)
    p, m, theta = (np.array(column, np.int64) for column in zip(*columns, strict=True))
    return p, m, theta


def _branches(graph: Graph, neuron: Neuron) -> _Branches | None:
    op = graph.producers.get(neuron.inputs[0].name)
    gate: Value | None = None
    if isinstance(op, Gate):
        gate = op.inputs[1]
        op = graph.producers.get(op.inputs[0].name)
    if not isinstance(op, Add):
        return None
    first, second = (graph.producers.get(value.name) for value in op.inputs)
    return _Branches(first, second, gate) if isinstance(first, Affine) and isinstance(second, Affine) else None


def _channels(graph: Graph, branches: _Branches) -> list[_Channel]:
    count = branches.first.out.type.shape[0]
    both = (branches.first, branches.second)
    (a, b), (e, f) = ([graph.data[v.name].astype(np.int64) for v in op.inputs[1:]] for op in both)
    ranges = [
        list(zip(*(np.broadcast_to(end, count).tolist() for end in bounds(graph, op.inputs[0].name)), strict=True))
        for op in both
    ]
    return [_Channel(int(a[c]), int(e[c]), int(b[c] + f[c]), ranges[0][c], ranges[1][c]) for c in range(count)]


def _charges(ladder: Ladder, channels: list[_Channel]) -> Array:
    """Return the smallest charge whose outcome is above k, for every state and step k; past the range where none is.

    A charge is a multiple of 1 / input_scale: the lattice has the bits that the scale shifts out.
    """
    unit = max(1, round(1 / ladder.neuron.input_scale))
    greatest = max(abs(c.a) * max(map(abs, c.n)) + abs(c.e) * max(map(abs, c.k)) + abs(c.b) for c in channels)
    steps = len(ladder.outcomes) - 1
    code = np.repeat(ladder.codes, steps)
    wanted = np.tile(np.arange(steps), len(ladder.codes))
    first = np.full(code.shape, -(greatest // unit) - 1, np.int64)
    last = np.full(code.shape, greatest // unit + 1, np.int64)
    return unit * bisect(first, last, lambda n: ladder.rank(*ladder.neuron.evaluate(n * unit, code)) > wanted)


def _weighed(c: _Channel, charges: Array) -> tuple[int, int, Array] | None:
    """Return p, m and thresholds [state and step] that decide as the channel's reals do; None where none are found."""
    sign, a = (-1, -c.a) if c.a < 0 else (1, c.a)
    low, high = (c.n[0], c.n[1]) if sign > 0 else (-c.n[1], -c.n[0])
    k = np.arange(c.k[0], c.k[1] + 1)
    missing = charges[:, None] - c.b - c.e * k
    border = -(-missing // a) if a else np.where(missing <= 0, low, high + 1)
    border = np.clip(border, low, high + 1)
    most_n, most_k = max(1, abs(low), abs(high)), max(1, int(np.abs(k).max()))
    scale = _GREATEST / max(1, a * most_n + abs(c.e) * most_k)
    for i in range(_SCALES):
        p, m = (round(value * scale * (1 - i / (4 * _SCALES))) for value in (a, c.e))
        above = p * border + m * k
        passing = np.where(border <= high, above, _BEYOND).min(axis=1)
        failing = np.where(border > low, above - p, -_BEYOND).max(axis=1)
        if (failing < passing).all():
            return sign * p, m, passing
    return None


def _replaced(
    graph: Graph, ladder: Ladder, branches: _Branches, constants: list[Value], arrays: dict[str, Array]
) -> Graph:
    """Return the graph with the sums combined and an automaton in the neuron's place."""
    neuron, (p, m, theta) = ladder.neuron, constants
    plain = Combine((branches.first.inputs[0], branches.second.inputs[0], p, m), (), neuron.origin)
    combined = replace(plain, outputs=(Value(f"%sum.{neuron.outputs[0].name[1:]}", plain.infer()[0]),))
    automaton = Automaton(
        (combined.out, neuron.inputs[1], theta, *((branches.gate,) if branches.gate else ())),
        neuron.outputs,
        neuron.origin,
        following=ladder.following,
        fires=len(ladder.codes),
        rest=_rest(ladder) if branches.gate else (),
        reads=("gate",) if branches.gate else (),
    )
    placed: list[Op] = []
    for op in graph.ops:
        placed += [combined, automaton] if op is neuron else [op]
    return replace(graph, ops=tuple(placed), constants=(*graph.constants, *constants), data=with_data(graph, arrays))


def _rest(ladder: Ladder) -> tuple[int, ...]:
    """Return the outcome of each state when nothing charges the neuron."""
    codes = np.array(ladder.codes)
    return tuple(int(rank) for rank in ladder.rank(*ladder.neuron.evaluate(np.zeros_like(codes), codes)))


PLUGIN = CombineBranches
