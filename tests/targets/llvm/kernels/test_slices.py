"""Counting in bit slices: programs of adders, what is refused, and exactness for every shape of lanes and weights."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from support.exact import check
from support.kernel_sites import sites
from support.layers import two_layers
from support.processors import SLICES, needs_slices

from spqc.ir import Graph

tvm = pytest.importorskip("tvm")

from spqc.cost.density import Density  # noqa: E402
from spqc.targets._plan.adder_programs import BLOCK, FIRST, ONES, WORD, Programs, digits, slices_of  # noqa: E402
from spqc.targets.llvm.kernels.slices.slice_lanes import choose_slice_lanes  # noqa: E402
from spqc.targets.llvm.strategies import chooser, strategies  # noqa: E402

Integers = npt.NDArray[np.int64]
WEIGHTS: dict[str, Any] = {
    "ternary": [-1, 0, 1],
    "powers of two": [0, 1, -1, 2, -2, 4, 8, -8, 16, 64, -64],
    "integers": list(range(-7, 8)),
    "wide integers": list(range(-127, 128)),
    "32 bits": [0, 1, -3, 8191, -8192, 12345],
}


def draw(kind: str, shape: tuple[int, ...]) -> Integers:
    return np.random.default_rng(len(kind)).choice(WEIGHTS[kind], shape)


@pytest.mark.parametrize("kind", WEIGHTS)
def test_digits_add_up_to_the_weights(kind: str) -> None:
    weight = draw(kind, (9, 40))
    found = digits(weight)
    np.testing.assert_array_equal(sum(on * ((-1 if minus else 1) << e) for e, minus, on in found), weight)
    by_exponent = {e: np.zeros_like(weight, bool) for e in range(20)}
    for e, _, on in found:
        by_exponent[e] |= on
    assert not any((by_exponent[e] & by_exponent[e + 1]).any() for e in range(19))  # canonical


@pytest.mark.parametrize(("planes", "step"), [(1, 8), (3, 4)])
@pytest.mark.parametrize("kind", WEIGHTS)
def test_programs_count_what_they_should(kind: str, planes: int, step: int) -> None:
    """Carried out one full adder of eight inputs at a time, programs leave every output's sum in its slices."""
    weight, rng = draw(kind, (4, 11, 3, 3)), np.random.default_rng(planes)
    made = Programs(weight, 4, planes, slices_of(weight, planes, 32), step)
    x = rng.integers(0, 2**planes, (11, 9, 50))
    wanted = np.einsum("oct,ctl->ol", weight.reshape(4, 11, 9), x)
    counts = np.zeros((4, made.levels + 4, 50), np.int64)
    words = made.write().astype(np.int64).reshape(-1, WORD)
    for block in range(made.channel_blocks):
        vectors = bit_vectors(made, x, block)
        for output in range(4):
            start = made.starts[block, output]
            carry_out(words[start : start + made.sizes[block, output]], vectors, counts[output], step)
    found = sum(counts[:, k] << k for k in range(made.levels)) - made.subtracted[:, None]
    np.testing.assert_array_equal(found, wanted)


def bit_vectors(made: Programs, x: Integers, block: int) -> Integers:
    """Return zeros, ones, the bits of a block of channels and room for carries: [vector][lane]."""
    vectors = np.zeros((FIRST + made.inputs + made.carries, x.shape[2]), np.int64)
    vectors[ONES] = 1
    for plane in range(made.planes):
        for tap in range(made.taps):
            for c, one in enumerate(x[block * made.group : (block + 1) * made.group]):
                vectors[FIRST + (plane * made.taps + tap) * made.group + c] = one[tap] >> plane & 1
    return vectors


