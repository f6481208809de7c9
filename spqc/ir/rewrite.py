"""Tools that build and change graphs; graphs themselves never change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .graph import Graph
from .op import Op
from .types import Array, Type
from .value import Value


@dataclass
class Builder:
    """Collects the parts of a graph; results are typed by inference and named in order."""

    name: str
    steps: int
    inputs: list[Value] = field(default_factory=list)
    constants: list[Value] = field(default_factory=list)
    states: list[Value] = field(default_factory=list)
    ops: list[Op] = field(default_factory=list)
    nexts: list[Value] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    data: dict[str, Array] = field(default_factory=dict)
    _count: int = 0

    def input(self, name: str, type_: Type) -> Value:
        """Add an input, `%name`."""
        self.inputs.append(Value(f"%{name}", type_))
        return self.inputs[-1]

    def constant(self, name: str, type_: Type, array: Array) -> Value:
        """Add a constant, `@name`, with its array; its clock becomes `const`."""
        self.constants.append(Value(f"@{name}", replace(type_, clock="const")))
        self.data[f"@{name}"] = frozen(array)
        return self.constants[-1]

    def state(self, name: str, type_: Type) -> Value:
        """Add a state, `$name`; the value that it takes next belongs in `nexts`, in the same order."""
        self.states.append(Value(f"${name}", type_))
        return self.states[-1]

    def op(self, cls: type[Op], *inputs: Value, origin: str = "", **attributes: Any) -> tuple[Value, ...]:
        """Append an operator and return its results, of inferred types. Raises GraphError where operands do not fit."""
        types = cls(inputs, (), origin, **attributes).infer()
        outputs = tuple(Value(f"%{self._count + i}", t) for i, t in enumerate(types))
        self._count += len(types)
        self.ops.append(cls(inputs, outputs, origin, **attributes))
        return outputs

    def graph(self, *outputs: Value) -> Graph:
        """Return the finished graph; `nexts` must be in the order of `states`."""
        return Graph(
            self.name,
            self.steps,
            tuple(self.inputs),
            outputs,
            tuple(self.constants),
            tuple(self.states),
            tuple(self.ops),
            tuple(self.nexts),
            tuple(self.notes),
            dict(self.data),
        )


def frozen(array: Array) -> Array:
    """Return a read-only copy: constants are shared between graphs. One element repeated stays as it is."""
    if array.size > 1 and not array.flags.writeable and not any(array.strides):
        return array
    copy = np.array(array)
    copy.setflags(write=False)
    return copy


def rename(op: Op, names: Mapping[str, Value]) -> Op:
    """Return an operator that reads `names[x]` where it read x; the same object where it reads none of them."""
    inputs = tuple(names.get(v.name, v) for v in op.inputs)
    return op if inputs == op.inputs else replace(op, inputs=inputs)


def retype(graph: Graph, ops: Iterable[Op], **changes: Any) -> Graph:
    """Return the graph with these operators, results retyped by inference wherever an operand's type changed.

    Declared widths of sums survive; everything else is inferred again, in order.
    """
    merged = replace(graph, **changes)
    names = {v.name: v for v in (*merged.inputs, *merged.constants, *merged.states)}
    fresh: list[Op] = []
    for op in ops:
        op = rename(op, names)
        types = op.infer()
        outputs = tuple(v if op.accepts(v.type, i) else Value(v.name, types[i]) for i, v in enumerate(op.outputs))
        op = op if outputs == op.outputs else replace(op, outputs=outputs)
        names |= {v.name: v for v in outputs}
        fresh.append(op)
    return replace(
        merged,
        ops=tuple(fresh),
        outputs=tuple(names[v.name] for v in merged.outputs),
        nexts=tuple(names[v.name] for v in merged.nexts),
    )


def with_data(graph: Graph, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Return the graph's arrays by name, with some replaced or added: read-only copies."""
    return {**graph.data, **{name: frozen(array) for name, array in arrays.items()}}


def map_ops(graph: Graph, change: Callable[[Op], Op]) -> Graph:
    """Return the graph with each operator changed; the same object when none is."""
    ops = tuple(change(op) for op in graph.ops)
    return graph if ops == graph.ops else retype(graph, ops)
