"""The kernels of a graph that a strategy may compute, and graphs drawn until a strategy may."""

from __future__ import annotations

from spqc.ir import Graph
from spqc.ir.program import Program
from spqc.plugins import pipeline
from spqc.targets._plan.choice import site
from spqc.targets._plan.constants import Constants
from spqc.targets._plan.machine import Machine
from spqc.targets._plan.strategy import Site
from spqc.targets.llvm import Llvm
from spqc.targets.llvm.strategies import strategies


def sites(graph: Graph, features: frozenset[str] = frozenset()) -> list[Site]:
    """Return the kernels of a graph that a strategy may compute, over a fused window."""
    return _sites(_optimised(graph), features)


def serves(name: str, graph: Graph, features: frozenset[str]) -> bool:
    """Return whether a strategy computes a hidden layer of a graph that the target llvm takes."""
    done, strategy = _optimised(graph), strategies()[name]
    hidden = (one for one in _sites(done, features) if one.region.neuron is not None)
    return not Llvm().check(done) and any(not strategy.refuses(one) for one in hidden)


def _optimised(graph: Graph) -> Graph:
    done = pipeline.run(graph, pipeline.parse(Llvm().pipeline()))
    assert isinstance(done, Graph)
    return done


def _sites(done: Graph, features: frozenset[str]) -> list[Site]:
    program = pipeline.run(done, pipeline.parse(Llvm().lowerings()["run"]))
    assert isinstance(program, Program)
    found = (
        site(program, kernel, Machine(features), Constants(done, program.layout.tile)) for kernel in program.kernels
    )
    return [s for s in found if s is not None]
