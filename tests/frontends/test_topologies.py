"""Random networks with branches: torch, interpreter and compiled artifact agree on every spike, state and logit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import spqc
from spqc.foundation.errors import ModelError
from spqc.frontends.spquant import SpQuant
from spqc.plugins import pipeline
from spqc.plugins.frontend import Source

torch = pytest.importorskip("torch")

from spqc.nn import models  # noqa: E402  (torch must be there)

Spec = dict[str, Any]


class Draw:
    """Draws a network whose layers read any earlier ones of the shape that fits."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.channels = int(self.pick(3, 16, 17))
        self.specs: list[Spec] = [self.conv(name="l0")]
        self.names = ["l0"]

    def pick(self, *choices: Any) -> Any:
        return choices[int(self.rng.integers(len(choices)))]

    def conv(self, **more: Any) -> Spec:
        kernel = int(self.pick(1, 3))
        return {"op": "conv2d", "out": self.channels, "kernel": kernel, "padding": kernel // 2, **more}

    def some(self, count: int) -> list[str]:
        return [str(self.pick(*self.names)) for _ in range(count)]

    def layer(self, index: int) -> None:
        name, kind = f"l{index}", self.pick("conv", "add", "add", "identity", "project")
        if kind == "add":
            self.specs.append({"op": "add", "from": self.some(int(self.pick(2, 2, 3))), "name": name})
        elif kind == "conv":
            self.specs.append(self.conv(name=name, **{"from": self.some(1)[0]}))
        else:
            self.specs.append(self.conv(name=name, residual=kind, **{"from": self.some(2)}))
        self.names.append(name)

    def join(self) -> None:
        """Add up what no layer reads yet."""
        read = {name for spec in self.specs for name in np.atleast_1d(spec.get("from", []))}
        loose = [name for name in self.names if name not in read]
        self.specs.append({"op": "add", "from": loose} if len(loose) > 1 else self.conv(**{"from": loose}))

    def network(self, layers: int = 6) -> Any:
        for index in range(1, layers):
            self.layer(index)
        self.join()
        self.specs += [self.pick({"op": "max_pool"}, {"op": "avg_pool"}), {"op": "linear"}]
        options = {"in_shape": (2, 6, 6), "classes": 3, "steps": int(self.pick(1, 3)), "layers": self.specs}
        return models.create("sequential", **options, weight_bits=int(self.pick(2, 4)), seed=layers)


@pytest.mark.parametrize("seed", range(3))
def test_random_topologies_are_exact(seed: int) -> None:
    report = spqc.verify(Draw(seed).network(), target="llvm", samples=2, seed=seed)
    assert report.equal, report.first_mismatch
    assert report.compared_spikes > 100


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 130))
def test_many_random_topologies_are_exact(seed: int) -> None:
    report = spqc.verify(Draw(seed).network(9), target="llvm", samples=2, seed=seed)
    assert report.equal, report.first_mismatch


@pytest.mark.parametrize("seed", range(6, 9))
def test_random_topologies_equal_the_interpreter(seed: int) -> None:
    report = spqc.verify(Draw(seed).network(), target="reference", samples=2, seed=seed)
    assert report.equal, report.first_mismatch


CONV = {"op": "conv2d", "out": 4, "kernel": 3, "padding": 1}


def stream(*adds: list[str], **options: Any) -> Any:
    layers = [CONV | {"name": "a"}, CONV | {"name": "b"}, CONV | {"name": "c", "from": "a"}]
    layers += [{"op": "add", "from": names, "name": f"sum{i}"} for i, names in enumerate(adds)]
    settings = {"in_shape": (2, 4, 4), "classes": 3, "steps": 2, "layers": [*layers, CONV, {"op": "linear"}]}
    return models.create("sequential", **settings, **options)


def test_the_sum_of_spikes_has_a_proven_width() -> None:
    graph = SpQuant().load(Source("stream", model=stream(["a", "b"], ["sum0", "c"])))
    graph = pipeline.run(graph, pipeline.parse("narrow-accumulators"))
    widths = [str(op.out.type) for op in graph.ops if op.name == "add"]
    assert widths == ["uint2<4x4x4>", "uint2<4x4x4>"], "0..2, then 0..3"


def test_gradients_reach_every_branch() -> None:
    net = stream(["a", "b", "c"]).train()
    net(torch.rand(8, 2, 4, 4).round()).sum().backward()
    weights = [layer.synapse.weight for _, layer in net.spiking_layers()]
    assert all(bool(weight.grad.abs().sum() > 0) for weight in weights)


REFUSED = [
    ([{"op": "add", "from": ["a"]}], "two layers or more"),
    ([{"op": "add"}], "two layers or more"),
    ([{"op": "max_pool", "name": "small"}, {"op": "add", "from": ["a", "small"]}], r"cannot add \[4, 2, 2\] to"),
    ([{"op": "avg_pool", "kernel": 1, "name": "x"}, {"op": "add", "from": ["a", "input"]}], r"cannot add \[2, 4, 4\]"),
]


@pytest.mark.parametrize(("layers", "message"), REFUSED)
def test_what_cannot_be_added_is_refused(layers: list[Spec], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        models.create(
            "sequential",
            in_shape=(2, 4, 4),
            classes=3,
            steps=1,
            layers=[CONV | {"name": "a"}, *layers, {"op": "linear"}],
        )


def test_codes_of_different_scales_are_not_added() -> None:
    layers = [CONV | {"name": "a"}, {"op": "avg_pool", "name": "mean"}, {"op": "max_pool", "name": "most", "from": "a"}]
    with pytest.raises(ModelError, match=r"scale 1 to codes of scale 0\.25"):
        models.create(
            "sequential",
            in_shape=(2, 4, 4),
            classes=3,
            steps=1,
            layers=[*layers, {"op": "add", "from": ["mean", "most"]}, {"op": "linear"}],
        )
