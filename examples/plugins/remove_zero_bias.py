"""A pass: an addition of zeros is no addition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from spqc.contracts import Module, Pass
from spqc.ir import Graph, Op, Value
from spqc.ir.ops import Bias
from spqc.ir.rewrite import rename, retype


@dataclass(frozen=True)
class RemoveZeroBias(Pass):
    """Drop each bias whose constants are all 0; `largest` limits how many channels are looked at."""

    largest: int = 65536
    name: ClassVar[str] = "remove-zero-bias"

    def run(self, module: Module) -> Module:
        if not isinstance(module, Graph):
            return module  # programs are cut from finished graphs: nothing to do there
        instead: dict[str, Value] = {}
        ops: list[Op] = []
        for op in module.ops:
            op = rename(op, instead)
            if self._adds_nothing(module, op):
                instead[op.out.name] = op.inputs[0]
            else:
                ops.append(op)
        if not instead:
            return module  # the same object says: nothing changed
        outputs, nexts = (tuple(instead.get(v.name, v) for v in kept) for kept in (module.outputs, module.nexts))
        return retype(module, ops, outputs=outputs, nexts=nexts)

    def _adds_nothing(self, graph: Graph, op: Op) -> bool:
        array = graph.data.get(op.inputs[1].name) if isinstance(op, Bias) else None
        return array is not None and array.size <= self.largest and not array.any()


PLUGIN = RemoveZeroBias
