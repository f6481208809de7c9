"""Bit-serial kernels against the interpreter: odd sizes, steps, planes, pooling and weights of one power of two."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support.exact import check
from support.kernel_sites import sites
from support.layers import neuron

import spqc
from spqc.ir import Builder, Graph, Type, ops

tvm = pytest.importorskip("tvm")

from spqc.cost.density import measured  # noqa: E402
from spqc.plugins.tuning import Candidate  # noqa: E402
from spqc.targets._plan.machine import Machine  # noqa: E402
from spqc.targets._plan.rates import shipped  # noqa: E402
from spqc.targets.llvm.compile import machine_target  # noqa: E402
from spqc.targets.llvm.cpu import host_flags  # noqa: E402
from spqc.targets.llvm.strategies import chooser, strategies  # noqa: E402
from spqc.targets.llvm.tuning.measure import Bench  # noqa: E402

needs_popcount = pytest.mark.skipif("avx512_vpopcntdq" not in host_flags(), reason="this CPU has no vector popcount")
ALL = frozenset({"avx2", "avx512f", "avx512bw", "avx512vl", "avx512vpopcntdq"})


def network(
    weight: Any, size: tuple[int, int], steps: int, *, pool: str = "", still: bool = False, conv: bool = False
) -> Graph:
    """Return random spikes of a first layer (pooled), `weight` over all of them with neurons, and a classifier."""
    rng = np.random.default_rng(7)
    out, inputs = weight.shape
    channels = inputs // (size[0] * size[1])
    build = Builder("bits", steps)
    whole = (channels, *(side * (2 if pool else 1) for side in size))
    if still:
        x = build.op(ops.Repeat, build.input("x", Type("uint", 8, whole, "const", 1 / 256)))[0]
    else:
        x = build.input("x", Type("spike", 1, whole))
    first = rng.integers(-3, 4, (channels, channels, 1, 1))
    copy = build.constant("first", Type("int", 4, first.shape), first)
    (n,) = build.op(ops.Conv2d, x, copy, origin="features.0 (First)")
    spread = 128 if still else 1
    theta = np.sort(rng.integers(-2 * spread, 3 * spread, (3, 3, channels)), axis=1)
    n = neuron(build, n, "features.0 (First)", 0, theta)
    if pool:
        (n,) = build.op(ops.SumPool if pool == "sum" else ops.MaxPool, n, kernel=2, stride=2)
    if conv:
        weight = weight.reshape(out, channels, *size)
    else:
        (n,) = build.op(ops.Flatten, n)
    w = build.constant("w", Type("int", 16, weight.shape), weight)
    (n,) = build.op(ops.Conv2d if conv else ops.Linear, n, w, origin="middle (Sum)")
    middle = max(1, int(np.abs(weight).max()) * int(inputs**0.5) // 2)
    n = neuron(build, n, "middle (Sum)", 1, np.sort(rng.integers(-middle, middle + 1, (3, 3, out)), axis=1))
    if conv:
        (n,) = build.op(ops.Flatten, n)
    head = build.constant("head", Type("int", 2, (3, out)), rng.integers(-1, 2, (3, out)))
    (y,) = build.op(ops.Linear, n, head, origin="classifier (Linear)")
    return build.graph(y)


def ternary(out: int, inputs: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).integers(-1, 2, (out, inputs))


@needs_popcount
@pytest.mark.parametrize("seed", range(9))
def test_random_shapes_are_exact(seed: int) -> None:
    """T = 1..9, odd sizes, pooled inputs of 1 and 3 bits, constant images, whole-map convolutions, a second thread."""
    rng = np.random.default_rng(seed)
    size = (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
    channels, out = int(rng.integers(1, 70)), int(rng.integers(1, 130))
    weight = ternary(out, channels * size[0] * size[1], seed) << (0, 3, 14)[seed % 3]
    graph = network(weight, size, seed + 1, pool=("", "sum", "max")[seed // 3], still=seed % 2 == 1, conv=seed % 4 == 2)
    target = f"llvm{{strategy=bits threads={1 + (seed == 5)}}}"
    entries = spqc.compile(graph, target).contents.report["kernels"]
    for form in ("run", "step"):
        assert [e["strategy"] for e in entries[form] if e["layer"] == "middle"] == ["bits"]
    check(graph, target, seed)


@needs_popcount
@pytest.mark.parametrize("weight", [np.ones((16, 64)), -np.ones((3, 96)), np.zeros((5, 32))])
def test_planes_of_one_kind(weight: Any) -> None:
    check(network(weight.astype(np.int64), (1, 1), 2), "llvm{strategy=bits}", 0)


@needs_popcount
def test_settings_are_exact() -> None:
    """Every block gives the bytes that the dense kernel gives."""
    target, features = machine_target("host")
    one = next(s for s in sites(network(ternary(64, 90), (1, 2), 4)) if s.region.kernel.ops[0].origin[:6] == "middle")
    here = replace(one, machine=Machine(frozenset(features)))
    settings = list(strategies()["bits"].space(here))
    assert len(settings) > 2
    bench = Bench(here, [Candidate("dense", {}, 1), *(Candidate("bits", s, 1) for s in settings)], target)
    wanted = bench.result(0)
    assert wanted.any()
    for index in range(len(settings)):
        np.testing.assert_array_equal(bench.result(index + 1), wanted)


@pytest.mark.parametrize(
    ("graph", "features", "reason"),
    [
        (network(ternary(5, 9), (1, 1), 2), frozenset(), "no popcount"),
        (network(ternary(5, 9) * 3, (1, 1), 2), ALL, "not ternary"),
        (network(ternary(5, 9) + 1, (1, 1), 2), ALL, "not ternary"),
    ],
)
def test_refusals_name_the_reason(graph: Graph, features: frozenset[str], reason: str) -> None:
    one = next(s for s in sites(graph, features) if s.region.kernel.ops[0].origin.startswith("middle"))
    assert reason in strategies()["bits"].refuses(one)


def test_convolutions_and_inputs_are_refused() -> None:
    found = [strategies()["bits"].refuses(s) for s in sites(network(ternary(5, 36), (2, 2), 2), ALL)]
    assert found[0] == "it reads the network's input" and found[1:] == ["", ""]


@pytest.mark.parametrize(("share", "fastest"), [(0.2, "bits"), (0.03, "events")])
def test_choice_follows_the_spikes(share: float, fastest: str) -> None:
    """A large layer is bit-serial but for few spikes; as measured (docs/cpu-kernels-diary.md)."""
    graph = network(ternary(512, 1024), (1, 1), 4)
    features = ALL | {"avx512vnni", "avx512vbmi"}
    one = next(s for s in sites(graph, features) if s.region.kernel.ops[0].origin.startswith("middle"))
    there = replace(one, density=measured((1 - share, share)), rates=shipped()["rates"])
    assert chooser().choose(there).strategy == fastest
