"""Sums of pooled spikes whose upper bits are events: exact for few, many and only such inputs, and chosen by chance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from support.exact import check_on
from support.kernel_sites import sites
from support.layers import two_layers
from support.processors import needs_slices, needs_v2, needs_vbmi

from spqc.ir import Graph

tvm = pytest.importorskip("tvm")

from spqc.cost.density import Density, assumed  # noqa: E402
from spqc.targets._plan.strategy import Settings, Site  # noqa: E402
from spqc.targets.llvm.kernels.rows.planes import PlaneStrategy, bits  # noqa: E402
from spqc.targets.llvm.strategies import chooser, strategies  # noqa: E402

FEATURES = frozenset({"avx512f", "avx512bw", "avx512vl", "avx512vbmi", "gfni"})

WEIGHTS: dict[str, Any] = {
    "ternary": [-1, 0, 1],
    "powers of two": [0, 1, -1, 2, -2, 4, -4, 8, -8],
    "32 bits": [0, 1, -2, 32, -64, 64],
}
LAYERS: dict[str, Any] = {
    "one chunk": ("ternary", (20, 9, 3, 3), {"size": (20, 20), "steps": 4, "padding": 1}),
    "chunks": ("powers of two", (33, 5, 3, 3), {"size": (36, 40), "steps": 3, "padding": 1}),
    "odd map": ("powers of two", (16, 17, 3, 3), {"size": (26, 22), "steps": 5, "padding": 1}),
    "small map": ("ternary", (40, 20, 3, 3), {"size": (8, 8), "steps": 4, "padding": 1}),
    "no padding": ("ternary", (16, 7, 3, 3), {"size": (18, 14), "steps": 2}),
    "stride": ("ternary", (16, 20, 3, 3), {"size": (34, 34), "steps": 4, "padding": 1, "stride": 2}),
    "stride, one tap": ("ternary", (16, 24, 1, 1), {"size": (32, 32), "steps": 4, "stride": 2}),
    "five taps": ("powers of two", (16, 6, 5, 5), {"size": (18, 18), "steps": 6, "padding": 2}),
    "32 bits": ("32 bits", (16, 80, 3, 3), {"size": (16, 16), "steps": 4, "padding": 1}),
    "sums of nine": ("ternary", (16, 6, 3, 3), {"size": (30, 30), "steps": 3, "padding": 1, "window": 3}),
}
UNSLICED = {"small map", "no padding"}
QUICK = {
    ("chunks", "slices", 2, 2),
    ("stride", "lookup", 1, 1),
    ("32 bits", "lookup", 2, 1),
    ("small map", "lookup", 2, 1),
    ("sums of nine", "slices", 1, 1),
}
CASES = [
    pytest.param(
        *(case := (layer, name, planes, threads)),
        marks=[needs_vbmi if name == "lookup" else needs_slices, *(() if case in QUICK else [pytest.mark.slow])],
    )
    for layer in LAYERS
    for name in ("lookup", "slices")
    for planes in (1, 2, 3)
    for threads in (1, 2)
    if (name == "lookup" or layer not in UNSLICED) and (planes < 3 or layer == "sums of nine")
]


def layer(case: str) -> Graph:
    kind, shape, options = LAYERS[case]
    return two_layers(np.random.default_rng(6).choice(WEIGHTS[kind], shape), pool="sum", **options)


def samples(graph: Graph) -> npt.NDArray[np.int64]:
    """Return inputs whose sums are never, seldom, often and always the greatest."""
    shape = (graph.steps, *graph.inputs[0].type.shape)
    rng = np.random.default_rng(7)
    return np.stack([(rng.random(shape) < share).astype(np.int64) for share in (0, 0.1, 0.4, 0.7, 1)])


def force(monkeypatch: pytest.MonkeyPatch, planes: int) -> None:
    def proposed(self: PlaneStrategy, site: Site) -> Iterator[Settings]:
        yield {"planes": planes} if bits(site.sum) > planes else {}

    monkeypatch.setattr(PlaneStrategy, "proposed", proposed)


@pytest.mark.parametrize(("case", "name", "planes", "threads"), CASES)
def test_upper_bits_are_exact(case: str, name: str, planes: int, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    force(monkeypatch, planes)
    graph = layer(case)
    second = next(s for s in sites(graph, FEATURES) if s.region.kernel.ops[0].origin.startswith("features.1"))
    assert strategies()[name].refuses(second) == ""
    check_on(graph, f"llvm{{strategy={name} threads={threads}}}", samples(graph))


@needs_v2
@pytest.mark.parametrize("cpu", ["x86-64-v2", pytest.param("x86-64-v3", marks=pytest.mark.slow)])
def test_narrow_vectors_are_exact(cpu: str, monkeypatch: pytest.MonkeyPatch) -> None:
    force(monkeypatch, 2)
    graph = layer("one chunk")
    check_on(graph, f"llvm{{strategy=lookup cpu={cpu}}}", samples(graph))


def second_layer(size: int = 32) -> Site:
    weight = np.random.default_rng(8).integers(-1, 2, (64, 64, 3, 3))
    graph = two_layers(weight, size=(size, size), steps=4, pool="sum", padding=1)
    found = next(s for s in sites(graph, FEATURES) if s.region.kernel.ops[0].origin.startswith("features.1"))
    return replace(found, density=assumed(graph, found.region.kernel.ops[0].inputs[0]))


@pytest.mark.parametrize("name", ["lookup", "slices"])
@pytest.mark.parametrize(
    ("chances", "settings"),
    [
        ((0.52, 0.37, 0.0975, 0.012, 0.0005), {"planes": 2}),
        ((0.0, 0.0, 0.0, 0.0, 1.0), {}),
        ((0.98, 0.02), {"planes": 1}),
    ],
)
def test_planes_follow_the_chances(name: str, chances: tuple[float, ...], settings: Settings) -> None:
    site = replace(second_layer(), density=Density(chances))
    found = chooser().choose(site, name)
    assert found.settings == settings
    assert found.predicted_ns == min(chooser().predict(site, name, s) for s in strategies()[name].space(site))


@pytest.mark.parametrize("name", ["lookup", "slices"])
def test_every_number_of_planes_is_tried(name: str) -> None:
    assert list(strategies()[name].space(second_layer())) == [{}, {"planes": 1}, {"planes": 2}]


def test_the_choice_says_how_many_planes() -> None:
    found = chooser().choose(second_layer())
    assert found.strategy in ("lookup", "slices")
    assert found.report()["settings"] == {"planes": 2}


@pytest.mark.parametrize("name", ["lookup", "slices"])
def test_spikes_have_no_setting(name: str) -> None:
    weight = np.random.default_rng(8).integers(-1, 2, (16, 16, 3, 3))
    *_, one, _ = sites(two_layers(weight, size=(16, 16), steps=4, padding=1), FEATURES)
    assert list(strategies()[name].space(one)) == [{}]
