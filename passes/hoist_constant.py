"""Compute once what does not depend on time: direct coding repeats a still image: its first convolution is constant."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from spqc.ir import Graph, Op, Value
from spqc.ir.ops import Repeat
from spqc.plugins.passes import Module, Pass


@dataclass(frozen=True)
class HoistConstant(Pass):
    """Move `repeat` behind the operators that read it, so that they run once an inference."""

    name: ClassVar[str] = "hoist-constant"

    def run(self, module: Module) -> Module:
        if not isinstance(module, Graph) or not any(isinstance(op, Repeat) for op in module.ops):
            return module
        return _hoist(module)


def _hoist(graph: Graph) -> Graph:
    once: dict[str, Value] = {v.name: v for v in graph.constants}
    ops: list[Op] = []
    moved = False
    for op in graph.ops:
        if isinstance(op, Repeat):
            once[op.out.name] = op.inputs[0]
            ops.append(op)
        elif op.type_of(0).clock == "step" and all(v.name in once for v in op.inputs):
            moved = True
            ops += _split(op, once)
        else:
            ops.append(op)
    return replace(graph, ops=tuple(ops)) if moved else graph


def _split(op: Op, once: dict[str, Value]) -> list[Op]:
    """Return the operator run once, and the repeat of each of its results."""
    results = tuple(Value(f"{v.name}.once", replace(v.type, clock="const")) for v in op.outputs)
    first = replace(op, inputs=tuple(once[v.name] for v in op.inputs), outputs=results)
    once |= {v.name: result for v, result in zip(op.outputs, results, strict=True)}
    return [first, *(Repeat((r,), (v,), op.origin) for r, v in zip(results, op.outputs, strict=True))]


PLUGIN = HoistConstant
