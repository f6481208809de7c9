"""Neurons in lane order: tables of thresholds, and exactness of what follows rows of sums."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.exact import check
from support.kernel_sites import sites
from support.layers import neuron
from support.processors import needs_vbmi

from spqc.ir import Builder, Graph, Type, Value, ops
from spqc.ir.types import state_type

tvm = pytest.importorskip("tvm")

from spqc.targets._plan.machine import Machine  # noqa: E402  (tvm must be there)
from spqc.targets._plan.threshold_tables import Entries, threshold_vectors  # noqa: E402
from spqc.targets.llvm.kernels.lookup.plan import make_plan  # noqa: E402
from spqc.targets.llvm.kernels.rows.byte_permutes import PERMUTES  # noqa: E402
from spqc.targets.llvm.kernels.rows.lane_shape import LaneShape, lane_shape  # noqa: E402

LOOKUP = "llvm{strategy=lookup}"
rng = np.random.default_rng


def network(
    size: tuple[int, int],
    steps: int,
    *,
    channels: int = 19,
    following: tuple[int, ...] = (-1, 0, 1, 0),
    reads: tuple[str, ...] = (),
    counts: bool = False,
    carry: tuple[int, ...] = (),
    top: int = 1,
    pool: Any = None,
    side: int = 2,
    second: int = 0,
) -> Graph:
    """Return a copy of the input's spikes (`counts`: pooled), a residual or gated convolution, and a head.

    `second`: the greatest weight of a projection that is combined with the convolution; -1: the spikes themselves are.
    """
    draw = rng(6)
    build = Builder("lanes", steps)
    x = build.input("x", Type("spike", 1, (channels, *(s * (2 if counts else 1) for s in size))))
    eye = np.eye(channels, dtype=int)[..., None, None]
    (n,) = build.op(ops.Conv2d, x, build.constant("w0", Type("int", 2, eye.shape), eye), origin="features.0 (Copy)")
    s = neuron(build, n, "features.0 (Copy)", 0, np.full((3, 3, channels), 1))
    if counts:
        (s,) = build.op(ops.SumPool, s, kernel=2)
    weight = draw.choice([-top, -1, 0, 1, top], (channels, channels, 3, 3))
    w = build.constant("w", Type("int", 16, weight.shape), weight)
    (n,) = build.op(ops.Conv2d, s, w, origin="features.1 (Conv)", padding=1)
    if second:
        n = combined(build, n, s, second)
    s = automaton(build, n, s, following, reads, 5 if counts else 2, carry)
    if pool is not None:
        (s,) = build.op(pool, s, kernel=side)
    (flat,) = build.op(ops.Flatten, s)
    head = build.constant("head", Type("int", 4, (3, flat.type.size)), draw.integers(-7, 8, (3, flat.type.size)))
    return build.graph(build.op(ops.Linear, flat, head, origin="classifier (Linear)")[0])


def combined(build: Builder, n: Value, s: Value, top: int) -> Value:
    """Append a projection of s and what combines it with the sums n, channel by channel."""
    draw, channels = rng(9), n.type.shape[0]
    k = s
    if top > 0:
        weight = draw.integers(-top, top + 1, (channels, channels, 1, 1))
        w = build.constant("w1", Type("int", 16, weight.shape), weight)
        (k,) = build.op(ops.Conv2d, s, w, origin="short (Conv)")
    factors = (draw.integers(-(2**10), 2**10, channels) for _ in range(2))
    p, m = (build.constant(name, Type("int", 16, (channels,)), v) for name, v in zip("pm", factors, strict=True))
    return build.op(ops.Combine, n, k, p, m, origin="features.1 (Conv)")[0]


def automaton(
    build: Builder, n: Value, s: Value, following: tuple[int, ...], reads: tuple[str, ...], codes: int, carry: Any
) -> Value:
    """Append a random automaton over the sums n of s, `codes` codes of which are its identities."""
    channels, states = n.type.shape[0], max(following) - min(following) + 1
    identities = codes if "identity" in reads else 1
    shape = (1 if carry else states * identities, len(following) - 1, channels)
    spread = int(np.abs(build.data["@w"]).reshape(channels, -1).sum(1).max()) // 8 + 2
    spread *= 2**10 if "@p" in build.data else 1
    theta = np.sort(rng(7).integers(-spread, spread, shape), axis=1)
    theta[0, -1, 0], theta[-1, 0, -1] = 2**30, -(2**30)  # never, and always
    limits_ = build.constant("theta", Type("int", 32, shape), theta)
    others = [s] if "identity" in reads else []
    if "gate" in reads:
        (total,) = build.op(ops.GlobalSum, s, origin="features.1 (Conv)")
        mask = rng(8).integers(-9, 10, (channels, channels))
        (z,) = build.op(ops.Linear, total, build.constant("mask", Type("int", 8, mask.shape), mask))
        zero = build.constant("zero", Type("int", 8, (channels,)), np.zeros(channels, int))
        others += build.op(ops.Greater, z, zero, origin="features.1 (Conv)")
    state = build.state("m", state_type(min(following), max(following), n.type.shape))
    options: dict[str, Any] = {"following": following, "fires": len(following) - 1, "identities": identities}
    options |= {"reads": reads, "carry": carry, "rest": tuple(range(states)) if "gate" in reads else ()}
    spike, after = build.op(ops.Automaton, n, state, limits_, *others, origin="features.1 (Conv)", **options)
    build.nexts.append(after)
    return spike


CASES: dict[str, dict[str, Any]] = {
    "chunks end behind the map": {"size": (9, 11), "steps": 4},
    "one step": {"size": (8, 8), "steps": 1, "pool": ops.MaxPool},
    "windows in one chunk": {"size": (6, 32), "steps": 3, "pool": ops.MaxPool, "channels": 33},
    "windows over chunks": {"size": (9, 13), "steps": 3, "pool": ops.MaxPool, "channels": 5},
    "counts over chunks": {"size": (11, 13), "steps": 2, "pool": ops.SumPool, "channels": 5},
    "counts of three": {"size": (7, 7), "steps": 5, "pool": ops.SumPool, "side": 3},
    "two channels a vector": {"size": (4, 4), "steps": 4, "pool": ops.SumPool},
    "two channels, residual": {"size": (2, 3), "steps": 9, "reads": ("identity",)},
    "sums of 32 bits": {"size": (9, 9), "steps": 2, "top": 1024, "channels": 40, "pool": ops.MaxPool},
    "residual of counts": {"size": (9, 9), "steps": 2, "reads": ("identity",), "counts": True},
    "gates": {"size": (9, 9), "steps": 4, "reads": ("gate",)},
    "residual and gates, narrow": {"size": (4, 4), "steps": 3, "reads": ("identity", "gate")},
    "binary membrane": {"size": (8, 8), "steps": 4, "following": (0, 1, 0)},
    "carry": {"size": (8, 8), "steps": 4, "following": (-2, -1, 0, 1, 2, 0), "carry": (-9, -4, 0, 5, 11)},
    "two sums": {"size": (9, 11), "steps": 4, "second": 9, "pool": ops.MaxPool},
    "two sums, gates, narrow": {"size": (4, 4), "steps": 9, "second": 9, "reads": ("gate",), "channels": 33},
    "two sums, the second of 32 bits": {"size": (5, 6), "steps": 3, "second": 2000},
    "two sums, the second of spikes": {"size": (9, 9), "steps": 4, "second": -1},
    "two sums of 32 bits": {"size": (9, 9), "steps": 2, "top": 1024, "channels": 40, "second": 2000},
    "sixteen steps": {"size": (5, 5), "steps": 16, "reads": ("identity",), "channels": 6},
}


def shape_of(graph: Graph) -> LaneShape | None:
    """Return how the neurons of the second convolution lie in lane order."""
    one = next(s for s in sites(graph) if s.region.kernel.ops[0].origin.startswith("features.1"))
    planes = one.region.kernel.ops[0].type_of(0).range[1].bit_length()
    plan = make_plan(one.sum, one.constants, one.program.steps, planes, PERMUTES[0])
    return lane_shape(one.program, one.region, plan.lanes, one.constants, Machine(PERMUTES[0].features))


@needs_vbmi
@pytest.mark.parametrize("name", CASES)
def test_neurons_in_lane_order_are_exact(name: str) -> None:
    """Spikes, states, logits of three samples, streamed too; every other case on two threads."""
    graph = network(**CASES[name])
    found = shape_of(graph)
    assert found is not None
    assert found.sums == ("int32" if "sums of 32 bits" in name else "int16")
    assert found.dtype == ("int32" if "sums" in name else "int16")
    assert found.channels_per_vector == (2 if name.startswith("two channels") else 1)
    threads = 1 + list(CASES).index(name) % 2
    check(graph, f"llvm{{strategy=lookup threads={threads}}}", 3)


@needs_vbmi
@pytest.mark.parametrize(
    "case",
    [
        {"size": (4, 4), "steps": 17},
        {"size": (4, 4), "steps": 2, "following": tuple(range(-20, 20)) + (0,)},
        {"size": (4, 4), "steps": 2, "reads": ("identity",), "counts": True},
        {"size": (9, 9), "steps": 2, "following": (*range(-10, 10), 0)},
    ],
)
def test_other_neurons_take_the_transposed_way(case: dict[str, Any]) -> None:
    graph = network(**case)
    assert shape_of(graph) is None
    check(graph, LOOKUP, 4)


def test_limits_of_every_entry() -> None:
    """An entry holds the thresholds of its outcome's next state and its identity, less what the state carries."""
    theta = rng(0).integers(-300, 300, (6, 3, 5))
    entries = Entries((0, 1, 2, 3, 4, 5, 2, 3), (0,) * 8, (0, 0, 1, 1, 2, 2, 1, 1))
    found = threshold_vectors(entries, theta, (5, 16, 2), "int16")
    assert found.shape == (8, 2, 3, 2 * 16)
    for channel in range(5):
        for k in range(3):
            opened, closed = (found[channel // 2, p, k].reshape(2, 16)[channel % 2] for p in range(2))
            np.testing.assert_array_equal(opened[:8], theta[list(entries.rows), k, channel])
            np.testing.assert_array_equal(closed[:8] < 0, np.array(entries.closed) > k)


def test_limits_beyond_the_type_are_its_extremes() -> None:
    theta = np.array([[[-(2**30), 5]], [[2**20, 2**15]]]).reshape(2, 1, 2)
    found = threshold_vectors(Entries((0, 1), (3, -2), (-1, -1)), theta, (2, 16, 1), "int16")
    np.testing.assert_array_equal(found[:2, 0, 0, :2], [[-(2**15), 2**15 - 1], [2, 2**15 - 1]])


def test_limits_of_one_channel_serve_all() -> None:
    theta = np.array([[[-4], [9]]])
    found = threshold_vectors(Entries((0, 0, 0), (-1, 0, 1), (-1,) * 3), theta, (17, 32, 1), "int32")
    assert found.shape == (32, 1, 2, 16)
    np.testing.assert_array_equal(found[16, 0, :, :3], [[-3, -4, -5], [10, 9, 8]])
