"""The peers of the benchmark run the network that we compile: a comparison of speed compares the same function."""

from __future__ import annotations

import numpy as np
import pytest

import spqc
from bench.cpu.__main__ import middle, put
from bench.cpu.goals import against_goals
from bench.cpu.networks import build, digits, folded, frames, set_rate
from bench.cpu.page import page
from bench.cpu.peers import PEERS, Setting
from bench.cpu.timing import in_turn, rounds_for
from spqc.commands.sources import read_model
from spqc.nn import models

_LAYERS = [
    {"op": "conv2d", "out": 9, "kernel": 3, "padding": 1},
    {"op": "max_pool", "kernel": 2},
    {"op": "conv2d", "out": 9, "kernel": 3, "padding": 1, "residual": "identity"},
    {"op": "avg_pool", "kernel": 2},
    {"op": "flatten"},
    {"op": "linear", "out": 5},
]


def _network():
    return models.create("sequential", in_shape=(2, 8, 8), classes=5, steps=3, seed=4, layers=_LAYERS)


def _logits(name, net, batch=2):
    """Return (the peer's logits, the network's integer logits), both [T*N, classes]."""
    peer = next(p for p in PEERS if p.name == name)
    x = frames(net, batch, 3)
    model = read_model(net)
    call = peer.make(Setting(model.graph, batch, 1, [folded(net, x)]))
    exact = spqc.compile(net, target="reference")
    expected = exact.executor.run(exact.feed(x)).swapaxes(0, 1).reshape(net.steps * batch, -1)
    return call(folded(net, x)), expected


def _attention():
    return models.create("spikformer-4-256", in_shape=(3, 16, 16), steps=2, channels=32, heads=4, depth=1)


def _projections():
    return models.create("resnet19", in_shape=(3, 8, 8), steps=2, width=0.125)


_MAKERS = {"residual": _network, "static input": lambda: build(digits(4))}
_MAKERS |= {"attention": _attention, "projections": _projections}


@pytest.mark.parametrize("make", _MAKERS.values(), ids=_MAKERS)
def test_eager_runs_the_same_function(make):
    found, expected = _logits("eager", make())
    np.testing.assert_allclose(found, expected, atol=0.5)


@pytest.mark.parametrize("name", ["ort-fp32", "openvino-fp32", "openvino-int8"])
def test_inference_engines_run_the_same_function(name):
    pytest.importorskip("onnx", reason="the peers come with the extra 'bench'")
    pytest.importorskip("onnxruntime" if name.startswith("ort") else "openvino", reason="comes with the extra 'bench'")
    found, expected = _logits(name, _network())
    np.testing.assert_allclose(found, expected, atol=0.5)


def test_a_spike_rate_is_met():
    net = models.create("vgg9", in_shape=(3, 16, 16), steps=4, width=0.25, pool="max", seed=1)
    set_rate(net, 0.1)
    observed = net.observe(frames(net, 1, 1)).layers  # the inputs that the rate was set on
    assert all(abs(float(r.spikes.mean()) - 0.1) < 0.03 for r in observed.values())


def test_calls_take_turns():
    order = []
    found = in_turn([lambda i: order.append(("a", i)), lambda i: order.append(("b", i))], rounds=2, repeats=1)
    assert order == [("a", 0), ("a", 1), ("b", 0), ("b", 1), ("a", 2), ("a", 3), ("b", 2), ("b", 3)]
    assert len(found) == 2
    assert all(times.calm_ms <= times.wall_ms for times in found)
    assert rounds_for(100.0) == 3 and rounds_for(0.0) == 21


def test_of_three_visits_the_middle_ratio_counts():
    """A visit that something else spoiled is neither the best nor the worst that is shown."""
    found = middle([(1.0, 4.2), (1.6, 4.8), (1.1, 4.4)])
    assert (found["ours_ms"], found["ms"], found["ratio"]) == (1.1, 4.4, pytest.approx(4.0))
    assert found["ratios"] == pytest.approx([4.2, 3.0, 4.0])


def test_the_page_shows_ratios_and_costs():
    row = {"commit": "abc", "network": "net", "batch": 1, "threads": 1, "rate": 0.15, "gmac": 2.0, "ours_ms": 4.0}
    row["peers"] = {"eager": {"ms": 20.0, "ours_ms": 4.0, "ratio": 5.0}}
    two = row | {"threads": 2, "ours_ms": 2.5, "one_thread_ms": 4.4, "threads_ms": 2.2}
    two |= {"one_thread_calm_ms": 3.8, "threads_calm_ms": 2.0}
    result = {"cpu": "some CPU", "date": "2026-01-01", "versions": {"torch": "2"}, "rows": [row, two]}
    shown = page(result | {"networks": {"net": {"compile_s": 1.5, "artifact_kb": 10.0, "memory_mb": 12.0}}})
    assert "| net | 1 | 0.15 | 4 | 500 | 5.0x (20 ms) |" in shown
    medians, calm = "4.4 ms on one thread, 2.2 ms here, 2.00 times as fast", "fastest tenth: 3.8 and 2 ms, 1.90 times"
    assert f"- net, batch 1: {medians}; {calm}\n" in shown
    assert "in one visit: net.\n" in shown
    assert "| net | 1.5 | 10 | 12 |" in shown


def test_goals_are_stated_reached_or_missed():
    peers = {"openvino-int8": {"ratio": 2.5}, "eager": {"ratio": 20.0}}
    rows = [
        {"network": name, "batch": 1, "threads": 1, "peers": peers}
        for name in ("vgg9 32x32 T4 max pool, 2-bit", "vgg9 32x32 T4 avg pool, 4-bit", "digits 8x8 T4, 4-bit")
    ]
    vgg, average = against_goals(rows)
    assert vgg[2:] == ["20.0 of 20, reached", "-", "-", "2.50 of 4, missed"]
    assert average[2:] == ["-", "-", "-", "2.50 of 1.8, reached"]


def test_a_row_that_is_measured_again_takes_its_old_place():
    rows = []
    turns = ((1, "a", 1, "x"), (2, "b", 1, "x"), (3, "a", 2, "x"), (4, "a", 1, "x"), (5, "b", 1, "y"))
    for ours, network, threads, commit in turns:
        facts = {"network": network, "batch": 1, "threads": threads, "ours_ms": ours, "commit": commit}
        put(rows, facts | {"peers": {str(ours): {}}})
    assert [row["ours_ms"] for row in rows] == [4, 5, 3]
    assert [list(row["peers"]) for row in rows] == [["1", "4"], ["5"], ["3"]]  # of one commit, peers are gathered
