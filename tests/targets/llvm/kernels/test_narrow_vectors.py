"""Kernels for CPUs without AVX-512: products of bytes in 16-bit lanes, and the choice among kernels there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.comparison import compare
from support.exact import check
from support.kernel_sites import sites
from support.layers import INT2, INT8, POT8, convolution, draw
from support.random_graphs import Maker

import spqc
from spqc.ir import Graph, Type

tvm = pytest.importorskip("tvm")

from spqc.cost.density import measured  # noqa: E402
from spqc.targets._plan.rates import shipped, vectors  # noqa: E402
from spqc.targets._plan.strategy import Site  # noqa: E402
from spqc.targets.llvm.compile import machine_target  # noqa: E402
from spqc.targets.llvm.cpu import missing_features  # noqa: E402
from spqc.targets.llvm.kernels.dense.product import choose as product_of  # noqa: E402
from spqc.targets.llvm.strategies import chooser  # noqa: E402

PRODUCTS = {"alderlake": "dot", "x86-64-v3": "pairs", "x86-64-v2": "pairs", "x86-64": "words"}
V3 = frozenset({"sse4.1", "ssse3", "avx", "avx2"})


def runnable(cpu: str) -> str:
    """Return the name of a CPU; skip the test where this machine lacks what it has."""
    missing = missing_features(machine_target(cpu)[1])
    if missing:
        pytest.skip(f"this CPU lacks {', '.join(missing)}")
    return cpu


def second(graph: Graph, features: frozenset[str]) -> Site:
    return next(s for s in sites(graph, features) if s.region.kernel.ops[0].origin.startswith("second"))


@pytest.mark.parametrize("cpu", PRODUCTS)
def test_full_inputs_and_equal_weights_do_not_overflow(cpu: str) -> None:
    """300 channels of ones under weights of 127 or -127: narrow sums reach their bound and are widened in time."""
    graph = convolution(draw(INT8, (16, 300, 3, 3), extreme=True), 2, INT8)
    one = second(graph, frozenset(machine_target(cpu)[1]))
    assert product_of(one.sum, one.machine, one.constants).name == PRODUCTS[cpu]
    ones = np.ones((1, graph.steps, *graph.inputs[0].type.shape), np.int64)
    executor = spqc.compile(graph, f"llvm{{strategy=dense cpu={runnable(cpu)}}}").executor
    assert not compare(graph, executor, ones).differences


@pytest.mark.parametrize("strategy", ["dense", "sparse", "events"])
@pytest.mark.parametrize("cpu", PRODUCTS)
def test_random_networks_are_exact(cpu: str, strategy: str) -> None:
    seed = 400 + list(PRODUCTS).index(cpu)
    check(Maker(seed).graph(3), f"llvm{{strategy={strategy} cpu={runnable(cpu)}}}", seed)


@pytest.mark.parametrize(
    ("kind", "pool", "product", "period"),
    [
        (INT2, False, "pairs", 16383),
        (INT8, False, "pairs", 129),
        (INT8, True, "pairs", 18),
        (POT8, False, "portable", 0),
    ],
)
def test_products_prove_how_many_rows_fit(kind: Type, pool: bool, product: str, period: int) -> None:
    one = second(convolution(draw(kind, (16, 8, 3, 3), extreme=kind is INT8), 3, kind, pool=pool), V3)
    found = product_of(one.sum, one.machine, one.constants)
    assert (found.name, found.period) == (product, period)


@pytest.mark.parametrize(
    ("kind", "share", "fastest"), [(INT2, 0.5, "lookup"), (INT2, 0.02, "events"), (INT8, 0.9, "dense")]
)
def test_choice_follows_spikes_and_weights(kind: Type, share: float, fastest: str) -> None:
    """As measured on 3x3 convolutions without AVX-512 (docs/cpu-kernels-diary.md)."""
    one = second(convolution(draw(kind, (128, 128, 3, 3)), 8, kind), V3)
    assert vectors(one.machine.features) == "avx2"
    there = replace(one, density=measured((1 - share, share)), rates=shipped("avx2")["rates"])
    assert chooser().choose(there).strategy == fastest
