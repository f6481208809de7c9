"""Fold batch norm, masks, threshold, leak, reset and quantiser into integer threshold tables.

For one channel and one stored state the neuron's outcome is a monotone staircase of the integer it reads (semantics,
the ternary-state theorem). The steps are found by bisection of the very operators that the interpreter runs,
so that the table repeats their float32 roundings bit for bit.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from spqc.ir import Array, Graph, Op, Value
from spqc.ir.ops import Add, Affine, Automaton, Gate, Neuron, SpatialMask
from spqc.ir.ranges import bounds
from spqc.ir.rewrite import with_data
from spqc.ir.types import Type, signed_type
from spqc.plugins.passes import Module, Pass

from ._ladder import Ladder, bisect


@dataclass(frozen=True)
class FoldNeurons(Pass):
    """Turn each neuron that one integer decides into an automaton of at most `limit` thresholds a channel."""

    limit: int = 4096
    name: ClassVar[str] = "fold-neurons"

    def run(self, module: Module) -> Module:
        if not isinstance(module, Graph):
            return module
        for op in module.ops:
            if isinstance(op, Neuron):
                module = _fold(module, op, self.limit)
        return module


@dataclass(frozen=True)
class _Chain:
    """The operators between an integer and a neuron: `ops` in order, `n` what they read first."""

    ops: tuple[Op, ...]
    n: Value
    identity: Value | None
    gate: Value | None


def _chain(graph: Graph, neuron: Neuron) -> _Chain | None:
    """Return the chain that feeds a neuron, or None where it does not come from one integer a neuron."""
    ops: list[Op] = []
    identity = gate = None
    current = neuron.inputs[0]
    while True:
        op = graph.producers.get(current.name)
        if isinstance(op, Affine):
            return _Chain((op, *reversed(ops)), op.inputs[0], identity, gate)
        if isinstance(op, Gate) and gate is None:
            gate = op.inputs[1]
        elif isinstance(op, Add) and identity is None and op.type_of(1).encoding not in ("float", "fixed"):
            identity = op.inputs[1]
        elif not isinstance(op, SpatialMask):
            return None
        ops.append(op)
        current = op.inputs[0]


@dataclass(frozen=True)
class _Staircase:
    """Evaluates the chain and its neuron on int64 arrays [rows, channels]: sums in, indices of outcomes out."""

    graph: Graph
    chain: _Chain
    ladder: Ladder

    def outcome(self, n: Array, code: Array, identity: Array, gate: int = 1) -> Array:
        """Return the index of the outcome on the ladder, int64 [rows, channels], like all operands but `gate`."""
        arrays = {self.chain.n.name: n}
        for op in self.chain.ops:
            extra = [self._operand(v, arrays, identity, gate, n) for v in op.inputs[1:]]
            arrays[op.out.name] = op.evaluate(arrays[op.inputs[0].name], *extra)[0]
        neuron = self.ladder.neuron
        return self.ladder.rank(*neuron.evaluate(arrays[neuron.inputs[0].name], code))

    def _operand(self, value: Value, arrays: dict[str, Array], identity: Array, gate: int, n: Array) -> Array:
        if self.chain.identity is not None and value == self.chain.identity:
            return identity
        if self.chain.gate is not None and value == self.chain.gate:
            return np.full(n.shape, gate, np.int64)
        return np.asarray(self.graph.data[value.name]).astype(value.type.dtype)


@dataclass(frozen=True)
class _Table:
    """The table of one neuron: thresholds [row, step, channel] and how to read them."""

    theta: Array
    direction: Array
    identities: int
    rest: tuple[int, ...]
    carry: tuple[int, ...]


def _fold(graph: Graph, neuron: Neuron, limit: int) -> Graph:
    chain = _chain(graph, neuron)
    if chain is None or neuron.leak < 0:
        return graph
    identities = _identities(graph, chain)
    stairs = _Staircase(graph, chain, Ladder(neuron))
    carry = _carry(graph, stairs)
    rows, steps = 1 if carry else len(stairs.ladder.codes) * identities, len(stairs.ladder.outcomes) - 1
    if rows * steps > limit:
        return graph
    rest = _rest(stairs, identities) if chain.gate is not None else ()
    if rest is None:
        return graph
    scale = graph.data[chain.ops[0].inputs[1].name]
    direction = np.where(scale < 0, -1, 1).astype(np.int64)
    if carry:
        theta = _shared_thresholds(graph, stairs, carry, steps)
    else:
        theta = _thresholds(stairs, direction, identities, steps, *_range(graph, chain.n, direction))
    return _replace_neuron(graph, neuron, chain, stairs, _Table(theta, direction, identities, rest, carry))


def _carry(graph: Graph, stairs: _Staircase) -> tuple[int, ...]:
    """Return what each state adds to n, where the charge is exactly `input_scale * (n + b + carry)`; else nothing.

    So it is where batch norm is 1 * n + integers, states carry integers, and no sum can leave the float's integers.
    """
    chain, neuron = stairs.chain, stairs.ladder.neuron
    affine = chain.ops[0]
    if any(not isinstance(op, Affine | Gate) for op in chain.ops) or neuron.silence in ("spikes", "sticky"):
        return ()
    gain, offset = (graph.data[v.name].astype(np.float64) for v in affine.inputs[1:])
    carried = neuron.carried(np.zeros(1, affine.out.type.dtype)).astype(np.float64) / neuron.input_scale
    exact = (gain == 1.0).all() and (offset == np.rint(offset)).all() and (carried == np.rint(carried)).all()
    low, high = bounds(graph, chain.n.name)
    greatest = float(np.abs(carried).max() + np.abs(offset).max() + max(-int(low.min()), int(high.max())))
    mantissa = 2.0 ** (24 if affine.out.type.bits == 32 else 53)
    if not exact or greatest * max(1.0, neuron.input_scale) >= mantissa:
        return ()
    zero = neuron.levels.index(0.0)
    return tuple(int(carried[zero + code]) for code in stairs.ladder.codes)


def _shared_thresholds(graph: Graph, stairs: _Staircase, carry: tuple[int, ...], steps: int) -> Array:
    """Return theta[0, k, c] of n + carry; one channel for all where no channel has an offset of its own."""
    neuron = stairs.ladder.neuron
    offset = graph.data[stairs.chain.ops[0].inputs[2].name].astype(np.int64)
    low, high = bounds(graph, stairs.chain.n.name)
    first = np.full((steps, 1), int(low.min()) + min(carry) + int(offset.min()))
    last = np.full((steps, 1), int(high.max()) + max(carry) + int(offset.max()) + 1)
    wanted, rest = np.arange(steps)[:, None], np.zeros((steps, 1), np.int64)
    dtype = neuron.type_of(0).dtype
    thresholds = bisect(first, last, lambda n: stairs.ladder.rank(*neuron.evaluate(n.astype(dtype), rest)) > wanted)
    per_channel = thresholds[None] - offset
    return per_channel[:, :, :1] if (offset == offset[0]).all() else per_channel


def _identities(graph: Graph, chain: _Chain) -> int:
    if chain.identity is None:
        return 1
    return int(bounds(graph, chain.identity.name)[1].max()) + 1


def _range(graph: Graph, n: Value, direction: Array) -> tuple[Array, Array]:
    """Return the smallest and largest directed integer of each channel."""
    low, high = (np.broadcast_to(b, direction.shape) for b in bounds(graph, n.name))
    return np.where(direction > 0, low, -high), np.where(direction > 0, high, -low)


def _thresholds(stairs: _Staircase, direction: Array, identities: int, steps: int, low: Array, high: Array) -> Array:
    """Return theta[row, k, c]: the smallest directed n whose outcome is above k, one past the range where none is.

    Rows and steps lie along the batch axis of one evaluation.
    """
    rows = [(code, identity) for code in stairs.ladder.codes for identity in range(identities)]
    code, identity = (np.repeat([row[i] for row in rows], steps) for i in (0, 1))
    wanted = np.tile(np.arange(steps), len(rows))[:, None]
    shape = (len(rows) * steps, len(direction))
    code, identity = (np.ascontiguousarray(np.broadcast_to(v[:, None], shape)) for v in (code, identity))
    first, last = np.broadcast_to(low, shape), np.broadcast_to(high, shape) + 1
    theta = bisect(first, last, lambda n: stairs.outcome(np.minimum(n, high) * direction, code, identity) > wanted)
    return theta.reshape(len(rows), steps, len(direction))


def _rest(stairs: _Staircase, identities: int) -> tuple[int, ...] | None:
    """Return the outcome of each state when the gate is closed, or None where it still depends on something."""
    outcomes = []
    channels = stairs.chain.n.type.shape[0]
    for code in stairs.ladder.codes:
        seen: set[int] = set()
        for identity, n in itertools.product(range(identities), (-1, 0, 1)):
            reads = [np.full((1, channels), k) for k in (n, code, identity)]
            seen.update(int(v) for v in np.unique(stairs.outcome(reads[0], reads[1], reads[2], gate=0)))
        if len(seen) != 1:
            return None
        outcomes.append(seen.pop())
    return tuple(outcomes)


def _replace_neuron(
    graph: Graph,
    neuron: Neuron,
    chain: _Chain,
    stairs: _Staircase,
    table: _Table,
) -> Graph:
    theta, direction = table.theta, table.direction
    stem = "@theta." + neuron.outputs[0].name[1:]
    type_ = signed_type(int(theta.min()), int(theta.max()), theta.shape)
    constants = [Value(stem, replace(type_, clock="const"))]
    arrays = {stem: theta}
    extra: dict[str, Value] = {}
    if chain.identity is not None:
        extra["identity"] = chain.identity
    if (direction < 0).any():
        extra["direction"] = Value("@direction." + neuron.outputs[0].name[1:], Type("int", 2, direction.shape, "const"))
        constants.append(extra["direction"])
        arrays[extra["direction"].name] = direction
    if chain.gate is not None:
        extra["gate"] = chain.gate
    automaton = Automaton(
        (chain.n, neuron.inputs[1], constants[0], *extra.values()),
        neuron.outputs,
        neuron.origin,
        following=stairs.ladder.following,
        fires=len(stairs.ladder.codes),
        identities=table.identities,
        rest=table.rest,
        reads=tuple(extra),
        carry=table.carry,
    )
    return replace(
        graph,
        ops=tuple(automaton if op is neuron else op for op in graph.ops),
        constants=(*graph.constants, *constants),
        data=with_data(graph, arrays),
    )


PLUGIN = FoldNeurons
