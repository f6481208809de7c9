"""The reference interpreter: the definition of correct for every target."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from spqc.foundation.errors import GraphError

from .graph import Graph
from .op import Op
from .types import Array
from .value import Value

Observer = Callable[[int, Value, Array], None]


def interpret(graph: Graph, inputs: Mapping[str, Array], observe: Observer | None = None) -> dict[str, Array]:
    """Run a graph on integer codes: an input is [N, T, ...], or [N, ...] where its clock is const.

    Returns each result as [N, T, ...]; `observe(t, value, array)` is called with every computed value.
    """
    batch = next(iter(inputs.values())).shape[0]
    fixed = {v.name: np.asarray(graph.data[v.name]).astype(v.type.dtype) for v in graph.constants}
    fixed |= {v.name: inputs[v.name].astype(v.type.dtype) for v in graph.inputs if v.type.clock == "const"}
    state = {v.name: np.zeros((batch, *v.type.shape), v.type.dtype) for v in graph.states}
    results: dict[str, list[Array]] = {v.name: [] for v in graph.outputs}
    for step in range(graph.steps):
        frames = {v.name: inputs[v.name][:, step].astype(v.type.dtype) for v in graph.inputs if v.type.clock == "step"}
        values = fixed | state | frames
        run_ops(graph.ops, values, step, observe)
        state = {s.name: values[n.name] for s, n in zip(graph.states, graph.nexts, strict=True)}
        for name, kept in results.items():
            kept.append(values[name])
    return {name: np.stack(kept, axis=1) for name, kept in results.items()}


def run_ops(ops: Iterable[Op], values: dict[str, Array], step: int = 0, observe: Observer | None = None) -> None:
    """Evaluate operators in order, adding their results to `values`, arrays by the name of their value."""
    for op in ops:
        arrays = op.evaluate(*(values[v.name] for v in op.inputs))
        for value, array in zip(op.outputs, arrays, strict=True):
            values[value.name] = check_range(value, array, op)
            if observe is not None:
                observe(step, value, array)


def check_range(value: Value, array: Array, op: Op) -> Array:
    """Return the array; GraphError where an integer does not fit the width its type promises."""
    if value.type.encoding in ("float", "fixed") or array.size == 0:
        return array
    low, high = value.type.range
    if int(array.min()) < low or int(array.max()) > high:
        raise GraphError(
            f"{int(array.min())}..{int(array.max())} overflows {value.type}",
            str(op),
            "this is a bug of the pass that chose the width",
        )
    return array
