"""Runs a graph in the interpreter, whole or step by step; between steps the state is packed at its true width."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spqc.contracts import Executor, Observation
from spqc.errors import InputError
from spqc.ir import Array, Graph, Type, interpret
from spqc.ir.interpret import run_ops
from spqc.runtime.observe import named_inputs, observe_graph
from spqc.runtime.packing import pack, unpack


class ReferenceExecutor(Executor):
    """The interpreter behind the executor contract."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._batch = 0
        self._state: dict[str, bytes] = {}
        self._constants = {v.name: np.asarray(graph.data[v.name]).astype(v.type.dtype) for v in graph.constants}

    def run(self, x: Array) -> Array:
        return interpret(self.graph, named_inputs(self.graph, x))[self.graph.outputs[0].name]

    def trace(self, x: Array) -> Observation:
        return observe_graph(self.graph, x)

    def step(self, frame: Array) -> Array:
        if not self._state:
            self._batch = len(frame)
        if len(frame) != self._batch:
            raise InputError(
                f"the stream has {self._batch} samples, the frame {len(frame)}", hint="reset() starts a new stream"
            )
        (value,) = self.graph.inputs
        found = {**self._constants, **self._unpacked(), value.name: frame.astype(value.type.dtype)}
        run_ops(self.graph.ops, found)
        for state, following in zip(self.graph.states, self.graph.nexts, strict=True):
            self._state[state.name] = pack(found[following.name], self._batched(state.type))
        return found[self.graph.outputs[0].name]

    def reset(self) -> None:
        self._state = {}

    def _unpacked(self) -> dict[str, Array]:
        types = {v.name: self._batched(v.type) for v in self.graph.states}
        zeros = {name: np.zeros(type_.shape, type_.dtype) for name, type_ in types.items()}
        return zeros | {name: unpack(content, types[name]) for name, content in self._state.items()}

    def _batched(self, type_: Type) -> Type:
        return replace(type_, shape=(self._batch, *type_.shape))
