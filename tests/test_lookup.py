"""Look-up kernels: digits of weights, proofs of ranges, and exactness at the edges of both."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from test_llvm import check, needs_v3

from spqc.ir import Builder, Graph, Type, ops
from spqc.ir.types import state_type

tvm = pytest.importorskip("tvm")

from spqc.targets._plan.digits import code_tables, codes_of, decompose, flush_period, in_order  # noqa: E402
from spqc.targets.llvm.cpu import host_flags  # noqa: E402

needs_vbmi = pytest.mark.skipif("avx512vbmi" not in host_flags(), reason="this CPU has no byte permutes of 512 bits")
needs_v2 = pytest.mark.skipif("ssse3" not in host_flags(), reason="this CPU cannot run code for x86-64-v2")
on_every_cpu = pytest.mark.parametrize(  # byte permutes of 512, 256 and 128 bits
    "cpu",
    [
        pytest.param("host", marks=needs_vbmi),
        pytest.param("x86-64-v3", marks=needs_v3),
        pytest.param("x86-64-v2", marks=needs_v2),
    ],
)


@pytest.mark.parametrize(
    ("values", "digits"),
    [
        ([-1, 0, 1], 1),
        ([0], 1),
        (range(-7, 8), 1),
        ([0, 1, -2, 4, 8, -16, 32, 64], 2),
        ([2**i for i in range(15)], 4),
        (range(-100, 101), 2),
    ],
)
def test_digits_add_up_to_the_weights(values: Any, digits: int) -> None:
    weight = np.random.default_rng(0).permutation(np.resize(np.array(values), 4 * 7 * 9)).reshape(4, 7, 3, 3)
    found = decompose(weight)
    assert len(found) == digits
    np.testing.assert_array_equal(sum(d.way.values(weight, d.part) << d.shift for d in found), weight)


def test_weights_without_digits_are_named_so() -> None:
    assert decompose(np.arange(-1000, 1001)) == ()


@pytest.mark.parametrize("inputs", [4, 6])
@pytest.mark.parametrize("alphabet", [(-1, 0, 1), (-8, -4, -2, -1, 0, 1, 2, 4, 8)])
def test_tables_hold_the_sums_of_every_combination(alphabet: tuple[int, ...], inputs: int) -> None:
    split = decompose(np.array(alphabet))[0].split(inputs)
    assert split == (inputs if len(alphabet) == 3 else 2)
    groups = np.random.default_rng(1).choice(alphabet, (5, 3, inputs))
    codes, tables = codes_of(groups, alphabet, split), code_tables(alphabet, split, inputs)
    bits = (np.arange(2**inputs)[:, None] >> np.arange(inputs)) & 1
    for o in range(5):
        for k in range(3):
            table = sum(tables[i][codes[o, k, i]] for i in range(inputs // split))
            np.testing.assert_array_equal(table, bits @ groups[o, k])


def test_flush_period_is_the_largest_safe_one() -> None:
    ones = np.ones((2, 30, 6), np.int64)
    assert flush_period(ones) == 21  # 21 * 6 = 126
    assert flush_period(-ones) == 21
    mixed = ones.copy()
    mixed[:, ::2] = -1  # positive and negative inputs are bounded apart
    assert flush_period(mixed) == 30
    ones[0, 17] = 2
    assert flush_period(ones) == 20


def test_order_of_groups() -> None:
    weight = np.arange(2 * 7 * 2 * 3).reshape(2, 7, 2, 3)
    inside, outside = in_order(weight, (2, 3), True), in_order(weight, (2, 3), False)
    assert inside.shape == outside.shape == (2, 12, 6)
    np.testing.assert_array_equal(inside[1, 2], weight[1, :6, 0, 0] * 0 + [weight[1, 6, 0, 0], 0, 0, 0, 0, 0])
    np.testing.assert_array_equal(inside[0, 1], weight[0, :6, 1, 0])  # the kernel's rows follow one another
    np.testing.assert_array_equal(outside[0, 2], weight[0, :6, 0, 1])  # here groups do, then columns


def two_layers(
    weight: Any, *, size: tuple[int, int], steps: int, pool: str = "", window: int = 2, **options: Any
) -> Graph:
    """Return a 1x1 convolution that copies its input, then `weight` over its spikes (each pooled), and a classifier."""
    rng = np.random.default_rng(5)
    out, channels, *_ = weight.shape
    build = Builder("two", steps)
    x = build.input("x", Type("spike", 1, (channels, *size)))
    copy = build.constant(
        "copy", Type("int", 2, (channels, channels, 1, 1)), np.eye(channels, dtype=int)[..., None, None]
    )
    (n,) = build.op(ops.Conv2d, x, copy, origin="features.0 (Copy)")
    n = neuron(build, n, "features.0 (Copy)", 0, np.full((3, 3, channels), 1))
    if pool:
        (n,) = build.op(ops.SumPool if pool == "sum" else ops.MaxPool, n, kernel=window, stride=window)
    w = build.constant("w", Type("int", 16, weight.shape), weight)
    (n,) = build.op(ops.Conv2d, n, w, origin="features.1 (Conv)", **options)
    middle = np.abs(weight).reshape(out, -1).sum(1) // 8
    theta = np.sort(rng.integers(-middle, middle + 1, (3, 3, out)), axis=1)
    n = neuron(build, n, "features.1 (Conv)", 1, theta)
    if pool:
        (n,) = build.op(ops.SumPool if pool == "sum" else ops.MaxPool, n, kernel=2, stride=2)
    (flat,) = build.op(ops.Flatten, n)
    head = build.constant("head", Type("int", 4, (3, flat.type.size)), rng.integers(-7, 8, (3, flat.type.size)))
    (y,) = build.op(ops.Linear, flat, head, origin="classifier (Linear)")
    return build.graph(y)


def neuron(build: Builder, n: Any, origin: str, index: int, theta: np.ndarray) -> Any:
    state = build.state(f"m{index}", state_type(-1, 1, n.type.shape))
    limits = build.constant(f"theta{index}", Type("int", 32, theta.shape), theta)
    spike, following = build.op(ops.Automaton, n, state, limits, origin=origin)
    build.nexts.append(following)
    return spike


@on_every_cpu
@pytest.mark.parametrize("sign", [1, -1])
def test_full_inputs_and_equal_weights_do_not_overflow(cpu: str, sign: int) -> None:
    """512 channels of ones under weights of one sign: every byte accumulator reaches its bound."""
    graph = two_layers(np.full((3, 512, 3, 3), sign), size=(4, 4), steps=2, padding=1)
    check(graph, f"llvm{{strategy=lookup cpu={cpu}}}", 0)


@on_every_cpu
def test_sums_beyond_16_bits(cpu: str) -> None:
    weight = np.random.default_rng(2).choice([0, 16, 32, 64], (3, 200, 3, 3))
    check(two_layers(weight, size=(5, 5), steps=2, padding=1), f"llvm{{strategy=lookup cpu={cpu}}}", 0)


SHAPES: list[Any] = [
    ((17, 13, 3, 3), (9, 11), 3, {"padding": 1}),
    ((5, 6, 3, 3), (16, 16), 1, {"padding": (2, 1), "stride": (1, 2)}),
    ((5, 7, 1, 1), (3, 3), 10, {"stride": (2, 2)}),
    ((5, 20, 3, 3), (2, 2), 17, {"padding": 1}),
    pytest.param((5, 7, 5, 5), (8, 70), 2, {"padding": 3}, marks=pytest.mark.slow),
]


@on_every_cpu
@pytest.mark.parametrize(("shape", "size", "steps", "options"), SHAPES)
def test_shapes(cpu: str, shape: tuple[int, ...], size: tuple[int, int], steps: int, options: dict[str, Any]) -> None:
    weight = np.random.default_rng(3).choice([-4, -1, 0, 1, 2, 64], shape)
    check(two_layers(weight, size=size, steps=steps, **options), f"llvm{{strategy=lookup cpu={cpu}}}", 1)


@on_every_cpu
@pytest.mark.parametrize(("pool", "threads"), [("sum", 1), ("max", 2)])
def test_pooled_inputs(cpu: str, pool: str, threads: int) -> None:
    weight = np.random.default_rng(4).integers(-1, 2, (20, 8, 3, 3))
    graph = two_layers(weight, size=(10, 10), steps=4, pool=pool, padding=1)
    check(graph, f"llvm{{strategy=lookup cpu={cpu} threads={threads}}}", 2)
