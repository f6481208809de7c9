"""Pooling of every kind: its meaning, its text, and torch, interpreter and llvm against each other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import spqc
from spqc.foundation.errors import GraphError, ModelError
from spqc.ir import Builder, Graph, Type, ops
from spqc.ir.parser import parse_graph
from spqc.ir.printer import print_graph

torch = pytest.importorskip("torch")

from spqc.nn import models  # noqa: E402  (torch must be there)

WINDOWS = [
    {"kernel": 2},
    {"kernel": 3, "stride": 2, "padding": 1},
    {"kernel": 3, "stride": 1, "padding": 1},
    {"kernel": 3, "stride": 2},
    {"kernel": [3, 2], "stride": [1, 2], "padding": [1, 0]},
    {"kernel": 4, "stride": 3, "padding": 2},
]


def pooled(shape: tuple[int, ...], kind: str = "max_pool", **window: Any) -> Graph:
    build = Builder("pool", 2)
    x = build.input("x", Type("uint", 3, shape))
    cls = {"max_pool": ops.MaxPool, "sum_pool": ops.SumPool}[kind]
    return build.graph(*build.op(cls, x, **window))


def test_one_number_stands_for_every_axis() -> None:
    same = pooled((2, 6, 6), kernel=(3, 3), stride=(2, 2), padding=1)
    assert "{kernel=3, padding=1}" in print_graph(same)
    assert same == pooled((2, 6, 6), kernel=3, padding=1)
    assert parse_graph(print_graph(same)) == same


def test_sides_that_differ_are_written_one_by_one() -> None:
    graph = pooled((2, 6, 9, 4), kernel=(3, 1, 2), stride=(1, 2, 3), padding=(1, 0, 0))
    assert "{kernel=3|1|2, stride=1|2|3, padding=1|0|0}" in print_graph(graph)
    assert parse_graph(print_graph(graph)) == graph
    assert graph.outputs[0].type.shape == (2, 6, 5, 1)


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("kind", ["max_pool", "sum_pool"])
def test_the_meaning_is_that_of_torch(axes: int, kind: str) -> None:
    shape = (2, *(7, 5, 6)[:axes])
    window = {"kernel": (3, 2, 2)[:axes], "stride": (2, 1, 3)[:axes], "padding": (1, 0, 1)[:axes]}
    (op,) = pooled(shape, kind, **window).ops
    x = np.random.default_rng(axes).integers(0, 8, (3, *shape))
    flat = torch.from_numpy(x).float()
    if kind == "max_pool":
        wanted = getattr(torch.nn.functional, f"max_pool{axes}d")(flat, *window.values())
    else:
        average = getattr(torch.nn.functional, f"avg_pool{axes}d")(flat.double(), *window.values())
        wanted = (average * np.prod(window["kernel"])).round()
    np.testing.assert_array_equal(op.evaluate(x)[0], wanted.numpy())


def test_outside_never_wins_a_maximum() -> None:
    build = Builder("pool", 1)
    x = build.input("x", Type("int", 4, (1, 2, 2)))
    build.op(ops.MaxPool, x, kernel=3, stride=1, padding=1)
    assert build.ops[0].evaluate(np.full((1, 1, 2, 2), -5))[0].tolist() == [[[[-5, -5], [-5, -5]]]]


REFUSED = [
    ({"kernel": 3, "padding": 2}, "at most half"),
    ({"kernel": 9}, "larger than its input"),
    ({"kernel": (2, 1, 2)}, "another number of axes"),
    ({"kernel": 0}, "kernel >= 1"),
]


@pytest.mark.parametrize(("window", "message"), REFUSED)
def test_windows_that_do_not_fit_are_refused(window: dict[str, Any], message: str) -> None:
    with pytest.raises(GraphError, match=message):
        pooled((1, 5, 5), **window)


@pytest.mark.parametrize("window", WINDOWS, ids=str)
@pytest.mark.parametrize("op", ["avg_pool", "max_pool"])
def test_networks_with_any_window_are_exact(op: str, window: dict[str, Any]) -> None:
    layers = [
        {"op": "conv2d", "out": 9, "kernel": 3, "padding": 1},
        {"op": op, **window},
        {"op": "conv2d", "out": 18, "kernel": 1},
        {"op": "linear", "out": 4},
    ]
    assert_exact(layers, steps=3)


@pytest.mark.parametrize("shape", [(2, 7, 7), (2, 17, 19)], ids=str)
def test_global_average_pooling_is_exact(shape: tuple[int, ...]) -> None:
    """Over 49 pixels the scale is no power of two; over 323 the counts of spikes need more than a byte."""
    layers = [
        {"op": "conv2d", "out": 20, "kernel": 3, "padding": 1},
        {"op": "global_avg_pool"},
        {"op": "linear", "out": 19},
        {"op": "linear", "out": 4},
    ]
    assert_exact(layers, in_shape=shape)
    assert_exact([layers[0], layers[1], layers[3]], in_shape=shape)


def test_counts_wider_than_a_byte_are_not_cut() -> None:
    """A sum of 20 x 20 spikes before the classifier."""
    layers = [
        {"op": "conv2d", "out": 3, "kernel": 1},
        {"op": "avg_pool", "kernel": 20},
        {"op": "linear", "out": 4},
    ]
    assert_exact(layers, in_shape=(2, 20, 41), threshold=0.55)


def assert_exact(layers: list[dict[str, Any]], **options: Any) -> None:
    settings: dict[str, Any] = {"in_shape": (2, 9, 8), "classes": 4, "steps": 2, "layers": layers, **options}
    report = spqc.verify(models.create("sequential", **settings), target="llvm", samples=2)
    assert report.equal, report.first_mismatch


def test_a_sum_past_float32_is_refused() -> None:
    layers = [{"op": "avg_pool", "kernel": 300}, {"op": "linear", "out": 4}]
    with pytest.raises(ModelError, match="past 2\\^24"):
        models.create("sequential", in_shape=(1, 300, 300), classes=4, layers=layers)
