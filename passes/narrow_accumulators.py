"""Give every sum the narrowest width that actual weights and ranges prove safe."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from spqc.ir import Graph, Op, Value
from spqc.ir.ops import Add, Bias, Conv, Linear
from spqc.ir.ranges import bounds
from spqc.ir.rewrite import retype
from spqc.ir.types import signed_type, unsigned_type
from spqc.plugins.passes import Module, Pass


@dataclass(frozen=True)
class NarrowAccumulators(Pass):
    """Declare each sum at the width that its weights (or the greatest codes of a stream of integers) need."""

    name: ClassVar[str] = "narrow-accumulators"

    def run(self, module: Module) -> Module:
        if not isinstance(module, Graph):
            return module
        ops = tuple(_narrowed(module, op) for op in module.ops)
        return module if ops == module.ops else retype(module, ops)


def _narrowed(graph: Graph, op: Op) -> Op:
    if isinstance(op, Add) and op.counts:
        return _declared(op, *_extremes(graph, op.out))
    if not isinstance(op, Conv | Linear) or op.inputs[1].name not in graph.data:
        return op
    low, high = _extremes(graph, op.out)
    follower = graph.only_reader(op.out.name)
    if isinstance(follower, Bias):  # the sum with its bias shares the accumulator
        after = _extremes(graph, follower.out)
        low, high = min(low, after[0]), max(high, after[1])
    return _declared(op, low, high)


def _declared(op: Op, low: int, high: int) -> Op:
    """Return the operator with the narrowest result of its own signedness."""
    old = op.out.type
    bits = (unsigned_type(high, ()) if old.encoding == "uint" else signed_type(low, high, ())).bits
    return op if bits == old.bits else replace(op, outputs=(Value(op.out.name, replace(old, bits=bits)),))


def _extremes(graph: Graph, value: Value) -> tuple[int, int]:
    """Return the smallest and largest integer that any channel of a value can hold."""
    low, high = bounds(graph, value.name)
    return int(low.min()), int(high.max())


PLUGIN = NarrowAccumulators
