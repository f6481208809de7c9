"""Look-up kernels: digits of weights, proofs of ranges, and exactness at the edges of both."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.exact import check
from support.layers import two_layers
from support.processors import on_every_cpu

tvm = pytest.importorskip("tvm")

from spqc.targets._plan.digits import code_tables, codes_of, decompose, flush_period, in_order  # noqa: E402


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
