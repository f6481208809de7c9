"""Dot products whose lanes are pixels: what is refused and chosen, and exactness for every shape of map and kernel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.exact import check, check_on
from support.kernel_sites import sites
from support.layers import neuron

from spqc.ir import Builder, Graph, Type, ops

tvm = pytest.importorskip("tvm")

from spqc.targets.llvm.cpu import host_flags  # noqa: E402  (tvm must be there)
from spqc.targets.llvm.strategies import chooser, strategies  # noqa: E402

FEATURES = frozenset({"avx512f", "avx512bw", "avx512vl", "avx512vbmi", "avx512vnni", "gfni"})
HOST = {flag.replace("_", "") for flag in host_flags()}  # avx512_vnni
needs_dots = pytest.mark.skipif(not HOST >= FEATURES, reason="this CPU has no byte dots and permutes")


def network(
    *,
    channels: int,
    size: tuple[int, int],
    steps: int = 4,
    outputs: int = 20,
    kernel: int = 3,
    largest: int = 7,
    alike: bool = False,
    pool: Any = None,
    clock: Any = "step",
    **options: Any,
) -> Graph:
    """Return a convolution over frames of bytes, its neurons (perhaps pooled), and a head.

    `alike`: all weights of an output are the largest, or its negative.
    """
    rng, build = np.random.default_rng(7), Builder("frames", steps)
    x = build.input("x", Type("uint", 8, (channels, *size), clock, 1 / 256))
    weight = rng.integers(-largest, largest + 1, (outputs, channels // options.get("groups", 1), kernel, kernel))
    if alike:
        weight[::2], weight[1::2] = largest, -largest
    w = build.constant("w", Type("int", 16, weight.shape), weight)
    (n,) = build.op(ops.Conv2d, x, w, origin="features.0 (Conv)", **options)
    if clock == "const":
        (n,) = build.op(ops.Repeat, n)
    middle = 128 * weight.reshape(outputs, -1).sum(1)
    spread = 60 * np.abs(weight).reshape(outputs, -1).sum(1) // kernel
    theta = np.sort(middle + rng.integers(-spread, spread + 1, (3, 3, outputs)), axis=1)
    n = neuron(build, n, "features.0 (Conv)", 0, theta)
    if pool is not None:
        (n,) = build.op(pool, n, kernel=2, stride=2)
    (flat,) = build.op(ops.Flatten, n)
    head = build.constant("head", Type("int", 4, (3, flat.type.size)), rng.integers(-7, 8, (3, flat.type.size)))
    return build.graph(build.op(ops.Linear, flat, head, origin="classifier (Linear)")[0])


CASES: dict[str, dict[str, Any]] = {
    "wide rows": {"channels": 2, "size": (5, 34), "padding": 1, "steps": 3, "pool": ops.MaxPool},
    "images": {"channels": 3, "size": (16, 16), "padding": 1},
    "events": {"channels": 2, "size": (9, 12), "padding": 1, "steps": 10, "pool": ops.MaxPool},
    "odd": {"channels": 1, "size": (13, 7), "padding": 1, "pool": ops.SumPool},
    "six channels": {"channels": 6, "size": (8, 24), "padding": 1, "outputs": 3},
    "stride": {"channels": 3, "size": (17, 18), "padding": 1, "stride": 2, "kernel": 3},
    "no padding": {"channels": 5, "size": (12, 20), "kernel": 5, "steps": 3},
    "wide sums": {"channels": 3, "size": (10, 16), "padding": 1, "largest": 127, "pool": ops.MaxPool},
    "one tap": {"channels": 4, "size": (11, 16), "kernel": 1, "steps": 16},
}


@needs_dots
@pytest.mark.parametrize("case", CASES)
def test_sums_of_pixels_are_exact(case: str) -> None:
    """Spikes, states and logits of three samples, streamed too; every other case on two threads."""
    graph = network(**CASES[case])
    first, *_ = sites(graph, FEATURES)
    assert strategies()["planar"].refuses(first) == ""
    check(graph, f"llvm{{strategy=planar threads={1 + list(CASES).index(case) % 2}}}", 3)


@needs_dots
def test_the_largest_codes_and_weights_are_exact() -> None:
    graph = network(channels=8, size=(8, 8), steps=2, padding=1, largest=127, alike=True)
    check_on(graph, "llvm{strategy=planar}", np.full((3, 2, 8, 8, 8), 255))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"clock": "const"}, "its sum is constant in time"),
        ({"size": (6, 5)}, "its map is small"),
        ({"largest": 300}, "the CPU has no byte dot products of 512 bits, or its weights are wider than a byte"),
        ({"channels": 29}, "its inputs are too many"),
        ({"channels": 2, "size": (150, 160), "steps": 10}, "its inputs are too many"),
        ({"steps": 17}, "its neurons do not run in the order of the lanes"),
        ({"channels": 4, "groups": 2}, "depth and groups are not summed so"),
    ],
)
def test_refusals_are_named(options: dict[str, Any], reason: str) -> None:
    shape: dict[str, Any] = {"channels": 3, "size": (16, 16), "padding": 1}
    first, last = sites(network(**shape | options), FEATURES)
    assert strategies()["planar"].refuses(first) == reason
    assert strategies()["planar"].refuses(last) == "it does not read the network's input"


def test_other_machines_are_refused() -> None:
    first, _ = sites(network(channels=3, size=(16, 16), padding=1), frozenset({"avx2", "avxvnni"}))
    assert "byte dot products of 512 bits" in strategies()["planar"].refuses(first)


def test_frames_that_change_are_summed_so() -> None:
    first, _ = sites(network(channels=3, size=(32, 32), padding=1, outputs=64), FEATURES)
    assert chooser().choose(first).strategy == "planar"


@needs_dots
@pytest.mark.parametrize("width", [32, 34, 16, 12, 13])
def test_rows_of_every_width_are_exact(width: int) -> None:
    """A row is moved in whole pieces, in a last one that overlaps, in shorter ones, or pixel by pixel."""
    graph = network(channels=1, size=(3, width), outputs=3, steps=2, padding=1)
    first, _ = sites(graph, FEATURES)
    assert strategies()["planar"].refuses(first) == ""
    check(graph, "llvm{strategy=planar}", 5)
