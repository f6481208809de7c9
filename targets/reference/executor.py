"""Runs a graph in the interpreter, whole or step by step; between steps the state is packed at its true width."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from spqc.foundation.errors import InputError
from spqc.foundation.locks import ForkLock
from spqc.ir import Array, Graph, Type, interpret
from spqc.ir.interpret import run_ops
from spqc.plugins.executor import Executor, Stream
from spqc.plugins.frontend import Observation
from spqc.runtime.observe import named_inputs, observe_graph
from spqc.runtime.packing import pack, unpack


class ReferenceExecutor(Executor):
    """The interpreter behind the executor contract."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def run(self, x: Array) -> Array:
        return interpret(self.graph, named_inputs(self.graph, x))[self.graph.outputs[0].name]

    def trace(self, x: Array) -> Observation:
        return observe_graph(self.graph, x)

    def stream(self, samples: int) -> ReferenceStream:
        return ReferenceStream(self.graph, samples)


class ReferenceStream(Stream):
    """The packed states of a batch; a step that fails leaves them as they were."""

    def __init__(self, graph: Graph, samples: int) -> None:
        if samples < 1:
            raise InputError(f"a stream holds one sample or more, not {samples}")
        self.samples = samples
        self._graph = graph
        self._constants = {v.name: np.asarray(graph.data[v.name]).astype(v.type.dtype) for v in graph.constants}
        self._lock = ForkLock()
        self._packed: dict[str, bytes] = {}
        self.restore({v.name: np.zeros((samples, *v.type.shape), v.type.dtype) for v in graph.states})

    def step(self, frame: Array) -> Array:
        (value,) = self._graph.inputs
        if frame.shape != (self.samples, *value.type.shape):
            wanted = ", ".join(map(str, (self.samples, *value.type.shape)))
            raise InputError(f"a frame of shape {list(frame.shape)} cannot be read", hint=f"give [{wanted}]")
        with self._lock.now:
            values = {**self._constants, **self.states(), value.name: frame.astype(value.type.dtype)}
            run_ops(self._graph.ops, values)
            pairs = zip(self._graph.states, self._graph.nexts, strict=True)
            self.restore({state.name: values[following.name] for state, following in pairs})
        return values[self._graph.outputs[0].name]

    def states(self) -> dict[str, Array]:
        return {v.name: unpack(self._packed[v.name], self._batched(v.type)) for v in self._graph.states}

    def restore(self, states: Mapping[str, Array]) -> None:
        with self._lock.now:
            self._packed = {v.name: pack(states[v.name], self._batched(v.type)) for v in self._graph.states}

    def _batched(self, type_: Type) -> Type:
        return replace(type_, shape=(self.samples, *type_.shape))
