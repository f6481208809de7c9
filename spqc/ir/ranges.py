"""Integer ranges, proven from types and from the actual weights."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .graph import Graph
from .op import Op
from .ops import Add, Attention, Bias, Combine, Conv, Flatten, GlobalSum, Linear, MaxPool, Repeat, Reshape, SumPool

Bounds = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]


def bounds(graph: Graph, name: str) -> Bounds:
    """Return the smallest and largest integer each channel of a value can hold: arrays that broadcast over channels."""
    value, op = graph.values[name], graph.producers.get(name)
    if op is None:
        return _input_bounds(graph, name)
    if isinstance(op, Conv | Linear) and op.inputs[1].name in graph.data:
        return sum_bounds(graph, op)
    if isinstance(op, SumPool):
        low, high = bounds(graph, op.inputs[0].name)
        if op.padding != (0,):  # a window at the edge adds fewer elements
            low, high = np.minimum(low, 0), np.maximum(high, 0)
        return low * op.window, high * op.window
    if isinstance(op, GlobalSum):
        low, high = bounds(graph, op.inputs[0].name)
        pixels = op.type_of(0).size // op.type_of(0).shape[0]
        return low * pixels, high * pixels
    if isinstance(op, Bias) and op.inputs[1].name in graph.data:
        low, high = bounds(graph, op.inputs[0].name)
        extra = graph.data[op.inputs[1].name].astype(np.int64)
        return low + extra, high + extra
    if isinstance(op, Add) and op.counts:
        low, high = bounds(graph, op.inputs[0].name)
        more_low, more_high = bounds(graph, op.inputs[1].name)
        return low + more_low, high + more_high
    if isinstance(op, Combine) and op.inputs[2].name in graph.data and op.inputs[3].name in graph.data:
        first, second = (_scaled(graph, op, i) for i in range(2))
        return first[0] + second[0], first[1] + second[1]
    if isinstance(op, Attention):
        return _of(0, op.bound(*(int(bounds(graph, v.name)[1].max()) for v in op.inputs)))
    if isinstance(op, Repeat | MaxPool):
        return bounds(graph, op.inputs[0].name)
    if isinstance(op, Flatten | Reshape):
        low, high = bounds(graph, op.inputs[0].name)
        return low.min(keepdims=True), high.max(keepdims=True)
    return _of(*value.type.range)


def sum_bounds(graph: Graph, op: Op) -> Bounds:
    """Return the range of each output channel of a sum: its positive and negative weights at their worst inputs."""
    low, high = bounds(graph, op.inputs[0].name)
    smallest, largest = int(low.min()), int(high.max())
    weights = graph.data[op.inputs[1].name].astype(np.int64)
    flat = weights.reshape(weights.shape[0], -1)
    positive, negative = np.maximum(flat, 0).sum(axis=1), np.minimum(flat, 0).sum(axis=1)
    # zero padding adds 0 to the inputs' range
    smallest, largest = min(smallest, 0), max(largest, 0)
    return negative * largest + positive * smallest, positive * largest + negative * smallest


def _scaled(graph: Graph, op: Op, index: int) -> Bounds:
    """Return the range of an operand times its factors, which come two operands later."""
    factors = graph.data[op.inputs[index + 2].name].astype(np.int64)
    low, high = bounds(graph, op.inputs[index].name)
    return np.minimum(low * factors, high * factors), np.maximum(low * factors, high * factors)


def _input_bounds(graph: Graph, name: str) -> Bounds:
    declared = graph.note("input_max")
    value = graph.values[name]
    if declared and value in graph.inputs:
        return _of(0, int(declared))
    return _of(*value.type.range)


def _of(low: int, high: int) -> Bounds:
    return np.array([low], np.int64), np.array([high], np.int64)
