"""A target: counts the additions of one inference, and runs the network in the interpreter."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from spqc.contracts import Advice, Binary, Executor, Observation, Package, Stream, Target
from spqc.ir import Array, Graph, Op, interpret
from spqc.ir.interpret import run_ops
from spqc.ir.ops import Conv, Linear, Neuron
from spqc.ir.program import Program
from spqc.runtime.observe import named_inputs, observe_graph


@dataclass(frozen=True)
class OperationCount(Target):
    """Writes operations.json; `weights=nonzero` leaves out the weights that are 0."""

    weights: Literal["all", "nonzero"] = "all"
    name: ClassVar[str] = "operation-count"

    def pipeline(self) -> str:
        return "fold-neurons,remove-dead,hoist-constant,remove-dead"

    def check(self, graph: Graph) -> list[str]:
        """Refuse the neurons that are no tables: they multiply, and nobody would count it."""
        return [f"{op.origin or op}: a neuron that no table replaces" for op in graph.ops if isinstance(op, Neuron)]

    def emit(self, graph: Graph, programs: Mapping[str, Program], advice: Advice) -> Binary:
        counts = {op.out.name: self.additions(graph, op) for op in graph.ops if isinstance(op, Conv | Linear)}
        total = sum(counts.values())
        text = json.dumps({"additions": total, "by_result": counts}, indent=1) + "\n"
        return Binary({"operations.json": text.encode()}, {"additions": total})

    def additions(self, graph: Graph, op: Op) -> int:
        """Return how often a weight is added in one inference, counting padding as if it were an input."""
        weight = graph.data[op.inputs[1].name]
        used = weight.size if self.weights == "all" else int(np.count_nonzero(weight))
        pixels = op.out.type.size // op.out.type.shape[0]
        return used * pixels * (1 if op.out.type.clock == "const" else graph.steps)

    @classmethod
    def open(cls, package: Package) -> Executor:
        return Interpreted(package.graph)


class Interpreted(Executor):
    """Runs a graph in the interpreter."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def run(self, x: Array) -> Array:
        return interpret(self.graph, named_inputs(self.graph, x))[self.graph.outputs[0].name]

    def trace(self, x: Array) -> Observation:
        return observe_graph(self.graph, x)

    def stream(self, samples: int) -> Stream:
        return InterpretedStream(self.graph, samples)


class InterpretedStream(Stream):
    """Keeps the states of one stream between two steps."""

    def __init__(self, graph: Graph, samples: int) -> None:
        self.graph, self.samples = graph, samples
        self.constants = {v.name: np.asarray(graph.data[v.name]).astype(v.type.dtype) for v in graph.constants}
        self.kept: Mapping[str, Array]
        self.kept = {v.name: np.zeros((samples, *v.type.shape), v.type.dtype) for v in graph.states}

    def step(self, frame: Array) -> Array:
        (value,) = self.graph.inputs
        values = {**self.constants, **self.kept, value.name: frame.astype(value.type.dtype)}
        run_ops(self.graph.ops, values)
        self.kept = {s.name: values[n.name] for s, n in zip(self.graph.states, self.graph.nexts, strict=True)}
        return values[self.graph.outputs[0].name]

    def states(self) -> Mapping[str, Array]:
        return self.kept

    def restore(self, states: Mapping[str, Array]) -> None:
        self.kept = states


PLUGIN = OperationCount