def carry_out(program: Integers, vectors: Integers, count: Integers, step: int) -> None:
    runs, at = program[0][:2], 1
    for side, amount in enumerate(runs):
        for _ in range(amount):
            level, carry, blocks, _ = program[at] // [step, step, 1, 1]
            for i in range(blocks):
                taken = vectors[program[at + 1 + 2 * i : at + 3 + 2 * i].ravel() // step]
                assert len(taken) == BLOCK
                total = (taken if side else 1 - taken).sum(axis=0) + count[level : level + 3].T @ [1, 2, 4]
                count[level : level + 3] = [total & 1, total >> 1 & 1, total >> 2 & 1]
                vectors[carry + i] = total >> 3
                assert total.max() < 16
            at += 1 + 2 * blocks
    assert at == len(program)


LAYERS = {
    "one chunk": ("ternary", (33, 20, 3, 3), {"size": (16, 16), "steps": 4, "padding": 1}),
    "chunks": ("powers of two", (16, 9, 3, 3), {"size": (18, 24), "steps": 3, "padding": 1}),
    "odd map": ("integers", (16, 17, 3, 3), {"size": (13, 11), "steps": 5, "padding": 1}),
    "half filled": ("wide integers", (16, 70, 3, 3), {"size": (8, 8), "steps": 3, "padding": 1}),
    "stride": ("powers of two", (16, 24, 3, 3), {"size": (17, 17), "steps": 4, "padding": 1, "stride": 2}),
    "stride, one tap": ("ternary", (16, 24, 1, 1), {"size": (16, 16), "steps": 4, "stride": 2}),
    "widened map": ("ternary", (16, 5, 1, 1), {"size": (14, 14), "steps": 3, "padding": 1}),
    "32 bits": ("32 bits", (16, 40, 3, 3), {"size": (12, 12), "steps": 2, "padding": 1}),
    "pooled sums": ("integers", (20, 9, 3, 3), {"size": (20, 20), "steps": 4, "padding": 1, "pool": "sum"}),
    "pooled maxima": ("ternary", (20, 9, 3, 3), {"size": (22, 22), "steps": 4, "padding": 1, "pool": "max"}),
    "many steps": ("ternary", (16, 6, 3, 3), {"size": (9, 9), "steps": 17, "padding": 1}),
    "a word a step": ("powers of two", (16, 9, 3, 3), {"size": (8, 8), "steps": 4, "padding": 1}),
    "four words a step": ("ternary", (40, 9, 3, 3), {"size": (20, 16), "steps": 2, "padding": 1, "pool": "max"}),
    "five taps": ("powers of two", (16, 6, 5, 5), {"size": (9, 9), "steps": 6, "padding": 2}),
}
QUICK = {("one chunk", 2), ("a word a step", 2), ("odd map", 1), ("32 bits", 1), ("stride", 2), ("pooled sums", 1)}
CASES = [
    pytest.param(case, threads, marks=() if (case, threads) in QUICK else pytest.mark.slow)
    for case in LAYERS
    for threads in (1, 2)
]


def layer(case: str) -> Graph:
    kind, shape, options = LAYERS[case]
    return two_layers(draw(kind, shape), **options)


@needs_slices
@pytest.mark.parametrize(("case", "threads"), CASES)
def test_slices_are_exact(case: str, threads: int) -> None:
    graph = layer(case)
    one = next(s for s in sites(graph, SLICES) if s.region.kernel.ops[0].origin.startswith("features.1"))
    assert strategies()["slices"].refuses(one) == ""
    check(graph, f"llvm{{strategy=slices threads={threads}}}", 0)


def test_refusals_are_named() -> None:
    slices = strategies()["slices"]
    *_, second, last = sites(layer("one chunk"), SLICES)
    assert slices.refuses(second) == ""
    assert slices.refuses(last) == "its output is narrower than its input, but for the stride"
    small = two_layers(draw("ternary", (16, 8, 3, 3)), size=(4, 4), steps=4, padding=1)
    *_, second, _ = sites(small, SLICES)
    assert slices.refuses(second) == "its outputs fill too few lanes of a vector"
    *_, second, _ = sites(layer("one chunk"))
    assert slices.refuses(second) == "the CPU has no 512-bit vectors with byte permutes and bit matrices"
    narrow = two_layers(draw("ternary", (16, 8, 3, 3)), size=(20, 20), steps=4)
    *_, second, _ = sites(narrow, SLICES)
    assert slices.refuses(second) == "its output is narrower than its input, but for the stride"


@pytest.mark.parametrize(
    ("height", "width", "steps", "words", "vectors", "bits"),
    [
        (32, 32, 4, 2, 1, 512),
        (16, 16, 4, 2, 1, 512),
        (8, 8, 4, 1, 1, 256),
        (8, 8, 5, 1, 1, 512),
        (48, 48, 10, 4, 5, 512),
        (24, 24, 10, 3, 4, 512),
    ],
)
def test_lanes_are_filled(height: int, width: int, steps: int, words: int, vectors: int, bits: int) -> None:
    graph = two_layers(draw("ternary", (16, 4, 3, 3)), size=(height, width), steps=steps, padding=1)
    *_, second, _ = sites(graph, SLICES)
    found = choose_slice_lanes(second.sum, steps)
    assert (found.width, found.vectors, found.bits) == (words, vectors, bits)


def test_many_weights_of_several_digits_on_a_large_map_are_sliced() -> None:
    graph = two_layers(draw("powers of two", (64, 64, 3, 3)), size=(32, 32), steps=4, padding=1)
    *_, second, _ = sites(graph, SLICES)
    assert chooser().choose(replace(second, density=Density((0.7, 0.3)))).strategy == "slices"
    assert chooser().choose(replace(second, density=Density((0.98, 0.02)))).strategy == "events"
