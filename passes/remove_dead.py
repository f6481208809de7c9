"""Drop what no result depends on: operators, states and constants."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import networkx as nx

from spqc.ir import Graph
from spqc.plugins.passes import Module, Pass


@dataclass(frozen=True)
class RemoveDead(Pass):
    """Drop operators, states and constants that no result depends on."""

    name: ClassVar[str] = "remove-dead"

    def run(self, module: Module) -> Module:
        return _remove_dead(module) if isinstance(module, Graph) else module


def _remove_dead(graph: Graph) -> Graph:
    live = _live(graph)
    pairs = [(s, n) for s, n in zip(graph.states, graph.nexts, strict=True) if s.name in live]
    kept = replace(
        graph,
        ops=tuple(op for op in graph.ops if any(v.name in live for v in op.outputs)),
        constants=tuple(v for v in graph.constants if v.name in live),
        states=tuple(s for s, _ in pairs),
        nexts=tuple(n for _, n in pairs),
        data={name: array for name, array in graph.data.items() if name in live},
    )
    return graph if kept == graph else kept


def _live(graph: Graph) -> set[str]:
    """Return every value that reaches a result; a live state keeps its next value alive, through its delay edge."""
    flow = graph.to_networkx()
    results = {v.name for v in graph.outputs}
    return results.union(*(nx.ancestors(flow, name) for name in results))


PLUGIN = RemoveDead
