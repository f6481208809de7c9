"""Convolutions over one to three axes: meaning, text, and torch, interpreter and llvm against each other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import spqc
from spqc.foundation.errors import GraphError, ModelError
from spqc.ir import Array, Builder, Graph, Type, ops
from spqc.ir.parser import parse_graph
from spqc.ir.printer import print_graph

torch = pytest.importorskip("torch")

from spqc.nn import models  # noqa: E402  (torch must be there)

TARGETS = ("llvm", "llvm{cpu=x86-64-v3}")
CONVS: dict[int, Any] = {1: ops.Conv1d, 2: ops.Conv2d, 3: ops.Conv3d}


def convolved(shape: tuple[int, ...], weight: Array, **attributes: Any) -> Graph:
    build = Builder("conv", 2)
    x = build.input("x", Type("uint", 4, shape))
    w = build.constant("w", Type("int", 4, weight.shape), weight)
    return build.graph(*build.op(CONVS[len(shape) - 1], x, w, **attributes))


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_the_meaning_is_that_of_torch(axes: int, groups: int) -> None:
    rng = np.random.default_rng(axes)
    shape, kernel = (4, *(7, 6, 5)[:axes]), (3, 1, 2)[:axes]
    weight = rng.integers(-7, 8, (6, 4 // groups, *kernel))
    sides = {"stride": (2, 1, 3)[:axes], "padding": (1, 2, 0)[:axes]}
    graph = convolved(shape, weight, groups=groups, **sides)
    x = rng.integers(0, 16, (3, *shape))
    found = getattr(torch.nn.functional, f"conv{axes}d")(
        torch.from_numpy(x).double(), torch.from_numpy(weight).double(), groups=groups, **sides
    )
    np.testing.assert_array_equal(graph.ops[0].evaluate(x, weight)[0], found.numpy())
    assert graph.outputs[0].type.shape == found.shape[1:]
    assert parse_graph(print_graph(graph), graph.data) == graph


def test_equal_sides_are_one_number() -> None:
    weight = np.ones((1, 1, 1, 1, 1))
    assert "{stride=2, padding=1}" in print_graph(convolved((1, 4, 4, 4), weight, stride=(2, 2, 2), padding=(1, 1, 1)))
    assert "stride=2|1|1" in print_graph(convolved((1, 4, 4, 4), weight, stride=(2, 1, 1)))


REFUSED = [
    ((1, 5), {"stride": (1, 2)}, "one stride"),
    ((1, 2), {}, "larger than its padded input"),
    ((1, 5, 5), {}, "2 axes"),
    ((3, 5), {}, "3 channels"),
]


@pytest.mark.parametrize(("shape", "attributes", "message"), REFUSED)
def test_what_does_not_fit_is_refused(shape: tuple[int, ...], attributes: dict[str, Any], message: str) -> None:
    with pytest.raises(GraphError, match=message):
        convolved(shape, np.ones((1, 1, 3)), **attributes)


def conv(axes: int, out: int, kernel: Any, stride: Any = 1, padding: Any = 0, **more: Any) -> dict[str, Any]:
    return {"op": f"conv{axes}d", "out": out, "kernel": kernel, "stride": stride, "padding": padding, **more}


def pool(kind: str, kernel: Any = 2, **more: Any) -> dict[str, Any]:
    return {"op": f"{kind}_pool", "kernel": kernel, **more}


NETWORKS: list[tuple[tuple[int, ...], list[dict[str, Any]]]] = [
    ((2, 19), [conv(1, 17, 5, 2, 2), pool("max", 3, stride=2, padding=1), conv(1, 6, 3, pool_before=2)]),
    ((1, 33), [conv(1, 8, 1), conv(1, 8, 3, 1, 1, residual="identity"), pool("avg", 4)]),
    ((3, 9, 8), [conv(2, 17, [3, 1], [1, 2], [0, 1]), conv(2, 5, [1, 3], [2, 1], [2, 0])]),
    ((3, 7, 9), [conv(2, 18, 1, padding=1), pool("max"), conv(2, 4, 1, padding=1)]),
    (
        (1, 14, 5, 5),
        [conv(3, 5, 3), conv(3, 17, [3, 1, 1], [2, 1, 1], [1, 0, 0]), conv(3, 6, [2, 3, 3], [2, 1, 1], [0, 1, 1])],
    ),
    ((2, 13, 3, 4), [conv(3, 9, [4, 3, 3], [3, 1, 1], [2, 1, 0]), {"op": "reshape"}, conv(2, 16, 3, padding=1)]),
    (
        (2, 9, 6, 6),
        [
            conv(3, 4, 3, padding=1, pool_before=2),
            pool("avg", [2, 1, 2], stride=1),
            conv(3, 3, 1, residual="project"),
            {"op": "global_avg_pool"},
        ],
    ),
    (
        (6, 4, 5),
        [
            {"op": "reshape", "shape": [2, 3, 4, 5]},
            conv(3, 4, [3, 2, 2], groups=2),
            pool("max", [1, 2, 2]),
            {"op": "reshape", "shape": [4, 2]},
            conv(1, 3, 1),
        ],
    ),
]


@pytest.mark.parametrize(("shape", "layers"), NETWORKS, ids=lambda v: str(v) if isinstance(v, tuple) else "")
def test_networks_are_exact(shape: tuple[int, ...], layers: list[dict[str, Any]]) -> None:
    index = NETWORKS.index((shape, layers))
    options = {"coding": "direct"} if index % 2 else {"input": "spikes", "channel_gate": index == 4}
    assert_exact(shape, [*layers, {"op": "linear", "out": 3}], TARGETS[index // 2 % 2], steps=1 + index % 5, **options)


@pytest.mark.parametrize("bits", [("uniform", 6), ("pot", 8), ("apot", 4)], ids=str)
def test_every_weight_is_exact_in_three_axes(bits: tuple[str, int]) -> None:
    layers = [conv(3, 18, 2), conv(3, 3, 3, padding=1), {"op": "linear", "out": 3}]
    assert_exact((1, 6, 4, 5), layers, "llvm", steps=3, weight_grid=bits[0], weight_bits=bits[1], spatial_mask=0.3)


def assert_exact(shape: tuple[int, ...], layers: list[dict[str, Any]], target: str, **options: Any) -> None:
    net = models.create("sequential", in_shape=shape, classes=3, layers=layers, **options)
    report = spqc.verify(net, target=target, samples=2)
    assert report.equal, report.first_mismatch


WRONG = [
    ((4, 5), {"op": "conv2d", "out": 2}, "reads \\[C, H, W\\]"),
    ((4, 5, 5), {"op": "conv1d", "out": 2}, "reads \\[C, L\\]"),
    ((4, 5, 5), {"op": "conv2d", "out": 2, "stride": [1, 2, 1]}, "or 2 of them"),
    ((4, 5, 5), {"op": "reshape", "shape": [3, 5]}, "not as many codes"),
    ((4, 5, 5), {"op": "reshape"}, "needs a shape"),
]


@pytest.mark.parametrize(("shape", "layer", "message"), WRONG)
def test_layers_that_do_not_fit_are_named(shape: tuple[int, ...], layer: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        models.create("sequential", in_shape=shape, classes=3, layers=[layer, {"op": "linear", "out": 3}])
