"""Every pass keeps the meaning: on random networks the interpreter's results stay the same, bit for bit."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.random_graphs import Maker, random_codes

from spqc.ir import Array, Builder, Graph, Type, Value, interpret, parse_graph, verify
from spqc.ir.interpret_program import interpret_program
from spqc.ir.ops import Add, Affine, Conv2d, Flatten, Linear, Neuron
from spqc.ir.program import Program
from spqc.ir.types import state_type
from spqc.plugins import pipeline
from spqc.plugins.passes import Module, Pass
from spqc.targets.llvm import Llvm

GRAPH_PASSES = Llvm().pipeline()
LOWERINGS = Llvm().lowerings()
BATCH = 2

seeds = st.integers(0, 2**20)
derandomised = settings(
    max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


def projected(seed: int, greatest: int = 7) -> Graph:
    """Return a network whose neuron two sums decide (a projected residual), on a dyadic lattice: for `fix-point`.

    Weights up to `greatest`: the greater, the less room they leave for `combine-branches`.
    """
    rng = np.random.default_rng(seed)
    build = Builder("net", 3)
    x = build.input("x", Type("spike", 1, (2, 5, 5)))

    def branch(name: str, kernel: int) -> Value:
        shape = (4, 2, kernel, kernel)
        weight = rng.integers(-greatest, greatest + 1, shape)
        w = build.constant(f"w{name}", Type("int", 16, shape, "const", 0.25), weight)
        (n,) = build.op(Conv2d, x, w, padding=kernel // 2)
        near = [rng.integers(-(2**20), 2**20, 4) / 2**22 for _ in "ab"]
        a, b = (build.constant(f"{k}{name}", Type("float", 64, (4,)), v) for k, v in zip("ab", near, strict=True))
        return build.op(Affine, n, a, b)[0]

    (charge,) = build.op(Add, branch("1", 3), branch("2", 1))
    spike, following = build.op(Neuron, charge, build.state("v", state_type(-1, 1, charge.type.shape)))
    build.nexts.append(following)
    (flat,) = build.op(Flatten, spike)
    head = build.constant("head", Type("int", 4, (3, 100)), rng.integers(-7, 8, (3, 100)))
    return build.graph(*build.op(Linear, flat, head))


def branched(seed: int) -> Graph:
    """Return a random network whose layers add their spikes to an integer stream that the next layer reads."""
    return Maker(seed).stream()


def attending(seed: int) -> Graph:
    """Return a random network with an attention."""
    return Maker(seed).attention()


NETWORKS = {
    "random": lambda seed: Maker(seed).graph(3),
    "projected": projected,
    "projected, long sums": lambda seed: projected(seed, greatest=2000),
    "branched": branched,
    "attending": attending,
}


@cache
def optimised(kind: str, seed: int) -> Graph:
    """Return a network after the graph passes."""
    found = pipeline.run(NETWORKS[kind](seed), pipeline.parse(GRAPH_PASSES))
    assert isinstance(found, Graph)
    return found


def assert_same(found: dict[str, Array], wanted: dict[str, Array], after: Pass) -> None:
    assert list(found) == list(wanted), after
    for name, array in wanted.items():
        np.testing.assert_array_equal(found[name], array, err_msg=f"{name} after {after}", strict=True)


def apply_once(one: Pass, module: Module) -> Module:
    """Return the result of a pass, which a second run must leave as it is: the same object."""
    result = one.run(module)
    assert one.run(result) is result, f"{one} changes its own result"
    return result


@pytest.mark.parametrize("kind", NETWORKS)
@derandomised
@given(seed=seeds)
def test_graph_passes_keep_results(kind: str, seed: int) -> None:
    graph = NETWORKS[kind](seed)
    codes = random_codes(graph, BATCH, seed)
    wanted = interpret(graph, codes)
    for one in pipeline.parse(GRAPH_PASSES):
        result = apply_once(one, graph)
        assert isinstance(result, Graph)
        graph = verify(result)
        assert parse_graph(str(graph)) == graph, one
        assert_same(interpret(graph, codes), wanted, one)


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("name", LOWERINGS)
@derandomised
@given(seed=seeds)
def test_program_passes_keep_results(name: str, kind: str, seed: int) -> None:
    graph = optimised(kind, seed)
    codes = random_codes(graph, BATCH, seed)
    wanted = interpret(graph, codes)
    module: Module = graph
    for one in pipeline.parse(LOWERINGS[name]):
        module = apply_once(one, module)
        assert isinstance(module, Program), one
        assert_same(interpret_program(module, codes), wanted, one)


def test_every_pass_has_work() -> None:
    """The networks above show nothing about a pass that leaves all of them alone."""
    wanted, changed = set(), set()
    for network in NETWORKS.values():
        for seed in range(12):
            for lowering in LOWERINGS.values():
                module: Module = network(seed)
                for one in pipeline.parse(f"{GRAPH_PASSES},{lowering}"):
                    result = one.run(module)
                    wanted.add(one.name)
                    changed |= {one.name} if result is not module else set()
                    module = result
    assert changed == wanted
