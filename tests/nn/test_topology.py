"""Layers that read other layers than the one before: routes by name, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from spqc.foundation.errors import ModelError

torch = pytest.importorskip("torch")

from spqc.nn import models  # noqa: E402  (torch must be there)
from spqc.nn.topology import Routes, Topology  # noqa: E402

CONV = {"op": "conv2d", "out": 4, "kernel": 3, "padding": 1}
HEAD = {"op": "linear"}


def network(*layers: dict[str, Any], **options: Any) -> Any:
    settings = {"in_shape": (4, 5, 5), "classes": 3, "steps": 2, "layers": layers, "input": "spikes", **options}
    return models.create("sequential", **settings)


def test_without_names_each_layer_reads_the_one_before() -> None:
    assert network(CONV, CONV, HEAD).topology == Topology(((0,), (1,), (2,)), 3)


def test_from_names_an_earlier_layer_or_the_input() -> None:
    branches = [CONV | {"name": "a"}, CONV | {"from": "input", "name": "b"}, CONV | {"from": "a", "name": "c"}]
    net = network(*branches, {"op": "add", "from": ["c", "b"], "name": "sum"}, HEAD | {"from": "sum"})
    assert net.topology.sources == ((0,), (0,), (1,), (3, 2), (4,))
    assert net.topology.result == 5, "the flatten before the head took its route"


def test_a_residual_branch_by_span_equals_one_by_name() -> None:
    by_span = network(CONV, CONV, CONV | {"residual": "identity", "residual_span": 2}, HEAD)
    named = CONV | {"residual": "identity", "from": ["second", "first"]}
    by_name = network(CONV | {"name": "first"}, CONV | {"name": "second"}, named, HEAD)
    assert by_span.topology == by_name.topology == Topology(((0,), (1,), (2, 1), (3,)), 4)
    x = torch.ones(2, 4, 5, 5)
    assert torch.equal(by_span(x), by_name(x))


def test_signals_are_let_go_after_their_last_reader() -> None:
    alive: list[int] = []

    class Signal:
        def __init__(self) -> None:
            alive.append(id(self))

        def __del__(self) -> None:
            alive.remove(id(self))

    counts: list[int] = []

    def apply(index: int, reads: tuple[Signal, ...]) -> Signal:
        counts.append(len(alive))
        return Signal()

    Topology(((0,), (1,), (2, 1), (3,)), 4).run(Signal(), apply)
    assert counts == [1, 2, 3, 2], "the input, which the caller holds, and what is still read"


REFUSED = [
    ([CONV | {"name": "stem"}, CONV | {"from": "stemm"}, HEAD], r"reads 'stemm', but no layer", "did you mean 'stem'"),
    ([CONV | {"from": "later"}, CONV | {"name": "later"}, HEAD], "'later', which comes after it", "no cycles"),
    ([CONV | {"name": "self", "from": "self"}, HEAD], "'self', which is the layer itself", "no cycles"),
    ([CONV | {"name": "a"}, CONV | {"name": "a"}, HEAD], "'a' is taken by layer 0", "of its own"),
    ([CONV | {"name": "input"}, HEAD], "taken by the network's input", "of its own"),
    ([CONV | {"name": 3}, HEAD], "name is a text, not 3", ""),
    ([CONV | {"from": []}, HEAD], "'from' is a layer's name, or a list", ""),
    ([CONV | {"name": "a"}, CONV | {"from": ["a", "input"]}, HEAD], "a conv2d reads one layer, not 2", ""),
    (
        [CONV | {"name": "a"}, CONV | {"from": ["a", "input"], "residual": "identity", "residual_span": 1}, HEAD],
        "told twice",
        "residual_span",
    ),
    ([CONV | {"residual": "identity", "residual_span": 2}, HEAD], "starts before the network", ""),
    (
        [CONV | {"name": "wide", "out": 8}, CONV, CONV | {"residual": "identity", "from": ["wide", "wide"]}, HEAD],
        r"residual of shape \[8, 5, 5\] cannot be added to a layer of shape \[4, 5, 5\]",
        "project",
    ),
    ([{"op": "flatten"}, {"op": "linear", "out": 4, "from": "input"}, HEAD], "reads a vector", "flatten"),
    ([CONV | {"name": "a"}, CONV, CONV | {"from": "a"}, HEAD], "nothing reads what this layer emits", "leave"),
]


@pytest.mark.parametrize(("layers", "message", "hint"), REFUSED)
def test_what_does_not_join_is_refused_with_its_place(layers: list[dict[str, Any]], message: str, hint: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        network(*layers)
    assert hint in caught.value.hint
    assert caught.value.where.startswith("layer ")


def test_the_classifier_may_read_another_layer() -> None:
    dense = {"op": "linear", "out": 9}
    specs = [CONV, {"op": "flatten"}, dense | {"name": "a"}, dense | {"name": "b"}]
    both = {"op": "add", "from": ["a", "b"], "name": "both"}
    net = network(*specs, both, dense | {"residual": "identity", "name": "c"}, HEAD | {"from": "c"})
    assert net.topology.result == 6
    assert net.classifier.weight.shape == (3, 9)


def test_routes_resolve_without_a_network() -> None:
    routes = Routes([{"op": "conv2d", "name": "a"}, {"op": "add", "from": ["a", "input"]}])
    assert [routes.add(spec) for spec in ({}, {"from": ["a", "input"]})] == [(0,), (1, 0)]
