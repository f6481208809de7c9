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
    low, high = bounds(graph, op.out.name)
    follower = graph.only_reader(op.out.name)
    if isinstance(follower, Bias):  # the sum with its bias shares the accumulator
        after_low, after_high = bounds(graph, follower.out.name)
        low, high = (min(int(low.min()), int(after_low.min())), max(int(high.max()), int(after_high.max())))  # type: ignore[assignment]
        narrow = signed_type(low, high, op.out.type.shape, op.out.type.clock, op.out.type.scale)  # type: ignore[arg-type]
    else:
        narrow = signed_type(int(low.min()), int(high.max()), op.out.type.shape, op.out.type.clock, op.out.type.scale)
    return op if narrow == op.out.type else replace(op, outputs=(Value(op.out.name, narrow),))


PLUGIN = NarrowAccumulators
