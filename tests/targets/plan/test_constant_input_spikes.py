"""Spike trains from one number: neurons whose input does not change in time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.exact import check
from support.kernel_sites import sites
from support.processors import needs_v3

from spqc.ir import Array, Builder, Graph, Type, Value, ops
from spqc.ir.ops import Automaton
from spqc.ir.types import state_type
from spqc.targets._plan.constant_input_spikes import SpikesByPlace, find_spikes
from spqc.targets._plan.neurons import constant_input_spikes

rng = np.random.default_rng

# next states, the outcome that fires first, what each state carries
AUTOMATA: dict[str, tuple[tuple[int, ...], int, tuple[int, ...]]] = {
    "ternary, hard reset": ((-1, 0, 1, 0), 3, ()),
    "ternary, soft reset": ((-1, 0, 1, -1, 0, 1), 3, ()),
    "binary": ((0, 1, 0), 2, ()),
    "without memory": ((0, 0), 1, ()),
    "carries": ((-2, -1, 0, 1, 2, 0), 5, (-9, -4, 0, 5, 11)),
}


def automaton(name: str) -> Automaton:
    following, fires, carry = AUTOMATA[name]
    return Automaton((), (), "", following=following, fires=fires, carry=carry)


def thresholds(op: Automaton, channels: int, seed: int, spread: int = 20) -> Array:
    """Return ascending thresholds, some of them equal, some that no sum or every sum reaches."""
    shape = (1 if op.carry else op.states, len(op.following) - 1, channels)
    theta = np.sort(rng(seed).integers(-spread, spread, shape), axis=1)
    theta[0, -1, 0], theta[-1, 0, -1] = 2**30, -(2**30)
    return theta


def read(trains: SpikesByPlace, n: Array) -> Array:
    """Return the packed spikes of sums [sample, channel], from the vectors that the kernel reads."""
    vectors = trains.vectors(16)
    columns = vectors.transpose(0, 2, 1).reshape(-1, vectors.shape[1])[: n.shape[1]]
    words = np.broadcast_to(columns[:, 0], n.shape).copy()
    for place, flips in columns[:, 1:].reshape(len(columns), -1, 2).transpose(1, 2, 0):
        words ^= np.where(n >= place, flips, 0)
    return words


@pytest.mark.parametrize("name", AUTOMATA)
@pytest.mark.parametrize("seed", range(4))
def test_trains_are_the_automaton_step_by_step(name: str, seed: int) -> None:
    """Every sum near the thresholds, in one channel or many that share a table or not."""
    op, channels, steps = automaton(name), 1 + 9 * seed, 1 + 3 * seed
    theta = thresholds(op, channels if seed % 2 else 1, seed)
    n = np.repeat(np.arange(-60, 60)[:, None], channels, axis=1)
    code, wanted = np.zeros_like(n), np.zeros_like(n)
    for step in range(steps):
        spikes, code = op.evaluate(n, code, theta)
        wanted |= spikes << step
    found = find_spikes(op, theta, channels, steps)
    np.testing.assert_array_equal(read(found, n), wanted)
    assert found.count <= 5 * op.states * len(op.following)


def network(
    name: str, steps: int, *, pool: Any = None, size: int = 9, channels: int = 37, turned: bool = False
) -> Graph:
    """Return a convolution of one frame, the automaton over its sums, perhaps a pooling, and a head."""
    op, build, draw = automaton(name), Builder("still", steps), rng(3)
    x = build.input("x", Type("uint", 8, (3, size, size), "const", 1 / 256))
    weight = draw.integers(-7, 8, (channels, 3, 3, 3))
    w = build.constant("w", Type("int", 4, weight.shape), weight)
    (n,) = build.op(ops.Conv2d, x, w, origin="features.0 (Conv)", padding=1)
    (n,) = build.op(ops.Repeat, n)
    s = fire(build, n, op, turned)
    if pool is not None:
        (s,) = build.op(pool, s, kernel=2)
    (flat,) = build.op(ops.Flatten, s)
    head = build.constant("head", Type("int", 4, (3, flat.type.size)), draw.integers(-7, 8, (3, flat.type.size)))
    return build.graph(build.op(ops.Linear, flat, head, origin="classifier (Linear)")[0])


def fire(build: Builder, n: Value, op: Automaton, turned: bool) -> Value:
    """Append the automaton; `turned`: every other channel counts down."""
    channels = n.type.shape[0]
    theta = thresholds(op, channels, 5, spread=2000)
    limits = build.constant("theta", Type("int", 32, theta.shape), theta)
    state = build.state("m", state_type(op.low, max(op.following), n.type.shape))
    options: dict[str, Any] = {"following": op.following, "fires": op.fires, "carry": op.carry}
    direction: list[Value] = []
    if turned:
        signs = 1 - 2 * (np.arange(channels) % 2)
        direction = [build.constant("direction", Type("int", 2, (channels,)), signs)]
        options["reads"] = ("direction",)
    spike, after = build.op(Automaton, n, state, limits, *direction, origin="features.0 (Conv)", **options)
    build.nexts.append(after)
    return spike


CASES: dict[str, dict[str, Any]] = {
    "four steps": {"name": "ternary, hard reset", "steps": 4},
    "sixteen steps": {"name": "ternary, soft reset", "steps": 16, "channels": 5},
    "joined windows": {"name": "ternary, hard reset", "steps": 5, "pool": ops.MaxPool},
    "binary": {"name": "binary", "steps": 9},
    "carries": {"name": "carries", "steps": 7, "pool": ops.MaxPool, "size": 8},
    "no memory": {"name": "without memory", "steps": 3},
}


def trains_in(graph: Graph) -> SpikesByPlace | None:
    one = next(s for s in sites(graph) if s.region.kernel.ops[0].origin.startswith("features.0"))
    return constant_input_spikes(one.program, one.region, one.constants)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("cpu", ["host", pytest.param("x86-64-v3", marks=needs_v3)])
def test_still_frames_are_exact(case: str, cpu: str) -> None:
    """Spikes, states and logits of three samples, streamed too; every other case on two threads."""
    graph = network(**CASES[case])
    assert trains_in(graph) is not None
    check(graph, f"llvm{{cpu={cpu} threads={1 + list(CASES).index(case) % 2}}}", 3)


@pytest.mark.parametrize(
    "case", [{"steps": 4, "turned": True}, {"steps": 4, "pool": ops.SumPool}, {"steps": 1}], ids=str
)
def test_other_neurons_go_step_by_step(case: dict[str, Any]) -> None:
    graph = network("ternary, hard reset", **case)
    assert trains_in(graph) is None
    check(graph, "llvm", 4)
