"""A network in floats with time folded into the batch, as every peer runs it: one walk over the graph, many back ends.

Values are [T*N, ...] (time first), and a batch norm is folded into the convolution before it wherever nothing stands
between: what an engineer who deploys a spiking network with today's tools would do.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from spqc.ir import Graph, Op
from spqc.plugins import pipeline
from spqc.plugins.passes import Module

Floats = npt.NDArray[np.float32]


class Form(Protocol):
    """What a back end offers; values are its own handles."""

    def input(self) -> Any: ...
    def repeat(self, x: Any) -> Any: ...
    def conv(self, x: Any, weight: Floats, bias: Floats | None, op: Op) -> Any: ...
    def linear(self, x: Any, weight: Floats, bias: Floats | None) -> Any: ...
    def affine(self, x: Any, gain: Floats, offset: Floats, rank: int) -> Any: ...
    def add(self, x: Any, y: Any, scale: float) -> Any: ...
    def neuron(self, x: Any, op: Any) -> Any: ...
    def sum_pool(self, x: Any, op: Any) -> Any: ...
    def max_pool(self, x: Any, op: Any) -> Any: ...
    def global_sum(self, x: Any) -> Any: ...
    def flatten(self, x: Any) -> Any: ...
    def attention(self, x: Any, op: Any) -> Any: ...


def hoisted(graph: Graph) -> Graph:
    """Return the graph with what is constant in time computed once: the peers get this for nothing too."""
    simplified: Module = pipeline.run(graph, pipeline.parse("hoist-constant"))
    if not isinstance(simplified, Graph):
        raise TypeError("hoist-constant keeps a graph a graph")
    return simplified


def walk(graph: Graph, form: Form) -> Any:
    """Return the back end's handle of the logits [T*N, classes], in integer units."""
    values: dict[str, Any] = {graph.inputs[0].name: form.input()}
    for op in graph.ops:
        if op.out.name not in values:
            _emit(graph, form, op, values)
    return values[graph.outputs[0].name]


def _emit(graph: Graph, form: Form, op: Op, values: dict[str, Any]) -> None:
    first = values.get(op.inputs[0].name)
    kind = op.name
    if kind in ("conv2d", "linear"):
        _weighted_sum(graph, form, op, values)
    elif kind == "affine":
        gain, offset = (graph.data[v.name].astype(np.float32) for v in op.inputs[1:])
        values[op.out.name] = form.affine(first, gain, offset, len(op.out.type.shape))
    elif kind == "bias":
        offset = graph.data[op.inputs[1].name].astype(np.float32)
        values[op.out.name] = form.affine(first, np.ones_like(offset), offset, len(op.out.type.shape))
    elif kind == "add":
        counted = op.type_of(1).is_integer and not op.type_of(0).is_integer
        values[op.out.name] = form.add(first, values[op.inputs[1].name], op.type_of(1).scale if counted else 1.0)
    elif kind in ("neuron", "sum_pool", "max_pool"):
        values[op.out.name] = getattr(form, kind)(first, op)
    elif kind in ("global_sum", "flatten", "repeat"):
        values[op.out.name] = getattr(form, kind)(first)
    elif kind == "attention":
        values[op.out.name] = form.attention([values[v.name] for v in op.inputs], op)
    else:
        raise SystemExit(f"the peers have no form of the operator '{kind}'")


def _weighted_sum(graph: Graph, form: Form, op: Op, values: dict[str, Any]) -> None:
    """Emit a sum together with the affine or bias that alone reads it."""
    weight = graph.data[op.inputs[1].name].astype(np.float32)
    bias, result = None, op.out.name
    follower = graph.only_reader(op.out.name)
    if follower is not None and follower.name == "affine":
        gain, bias = (graph.data[v.name].astype(np.float32) for v in follower.inputs[1:])
        weight, result = weight * gain.reshape(-1, *(1,) * (weight.ndim - 1)), follower.out.name
    elif follower is not None and follower.name == "bias":
        bias, result = graph.data[follower.inputs[1].name].astype(np.float32), follower.out.name
    x = values[op.inputs[0].name]
    values[result] = form.linear(x, weight, bias) if op.name == "linear" else form.conv(x, weight, bias, op)


def pair(value: int | tuple[int, ...]) -> tuple[int, int]:
    """Return a stride, padding or kernel as (rows, columns)."""
    sides = (value,) if isinstance(value, int) else value
    return int(sides[0]), int(sides[-1])
