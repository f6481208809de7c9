"""The networks of the papers that need more than square convolutions: their published sizes, and their exactness."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import spqc
from spqc.commands.sources import read_model
from spqc.foundation.errors import ModelError, UsageError
from spqc.ir import Graph, ops
from spqc.nn import models


def sizes(name: str, **options: Any) -> tuple[int, int, int]:
    """Return (weights, neurons, multiply-accumulates a step) of the graph of a model."""
    graph: Graph = read_model(models.create(name, calibrate=False, **options)).graph
    sums = [op for op in graph.ops if isinstance(op, ops.Conv | ops.Linear)]
    weights = [op.inputs[1].type for op in sums]
    macs = [w.size * math.prod(op.out.type.shape[1:]) for op, w in zip(sums, weights, strict=True)]
    neurons = [op.out.type.size for op in graph.ops if isinstance(op, ops.Spiking)]
    return sum(w.size for w in weights), sum(neurons), sum(macs)


def test_mobilenet_has_its_published_size() -> None:
    weights, neurons, _ = sizes("mobilenet", pool_position="after")
    assert (weights, neurons) == (45_696, 156_672)
    net = models.create("mobilenet", calibrate=False)
    assert len(list(net.spiking_layers())) == 9
    assert sizes("mobilenet")[1] == 63_360  # pooled before the neurons there are fewer of them


@pytest.mark.slow
def test_yolov2_has_its_published_size() -> None:
    weights, neurons, macs = sizes("yolov2")
    assert (round(weights / 1e6, 2), round(neurons / 1e6, 3), round(macs / 1e9, 2)) == (25.86, 6.478, 5.29)


BANDS = {"indian-pines": (200, 16), "pavia": (103, 9), "salinas": (204, 16)}
HYPERSPECTRAL = [
    ("cnn-3d", {"widths": "ace"}, 5, {"indian-pines": 14.60, "pavia": 7.53, "salinas": 14.89}),
    ("cnn-3d", {"widths": "hamida"}, 5, {"indian-pines": 4.35, "pavia": 2.24, "salinas": 4.43}),
    ("cnn-32h", {"bands": "ace"}, 3, {"indian-pines": 145.86, "pavia": 64.20, "salinas": 145.86}),
    ("cnn-32h", {"bands": "luo"}, 3, {"indian-pines": 105.13, "pavia": 40.91, "salinas": 110.96}),
]


@pytest.mark.parametrize("data", BANDS)
@pytest.mark.parametrize(("name", "options", "side", "wanted"), HYPERSPECTRAL, ids=lambda v: str(v)[:18])
def test_hyperspectral_networks_have_their_reported_work(
    name: str, options: dict[str, Any], side: int, wanted: dict[str, float], data: str
) -> None:
    bands, classes = BANDS[data]
    options = {"in_shape": (1, bands, side, side), "classes": classes, **options}
    found = sizes(name, **options)[2] if name == "cnn-3d" else work_of_cnn_32h(options)
    assert found / 1e6 == pytest.approx(wanted[data], abs=0.0051)


def work_of_cnn_32h(options: dict[str, Any]) -> float:
    """Return the multiply-accumulates with 1024 hidden neurons: linear in them, and 140 M weights are slow."""
    few, more = (sizes("cnn-32h", hidden=hidden, **options)[2] for hidden in (4, 8))
    return few + (more - few) / 4 * (1024 - 4)


EXACT: list[Any] = [
    ("mobilenet", {"in_shape": (3, 16, 17), "width": 0.6, "steps": 2}),
    pytest.param("yolov2", {"in_shape": (2, 64, 50), "width": 0.02, "classes": 24}, marks=pytest.mark.slow),
    ("cnn-3d", {"in_shape": (1, 31, 5, 5), "classes": 5, "widths": "hamida"}),
    ("cnn-32h", {"in_shape": (1, 40, 3, 3), "classes": 4, "kernels": 9, "hidden": 12}),
    ("spike-train", {"in_shape": (2, 33), "width": 5, "hidden": 20, "sparsity": "1:4"}),
    ("spike-train", {"in_shape": (2, 5, 7), "width": 4, "hidden": 7, "steps": 1}),
]


@pytest.mark.parametrize(("name", "options"), EXACT, ids=lambda v: v if isinstance(v, str) else "")
def test_networks_are_exact(name: str, options: dict[str, Any]) -> None:
    report = spqc.verify(models.create(name, **options), target="llvm", samples=2)
    assert report.equal, report.first_mismatch
    assert report.compared_spikes > 0


def test_yolov2_agrees_with_the_interpreter() -> None:
    net = models.create("yolov2", in_shape=(2, 66, 64), width=0.02, classes=24, steps=2)
    report = spqc.verify(net, target="reference", samples=1)
    assert report.equal, report.first_mismatch


def test_closed_gates_leave_zero_weights() -> None:
    net = models.create("spike-train", in_shape=(2, 32), width=4, hidden=8, sparsity="1:4")
    for _, layer in net.spiking_layers():
        weight, _ = layer.integer_weight()
        assert np.count_nonzero(weight) <= math.ceil(weight.size / 4) + weight.shape[0]


def test_dashes_may_be_underscores() -> None:
    assert {"cnn-3d", "cnn-32h", "spike-train"} <= set(models.available())
    assert models.create("spike_train", calibrate=False).model == "spike-train"


REFUSED = [
    ("cnn-32h", {"in_shape": (1, 10, 3, 3)}, ModelError, "smaller than the first kernel"),
    ("cnn-32h", {"in_shape": (3, 10, 3)}, ModelError, "a patch is"),
    ("cnn-3d", {"in_shape": (1, 20, 3, 3)}, ModelError, "empty output"),
    ("spike-train", {"in_shape": (1, 2, 3, 4)}, ModelError, "a spike train is"),
    ("mobilenet", {"width": 0.0}, UsageError, "width must be positive"),
]


@pytest.mark.parametrize(("name", "options", "kind", "message"), REFUSED)
def test_wrong_sizes_are_named(name: str, options: dict[str, Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        models.create(name, **options)
