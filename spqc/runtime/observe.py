"""What a network did, collected from the interpreter: spikes, states and masks by the name of the layer."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from spqc.foundation.errors import GraphError
from spqc.ir import Array, Graph, Op, Value, interpret
from spqc.ir.inputs import InputFormat
from spqc.ir.ops import Greater, SpatialMask, Spiking
from spqc.plugins.frontend import Observation

KEEP = ".keep"
"""Ends the name of a spatial mask among the gates: `features.1.keep`."""


def layer_of(op: Op) -> str:
    """Return the name of the layer that an operator comes from: the first word of its origin, or its result's name."""
    return op.origin.partition(" ")[0] or op.out.name.lstrip("%")


def layers(graph: Graph) -> list[str]:
    """Return the names of the spiking layers in order."""
    return [layer_of(op) for op in graph.ops if isinstance(op, Spiking)]


def input_format(graph: Graph) -> InputFormat:
    """Return how arrays become codes of the graph's input; GraphError where neither a note nor the type says it."""
    require_runnable(graph)
    value = graph.inputs[0]
    coding = graph.note("coding") or ("direct" if value.type.clock == "const" else "frames")
    known = {InputFormat(e).bits: e for e in ("pixels", "spikes", "digits")}
    encoding = graph.note("input_encoding") or known.get(value.type.bits)
    if encoding is None or value.type.encoding not in ("spike", "uint"):
        raise GraphError(
            f"nothing says how an array becomes {value.type}",
            str(value),
            'write note input_encoding = "pixels" (uint8), "digits" (uint5) or "spikes" (spike)',
        )
    form = InputFormat(encoding, coding)  # type: ignore[arg-type]
    if form.max > value.type.range[1]:
        raise GraphError(f"codes of '{encoding}' reach {form.max}, which {value.type} does not hold", str(value))
    if (form.coding == "direct") != (value.type.clock == "const"):
        raise GraphError(f"the note coding says '{form.coding}', but the input is {value.type}", str(value))
    return form


def require_runnable(graph: Graph) -> Graph:
    """Return the graph; GraphError unless it has one input, and one result that is a vector of integers."""
    if len(graph.inputs) != 1:
        raise GraphError(f"a network to run has one input, not {len(graph.inputs)}", graph.name)
    if len(graph.outputs) != 1 or len(graph.outputs[0].type.shape) != 1 or not graph.outputs[0].type.is_integer:
        shown = ", ".join(map(str, graph.outputs)) or "nothing"
        raise GraphError(f"a network to run returns one vector of integers, not {shown}", graph.name)
    return graph


def named_inputs(graph: Graph, codes: Array) -> dict[str, Array]:
    """Return codes [N, T, ...] under the name of the graph's one input, as `fed` gives them."""
    require_runnable(graph)
    return {graph.inputs[0].name: fed(graph, codes)}


def fed(graph: Graph, codes: Array) -> Array:
    """Return codes [N, T, ...] as interpreter and executors take them: one frame where the input is static."""
    (value,) = graph.inputs
    framed = codes.ndim == 2 + len(value.type.shape)
    return np.ascontiguousarray(codes[:, 0]) if framed and value.type.clock == "const" else codes


def observe_graph(graph: Graph, codes: Array) -> Observation:
    """Run a graph in the interpreter and return everything that a target must reproduce."""
    wanted = _wanted(graph.ops)
    by_name: dict[str, list[Array]] = {name: [] for name in wanted}

    def collect(step: int, value: Value, array: Array) -> None:
        if value.name in by_name:
            by_name[value.name].append(array)

    results = interpret(graph, named_inputs(graph, codes), collect)
    series = {name: np.stack(arrays, axis=1) for name, arrays in by_name.items()}
    logits = results[graph.outputs[0].name]
    return Observation(logits, _spikes(graph, series), _states(graph, series), _gates(graph, series))


def _wanted(ops: Iterable[Op]) -> set[str]:
    names = {v.name for op in ops if isinstance(op, Spiking) for v in op.outputs}
    names |= {op.out.name for op in ops if isinstance(op, Greater)}
    return names | {op.inputs[0].name for op in ops if isinstance(op, SpatialMask)}


def _spikes(graph: Graph, series: dict[str, Array]) -> dict[str, Array]:
    return {layer_of(op): series[op.out.name] for op in graph.ops if isinstance(op, Spiking)}


def _states(graph: Graph, series: dict[str, Array]) -> dict[str, Array]:
    """Return the states [N, T, ...] of each layer, [N, T, 2, ...] for a neuron of two states."""
    states = {op: [series[v.name] for v in op.state_outputs] for op in graph.ops if isinstance(op, Spiking)}
    return {layer_of(op): parts[0] if op.memory == 1 else np.stack(parts, axis=2) for op, parts in states.items()}


def _gates(graph: Graph, series: dict[str, Array]) -> dict[str, Array]:
    gates = {layer_of(op): series[op.out.name] for op in graph.ops if isinstance(op, Greater)}
    for op in graph.ops:
        if isinstance(op, SpatialMask):
            x, scale = series[op.inputs[0].name], op.type_of(0).scale
            gates[layer_of(op) + KEEP] = (np.abs(x) > x.dtype.type(op.threshold / scale)).astype(np.int64)
    return gates
