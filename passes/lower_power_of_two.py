"""Say how each product is formed: a choice where the input is a spike, a shift where the weight is a power of two."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from spqc.ir import Graph, Op
from spqc.ir.ops import Conv, Linear
from spqc.ir.rewrite import map_ops
from spqc.plugins.passes import Module, Pass


@dataclass(frozen=True)
class LowerPowerOfTwo(Pass):
    """Turn products into selections (one-bit inputs) or shifts (power-of-two weights on wider inputs)."""

    name: ClassVar[str] = "lower-power-of-two"

    def run(self, module: Module) -> Module:
        return map_ops(module, _lowered) if isinstance(module, Graph) else module


def _lowered(op: Op) -> Op:
    if not isinstance(op, Conv | Linear) or op.multiply != "product":
        return op
    x, w = op.type_of(0), op.type_of(1)
    if x.encoding == "spike":
        return replace(op, multiply="select")
    return replace(op, multiply="shift") if w.encoding == "pot" else op


PLUGIN = LowerPowerOfTwo
