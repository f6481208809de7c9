"""Fold the direction bit of negative gammas into the weights: a falling staircase of n is a rising one of -n."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from spqc.ir import Graph, Op
from spqc.ir.ops import Automaton, Conv, Linear, SumPool
from spqc.ir.rewrite import with_data
from spqc.plugins.passes import Module, Pass


@dataclass(frozen=True)
class AbsorbDirection(Pass):
    """Negate the weights of the channels whose neurons count downwards, and drop their direction bits."""

    name: ClassVar[str] = "absorb-direction"

    def run(self, module: Module) -> Module:
        if not isinstance(module, Graph):
            return module
        for op in module.ops:
            if isinstance(op, Automaton) and "direction" in op.reads:
                module = _absorb(module, op)
        return module


def _absorb(graph: Graph, automaton: Automaton) -> Graph:
    source = _source(graph, automaton)
    if source is None:
        return graph
    weight = source.inputs[1]
    position = automaton.operand("direction") or 0
    direction = graph.data[automaton.inputs[position].name]
    turned = graph.data[weight.name] * direction.reshape(-1, *(1,) * (len(weight.type.shape) - 1))
    low, high = weight.type.range
    fits = weight.type.encoding in ("pot", "apot") or (low <= int(np.min(turned)) and int(np.max(turned)) <= high)
    if not fits:
        return graph
    plain = replace(
        automaton,
        inputs=tuple(v for i, v in enumerate(automaton.inputs) if i != position),
        reads=tuple(role for role in automaton.reads if role != "direction"),
    )
    ops = tuple(plain if op is automaton else op for op in graph.ops)
    return replace(graph, ops=ops, data=with_data(graph, {weight.name: turned}))


def _source(graph: Graph, automaton: Automaton) -> Op | None:
    """Return the weighted sum that only this automaton sees, through a sum pooling perhaps."""
    value = automaton.inputs[0]
    while graph.only_reader(value.name) is not None:
        op = graph.producers.get(value.name)
        if isinstance(op, SumPool):
            value = op.inputs[0]
        elif isinstance(op, Conv | Linear) and op.inputs[1].name in graph.data:
            return op if graph.only_reader(op.inputs[1].name) is op else None
        else:
            return None
    return None


PLUGIN = AbsorbDirection
