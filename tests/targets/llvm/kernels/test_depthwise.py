"""Convolutions with a group for each channel against the interpreter, over one to three axes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.exact import check
from support.processors import needs_v3

import spqc
from spqc.ir import Builder, Graph, Type, Value, ops
from spqc.ir.types import state_type

CONVS = (ops.Conv1d, ops.Conv2d, ops.Conv3d)


def network(channels: int, shape: tuple[int, ...], kernel: tuple[int, ...], steps: int, bits: int, **at: Any) -> Graph:
    """Return depthwise, pointwise and again depthwise layers; the first reads bytes, the last spikes."""
    rng = np.random.default_rng(channels)
    build = Builder("depthwise", steps)
    top = 2 ** (bits - 1) - 1

    def layer(x: Value, index: int, size: tuple[int, ...], **attributes: Any) -> Value:
        w = build.constant(f"w{index}", Type("int", bits, size), rng.integers(-top, top + 1, size))
        (n,) = build.op(CONVS[len(shape) - 1], x, w, origin=f"features.{index} (Conv)", **attributes)
        gains = rng.normal(0, 4 / top / x.type.range[1], channels).astype(np.float32)
        a = build.constant(f"a{index}", Type("float", 32, (channels,)), gains)
        offsets = rng.normal(0.2, 0.4, channels).astype(np.float32)
        b = build.constant(f"b{index}", Type("float", 32, (channels,)), offsets)
        (current,) = build.op(ops.Affine, n, a, b, origin=f"features.{index} (Conv)")
        state = build.state(f"m{index}", state_type(-1, 1, n.type.shape))
        spike, following = build.op(ops.Neuron, current, state, origin=f"features.{index} (Conv)")
        build.nexts.append(following)
        return spike

    x = build.input("x", Type("uint", 8, (channels, *shape)))
    alone, ones = (channels, 1, *kernel), (1,) * len(shape)
    x = layer(x, 0, alone, groups=channels, **at)
    x = layer(x, 1, (channels, channels, *ones))
    x = layer(x, 2, alone, groups=channels, padding=1)
    (x,) = build.op(ops.MaxPool, x, kernel=1, stride=1) if len(shape) == 3 else build.op(ops.MaxPool, x)
    (counts,) = build.op(ops.GlobalSum, x)
    head = build.constant("head", Type("int", 8, (3, channels)), rng.integers(-127, 128, (3, channels)))
    return build.graph(*build.op(ops.Linear, counts, head))


CASES: list[tuple[Any, ...]] = [
    (17, (5, 7), (3, 3), 1, 4, {"padding": 1}),
    (3, (9, 8), (3, 1), 5, 8, {"stride": (2, 1)}),
    (40, (13,), (5,), 3, 8, {"stride": 2, "padding": 2}),
    (6, (4, 5, 3), (3, 2, 1), 2, 11, {"padding": 1}),
]


@needs_v3
@pytest.mark.parametrize(("channels", "shape", "kernel", "steps", "bits", "sides"), CASES, ids=lambda v: str(v))
def test_depthwise_is_exact(
    channels: int, shape: tuple[int, ...], kernel: tuple[int, ...], steps: int, bits: int, sides: dict[str, Any]
) -> None:
    graph = network(channels, shape, kernel, steps, bits, **sides)
    check(graph, "llvm" if channels % 2 else "llvm{cpu=x86-64-v3}", channels)


def test_depthwise_layers_weigh_it() -> None:
    """It is compared with the others for each depthwise layer, and taken where every input is active."""
    found = spqc.compile(network(*CASES[0][:5], **CASES[0][5]), "llvm").contents.report["kernels"]["run"]
    weighed = ["depthwise" in f"{entry['strategy']} {entry['reason']}" for entry in found]
    assert weighed == [True, False, True, False]
    assert found[0]["strategy"] == "depthwise"
