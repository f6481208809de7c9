"""Give every weighted sum the narrowest width that its actual weights prove safe."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from spqc.contracts import Module, Pass
from spqc.ir import Graph, Op, Value
from spqc.ir.ops import Bias, Conv2d, Linear
from spqc.ir.ranges import bounds
from spqc.ir.rewrite import retype
from spqc.ir.types import signed_type


@dataclass(frozen=True)
class NarrowAccumulators(Pass):
    """Declare each sum at the width that the sums of its positive and negative weights need."""

    name: ClassVar[str] = "narrow-accumulators"

    def run(self, module: Module) -> Module:
        if not isinstance(module, Graph):
            return module
        ops = tuple(_narrowed(module, op) for op in module.ops)
        return module if ops == module.ops else retype(module, ops)


def _narrowed(graph: Graph, op: Op) -> Op:
    if not isinstance(op, Conv2d | Linear) or op.inputs[1].name not in graph.data:
        return op
    low, high = _extremes(graph, op.out)
    follower = graph.only_reader(op.out.name)
    if isinstance(follower, Bias):  # the sum with its bias shares the accumulator
        after = _extremes(graph, follower.out)
        low, high = min(low, after[0]), max(high, after[1])
    declared = op.out.type
    narrow = signed_type(low, high, declared.shape, declared.clock, declared.scale)
    return op if narrow == declared else replace(op, outputs=(Value(op.out.name, narrow),))


def _extremes(graph: Graph, value: Value) -> tuple[int, int]:
    """Return the smallest and largest integer that any channel of a value can hold."""
    low, high = bounds(graph, value.name)
    return int(low.min()), int(high.max())


PLUGIN = NarrowAccumulators
