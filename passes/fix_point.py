"""Carry in 64-bit fixed point what no table can hold: a neuron that two integers decide (a projected residual).

The constants are dyadic and every float64 operation of the model is exact (the frontend promises it by rounding them
onto one lattice), so integers of that lattice give the same values. The pass proves both before it changes a type.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from spqc.ir import Array, Graph, Op, Value
from spqc.ir.ops import Add, Affine, Gate, Neuron, SpatialMask
from spqc.ir.ranges import bounds
from spqc.ir.rewrite import retype, with_data
from spqc.plugins.passes import Module, Pass

_EXACT_BITS = 52  # integers a float64 holds with a bit to spare


@dataclass(frozen=True)
class FixPoint(Pass):
    """Turn float64 chains on a dyadic lattice into fixed point of at most `fraction` fractional bits."""

    fraction: int = 48
    name: ClassVar[str] = "fix-point"

    def run(self, module: Module) -> Module:
        if not isinstance(module, Graph):
            return module
        for op in module.ops:
            if isinstance(op, Neuron) and op.type_of(0).encoding == "float" and op.type_of(0).bits == 64:
                module = _fix(module, op, self.fraction)
        return module


def _fix(graph: Graph, neuron: Neuron, limit: int) -> Graph:
    cone = _cone(graph, neuron)
    if cone is None or neuron.leak_at == "write":
        return graph
    reals = _reals(graph, neuron, cone)
    fraction = max(_fraction_bits(reals), 0)
    if fraction > limit or _magnitude(graph, cone) * 2.0**fraction >= 2.0**_EXACT_BITS:
        return graph
    constants, arrays = _fixed_constants(graph, cone, fraction)
    swapped = tuple(constants.get(v.name, v) for v in graph.constants)
    return retype(graph, graph.ops, constants=swapped, data=with_data(graph, arrays))


def _cone(graph: Graph, neuron: Neuron) -> list[Op] | None:
    """Return the float operators that feed a neuron and nothing else, or None where another kind is among them."""
    ops: list[Op] = []
    pending = [neuron.inputs[0]]
    while pending:
        value = pending.pop()
        op = graph.producers.get(value.name)
        if not isinstance(op, Affine | Add | Gate | SpatialMask) or graph.only_reader(value.name) is None:
            return None
        ops.append(op)
        if not isinstance(op, Affine):
            pending += [v for v in op.inputs if v.type.encoding == "float"]
    return ops


def _reals(graph: Graph, neuron: Neuron, cone: list[Op]) -> Array:
    """Return every real constant that must lie on the lattice, as one array [n]."""
    constants = [v.name for op in cone if isinstance(op, Affine) for v in op.inputs[1:]]
    arrays = [np.asarray(graph.data[name], np.float64).ravel() for name in constants]
    scales = [v.type.scale for op in cone if isinstance(op, Add) for v in op.inputs if v.type.is_integer]
    masks = [op.threshold for op in cone if isinstance(op, SpatialMask)]
    middles = [middle for middle, _ in neuron.quantiser]
    own = [neuron.threshold, *middles, *neuron.levels, *(neuron.leak * level for level in neuron.levels)]
    charge = np.concatenate([*arrays, np.array([*scales, *masks], np.float64)])
    return np.concatenate([charge, charge * neuron.input_scale, np.array(own, np.float64)])


def _fraction_bits(values: Array) -> int:
    """Return how many fractional bits represent every value exactly."""
    mantissa, exponent = np.frexp(values[values != 0].astype(np.float64))
    integers = (np.abs(mantissa) * 2.0**53).astype(np.int64)
    trailing = np.log2((integers & -integers).astype(np.float64)).astype(np.int64)
    return int((53 - trailing - exponent).max(initial=0))


def _magnitude(graph: Graph, cone: list[Op]) -> float:
    """Return a bound of every real value on the way."""
    total = 4.0
    for op in cone:
        if isinstance(op, Affine):
            low, high = bounds(graph, op.inputs[0].name)
            a, b = (np.abs(graph.data[v.name].astype(np.float64)) for v in op.inputs[1:])
            total += float((a * np.maximum(np.abs(low), np.abs(high)) + b).max())
        elif isinstance(op, Add):
            total += sum(float(bounds(graph, v.name)[1].max()) * v.type.scale for v in op.inputs if v.type.is_integer)
    return total


def _fixed_constants(graph: Graph, cone: list[Op], fraction: int) -> tuple[dict[str, Value], dict[str, Array]]:
    constants: dict[str, Value] = {}
    arrays: dict[str, Array] = {}
    for value in (v for op in cone if isinstance(op, Affine) for v in op.inputs[1:]):
        type_ = replace(value.type, encoding="fixed", bits=64, scale=2.0**-fraction)
        constants[value.name] = Value(value.name, type_)
        arrays[value.name] = np.rint(graph.data[value.name].astype(np.float64) * 2.0**fraction).astype(np.int64)
    return constants, arrays


PLUGIN = FixPoint
