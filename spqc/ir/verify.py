"""The rules every graph keeps, told in words that a user of the compiler understands."""

from __future__ import annotations

import numpy as np

from spqc.foundation.errors import GraphError

from .graph import Graph
from .value import Value


def verify(graph: Graph) -> Graph:
    """Return the graph, or raise GraphError at the first rule it breaks.

    Values are defined once and before they are read, every operator's types agree, every state has one next value
    of its own type, and every constant that has an array has one that fits its type.
    """
    if graph.steps < 1:
        raise GraphError(f"a graph runs for one step or more, not {graph.steps}", graph.name)
    if not graph.inputs or not graph.outputs:
        raise GraphError("a graph has one input and one result, or more", graph.name)
    known: dict[str, Value] = {}
    for value in (*graph.inputs, *graph.constants, *graph.states):
        _define(known, value, str(value))
    for op in graph.ops:
        for value in op.inputs:
            if known.get(value.name) != value:
                op.fail(f"reads '{value.name}' before it is defined")
        op.verify()
        for value in op.outputs:
            _define(known, value, str(op))
    _verify_states(graph, known)
    for value in graph.outputs:
        if known.get(value.name) != value:
            raise GraphError(f"the graph returns '{value.name}', which nothing defines", graph.name)
    for value in graph.constants:
        _verify_constant(graph, value)
    return graph


def _define(known: dict[str, Value], value: Value, where: str) -> None:
    if value.name in known:
        raise GraphError(f"'{value.name}' is defined twice", where)
    known[value.name] = value


def _verify_states(graph: Graph, known: dict[str, Value]) -> None:
    if len(graph.nexts) != len(graph.states):
        raise GraphError(
            f"{len(graph.states)} states have {len(graph.nexts)} next values",
            graph.name,
            "write one `next $v = %x` for each state",
        )
    for state, following in zip(graph.states, graph.nexts, strict=True):
        if known.get(following.name) != following or following.type != state.type:
            raise GraphError(
                f"the next value of '{state.name}' must be a defined {state.type}, not {following}", str(state)
            )


def _verify_constant(graph: Graph, value: Value) -> None:
    array = graph.data.get(value.name)
    if array is None:
        return
    if value.type.clock != "const" or array.shape != value.type.shape:
        raise GraphError(f"constant '{value.name}' is {value.type} but its array has shape {array.shape}", str(value))
    if value.type.encoding in ("int", "uint", "spike", "ternary"):
        low, high = value.type.range
        if array.size and not (low <= int(np.min(array)) and int(np.max(array)) <= high):
            raise GraphError(f"an element of '{value.name}' does not fit {value.type}", str(value))
