"""The text of a graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from .op import Op
from .value import Value


class Printable(Protocol):
    """What the text of a graph shows: everything but the arrays of its constants."""

    @property
    def name(self) -> str: ...
    @property
    def steps(self) -> int: ...
    @property
    def inputs(self) -> Sequence[Value]: ...
    @property
    def outputs(self) -> Sequence[Value]: ...
    @property
    def constants(self) -> Sequence[Value]: ...
    @property
    def states(self) -> Sequence[Value]: ...
    @property
    def ops(self) -> Sequence[Op]: ...
    @property
    def nexts(self) -> Sequence[Value]: ...
    @property
    def notes(self) -> Sequence[tuple[str, str]]: ...


def print_graph(graph: Printable) -> str:
    """Return the text of a graph, which `parse_graph` reads back to an equal graph."""
    body = [f'note {key} = "{value}"' for key, value in graph.notes]
    body += [f"const {v}" for v in graph.constants]
    body += [f"state {v}" for v in graph.states]
    body += [str(op) for op in graph.ops]
    body += [f"next {s.name} = {n.name}" for s, n in zip(graph.states, graph.nexts, strict=False)]
    body += [f"return {', '.join(v.name for v in graph.outputs)}"]
    head = f"graph {graph.name}({', '.join(map(str, graph.inputs))}) steps={graph.steps} {{\n"
    return head + "".join(f"  {line}\n" for line in body) + "}\n"
