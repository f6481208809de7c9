"""Torch, interpreter and compiled artifact agree on every spike, state, mask and logit of trained-shaped networks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import spqc
from spqc.foundation.errors import ModelError
from spqc.runtime.session import Artifact

torch = pytest.importorskip("torch")

from spqc.nn import models  # noqa: E402  (torch must be there)


def network(seed: int, **options: Any) -> Any:
    """Return a small network with gammas of both signs."""
    layers = [
        {"op": "conv2d", "out": 17, "kernel": 3, "padding": 1},
        {"op": "conv2d", "out": 17, "kernel": 3, "padding": 1, "residual": "identity"},
        {"op": "avg_pool", "kernel": 2},
        {"op": "conv2d", "out": 3, "kernel": 5, "padding": 2, "stride": 2},
        {"op": "flatten"},
        {"op": "linear", "out": 20},
        {"op": "linear", "out": 5},
    ]
    settings = {"in_shape": (3, 9, 7), "classes": 5, "steps": 4, "layers": layers, "seed": seed} | options
    net = models.create("sequential", **settings)
    rng = np.random.default_rng(seed)
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if "norm" in name and name.endswith("weight"):
                parameter.mul_(torch.from_numpy(rng.choice([-1.0, 1.0], parameter.shape)).to(parameter))
    return net


GRIDS = [("pot", 2), ("pot", 4), ("pot", 8), ("apot", 4), ("apot", 8), ("uniform", 6), ("uniform", 8), ("twn", 2)]


@pytest.mark.parametrize(("grid", "bits"), GRIDS)
def test_every_weight_grid(grid: str, bits: int) -> None:
    assert_exact(network(bits, weight_grid=grid, weight_bits=bits), "llvm")


@pytest.mark.parametrize("silence", [False, True])
@pytest.mark.parametrize("mask", [None, 0.35])
@pytest.mark.parametrize("gate", [False, True])
def test_masks_and_silence(silence: bool, mask: float | None, gate: bool) -> None:
    assert_exact(network(3, silence=silence, spatial_mask=mask, channel_gate=gate, threshold=0.83), "llvm")


VARIANTS = [
    {"fire": "gt"},
    {"order": "quantise_first"},
    {"leak_at": "write"},
    {"reset": "soft"},
    {"ties": "even"},
    {"ties": "away"},
    {"ties": "up"},
    {"membrane": "released"},
    {"membrane": "released", "reset": "soft"},
    {"membrane": "tapeout"},
    {"membrane": "tapeout", "reset": "soft", "ties": "even"},
    {"membrane": (-2.0, -1.0, 0.0, 1.0), "leak": 1.0},
    {"input_scale": 0.5},
    {"input_scale": 2.0, "membrane": "binary"},
    {"silence": "spikes"},
    {"silence": "sticky"},
    {"top_level": "threshold", "threshold": 1.25},
    {"learn_threshold": True, "threshold": 1.7},
    {"threshold": 0.55},
    {"input": "spikes"},
    {"coding": "direct"},
    {"steps": 1},
    {"steps": 10},
    {"steps": 33},
]


@pytest.mark.parametrize(
    "variant",
    [pytest.param(v, marks=pytest.mark.slow if i % 2 else ()) for i, v in enumerate(VARIANTS)],
    ids=lambda v: "-".join(f"{k}={x}" for k, x in v.items()),
)
def test_every_choice_of_the_neuron(variant: dict[str, Any]) -> None:
    assert_exact(network(5, **variant), "llvm")


def projected(seed: int, first: int = 6, **options: Any) -> Any:
    layers = [
        {"op": "conv2d", "out": first, "kernel": 3, "padding": 1},
        {"op": "conv2d", "out": 9, "kernel": 3, "padding": 1, "stride": 2, "residual": "project"},
        {"op": "flatten"},
        {"op": "linear", "out": 5},
    ]
    return network(seed, layers=layers, **options)


@pytest.mark.parametrize(
    "neuron",
    [{}, *(pytest.param(n, marks=pytest.mark.slow) for n in ({"input_scale": 0.5}, {"membrane": "tapeout"}))],
    ids=str,
)
def test_projected_residual_runs_in_fixed_point(neuron: dict[str, Any]) -> None:
    assert_exact(projected(7, spatial_mask=0.35, **neuron), "llvm")


COMBINED: list[tuple[dict[str, Any], str]] = [
    ({}, "int32"),
    ({"input_scale": 0.5}, "int32"),
    ({"membrane": "tapeout", "reset": "soft"}, "int32"),
    ({"silence": "sticky"}, "int32"),
    ({"channel_gate": True}, "int32"),
    ({"weight_bits": 8, "weight_grid": "uniform"}, "int32"),
    ({"weight_bits": 8, "weight_grid": "uniform", "first": 120}, "int64"),
]


@pytest.mark.parametrize(
    ("options", "width"),
    [case if place < 2 else pytest.param(*case, marks=pytest.mark.slow) for place, case in enumerate(COMBINED)],
    ids=str,
)
def test_projected_residual_becomes_one_integer(options: dict[str, Any], width: str) -> None:
    """Two sums are one integer of few bits; long sums find no such factors, and keep their own."""
    net = projected(8, **options)
    (combined,) = [op for op in spqc.compile(net, target="llvm").graph.ops if op.name == "combine"]
    assert str(combined.out.type).startswith(width)
    assert_exact(net, "llvm")


def assert_exact(net: Any, target: str) -> None:
    report = spqc.verify(net, target=target, samples=3, seed=1)
    assert report.equal, report.first_mismatch
    assert report.mismatched_spikes == 0 and report.compared_spikes > 100


REFUSED = [
    ({"membrane": "float"}, "float membrane"),
    ({"weight_bits": 32}, "float weights"),
    ({"spatial_mask": 0.35, "spatial_rule": "topk"}, "top-k"),
    ({"spatial_mask": 0.35, "granularity": "pixel"}, "shared over channels"),
    ({"spatial_mask": 0.35, "masked": "freeze"}, "frozen"),
    ({"channel_gate": True, "gate_input": "time"}, "causal"),
]


@pytest.mark.parametrize(("options", "reason"), REFUSED, ids=lambda v: str(v))
def test_what_cannot_be_exact_is_refused(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(ModelError, match=reason):
        spqc.compile(network(1, **options))


def test_a_broken_artifact_is_caught() -> None:
    """The comparison can fail: an artifact of other weights is told apart, with the first place named."""
    net, other = network(1), spqc.compile(network(2)).contents
    broken = replace(other, source=spqc.compile(net).contents.source)
    report = spqc.verify(net, artifact=Artifact(broken), samples=2)
    assert not report.equal and report.mismatched_spikes > 0
    assert report.first_mismatch is not None
