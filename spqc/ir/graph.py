"""The temporal graph: one synchronous step of a spiking network, run for t = 0 .. steps-1."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import networkx as nx
import numpy as np

from .op import Op
from .printer import print_graph
from .types import Array
from .value import Value


@dataclass(frozen=True)
class Graph:
    """One step of the network. `nexts[i]` is the value that `states[i]` takes at the following step.

    States start at 0. `data` holds the arrays of the constants, beside the text: equality compares the text only.
    `notes` carries what the compiler must hand to the runtime (input format, layer names), as text.
    """

    name: str
    steps: int
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    constants: tuple[Value, ...] = ()
    states: tuple[Value, ...] = ()
    ops: tuple[Op, ...] = ()
    nexts: tuple[Value, ...] = ()
    notes: tuple[tuple[str, str], ...] = ()
    data: Mapping[str, Array] = field(default_factory=dict, compare=False, repr=False)

    def __str__(self) -> str:
        return print_graph(self)

    @cached_property
    def values(self) -> dict[str, Value]:
        """Every value by its name: inputs, constants, states and the results of operators."""
        given = {v.name: v for v in (*self.inputs, *self.constants, *self.states)}
        return given | {v.name: v for op in self.ops for v in op.outputs}

    @cached_property
    def producers(self) -> dict[str, Op]:
        """The operator that computes a value, by the name of the value; inputs, constants and states have none."""
        return {v.name: op for op in self.ops for v in op.outputs}

    @cached_property
    def readers(self) -> dict[str, tuple[Op, ...]]:
        """The operators that read a value, in their order, by its name; a value that none reads is missing."""
        readers: dict[str, list[Op]] = {}
        for op in self.ops:
            for name in dict.fromkeys(v.name for v in op.inputs):
                readers.setdefault(name, []).append(op)
        return {name: tuple(ops) for name, ops in readers.items()}

    @cached_property
    def kept(self) -> frozenset[str]:
        """The names of the values that outlive the step: results and next states."""
        return frozenset(v.name for v in (*self.outputs, *self.nexts))

    def note(self, key: str, default: str = "") -> str:
        """Return the text of a note, or `default` where there is none."""
        return dict(self.notes).get(key, default)

    def only_reader(self, name: str) -> Op | None:
        """Return the one operator that reads the value, or None where there are more, or it outlives the step."""
        readers = self.readers.get(name, ())
        return readers[0] if len(readers) == 1 and name not in self.kept else None

    def digest(self) -> str:
        """Return the sha256 of the text and the constants: the key of caches and records."""
        total = hashlib.sha256(str(self).encode())
        for constant in self.constants:
            array = np.ascontiguousarray(self.data[constant.name])
            total.update(constant.name.encode() + str(array.dtype).encode() + array.tobytes())
        return total.hexdigest()

    def to_networkx(self) -> nx.DiGraph[str]:
        """Return values and operators as a graph; an edge from `next` to its state is marked `delay`."""
        digraph: nx.DiGraph[str] = nx.DiGraph()
        for value in self.values.values():
            digraph.add_node(value.name, value=value)
        for index, op in enumerate(self.ops):
            node = f"op{index}"
            digraph.add_node(node, op=op)
            digraph.add_edges_from((v.name, node) for v in op.inputs)
            digraph.add_edges_from((node, v.name) for v in op.outputs)
        for state, following in zip(self.states, self.nexts, strict=False):
            digraph.add_edge(following.name, state.name, delay=True)
        return digraph
