"""MINT: weights and membrane on one learned scale, one table of thresholds for all states, exact everywhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import spqc
from spqc.foundation.errors import UsageError
from spqc.ir.ops import Automaton

torch = pytest.importorskip("torch")

from spqc.nn import models, quantisers  # noqa: E402  (torch must be there)

LAYERS = [
    {"op": "conv2d", "out": 6, "kernel": 3, "padding": 1},
    {"op": "avg_pool", "kernel": 2},
    {"op": "conv2d", "out": 18, "kernel": 3, "bias": True},
    {"op": "flatten"},
    {"op": "linear", "out": 9},
    {"op": "linear", "out": 4},
]


def network(bits: int, **options: Any) -> Any:
    settings = {"batch_norm": "none", "threshold": 0.05, "seed": bits, "input": "spikes"} | options
    net = models.create(
        "sequential",
        in_shape=(2, 6, 7),
        classes=4,
        steps=5,
        layers=LAYERS,
        weight_bits=bits,
        weight_grid="mint",
        membrane=f"mint{bits}",
        **settings,
    )
    with torch.no_grad():
        net.features[2].synapse.bias.uniform_(-0.1, 0.1, generator=torch.Generator().manual_seed(0))
    return net


@pytest.mark.parametrize(("bits", "reset"), [(2, "hard"), (3, "soft"), (4, "hard"), (8, "hard"), (8, "soft")])
def test_every_width_is_exact(bits: int, reset: str) -> None:
    net = network(bits, reset=reset)
    report = spqc.verify(net, target="llvm", samples=3)
    assert report.equal, report.first_mismatch
    rates = [float(record.spikes.mean()) for record in net.observe(np.ones((1, 5, 2, 6, 7))).layers.values()]
    assert max(rates) > 0.0, "silent layers prove little"


@pytest.mark.parametrize("options", [{"input": "pixels"}, {"input": "pixels", "coding": "direct"}, {"silence": True}])
def test_inputs_of_many_levels_and_silence(options: dict[str, Any]) -> None:
    report = spqc.verify(network(4, **options), target="llvm", samples=3)
    assert report.equal, report.first_mismatch


@pytest.mark.parametrize("options", [{}, {"spatial_mask": 0.3, "channel_gate": True}], ids=str)
def test_with_batch_norm_and_masks(options: dict[str, Any]) -> None:
    report = spqc.verify(network(4, batch_norm="plain", threshold=0.5, **options), target="llvm", samples=3)
    assert report.equal, report.first_mismatch


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_states_share_one_row_of_thresholds(bits: int) -> None:
    """A table of 2^b - 1 thresholds: one between each of the 2^b - 1 levels, and firing."""
    graph = spqc.compile(network(bits), target="llvm").graph
    tables = [(op.type_of(2).shape, op.carry) for op in graph.ops if isinstance(op, Automaton)]
    levels = 2**bits - 1
    assert [shape for shape, _ in tables] == [(1, levels, 1), (1, levels, 18), (1, levels, 1)]
    top = levels // 2
    assert tables[0][1] == tuple(range(-top, top + 1))
    assert tables[1][1] == tuple(4 * k for k in range(-top, top + 1)), "inputs count quarters after a 2x2 average"


@pytest.mark.parametrize("bits", [2, 4])
def test_the_layer_is_the_published_recurrence(bits: int) -> None:
    """H = x + U, fire H > th, U = round(clip(tanh(H' / 2) / beta) * s) / s * beta with s = 2^(b-1) - 1."""
    net = network(bits, threshold=0.3)
    x = np.random.default_rng(0).integers(0, 2, (3, 5, 2, 6, 7))
    layer, record = net.features[0], net.observe(x).layers["features.0"]
    s, beta = 2 ** (bits - 1) - 1, layer.synapse.quantiser.scale(layer.synapse.weight).item() * (2 ** (bits - 1) - 1)
    w = np.rint(np.clip(np.tanh(layer.synapse.weight.detach().double().numpy()) / beta, -1, 1) * s) / s * beta
    np.testing.assert_array_equal(w, layer.integer_weight()[0] * (beta / s))
    current = torch.nn.functional.conv2d(torch.from_numpy(x).flatten(0, 1).double(), torch.from_numpy(w), padding=1)
    current = current.numpy().reshape(3, 5, 6, 6, 7)
    u = np.zeros((3, 6, 6, 7))
    for step in range(5):
        h = current[:, step] + u
        fired = h > 0.3
        u = np.rint(np.clip(np.tanh(0.5 * np.where(fired, 0, h)) / beta, -1, 1) * s) / s * beta
        np.testing.assert_array_equal(record.spikes[:, step].numpy(), fired)
        np.testing.assert_allclose(record.states[:, step].numpy() * (beta / s), u, atol=1e-12)


def test_training_reaches_the_weights_and_the_scale() -> None:
    net = network(4, threshold=0.3).train()
    x = np.random.default_rng(0).integers(0, 2, (16, 5, 2, 6, 7))
    goal = torch.arange(16) % 4
    optimiser = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], lr=0.01)
    losses = []
    for _ in range(15):
        loss = torch.nn.functional.cross_entropy(net(x).mean(dim=1), goal)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    beta = net.features[0].synapse.quantiser.beta
    assert beta.grad is not None and float(beta.grad) != 0.0
    assert losses[-1] < losses[0] - 0.1


def test_training_stores_what_evaluation_stores() -> None:
    net = network(3, threshold=0.3)
    x = np.random.default_rng(1).integers(0, 2, (4, 5, 2, 6, 7))
    layer = net.features[0]
    codes = net.codes(x)
    trained, evaluated = layer.train()(codes), layer.eval()(codes)
    unit = layer.unit
    np.testing.assert_array_equal(trained.spikes.detach().numpy(), evaluated.spikes.numpy())
    np.testing.assert_allclose(trained.states.detach().numpy(), evaluated.states.numpy() * unit, rtol=1e-6)


@pytest.mark.parametrize("bits", range(2, 9))
def test_weights_are_integers_of_one_scale(bits: int) -> None:
    weight = torch.randn(40, 30, generator=torch.Generator().manual_seed(bits), requires_grad=True)
    quantiser = quantisers.create("mint", bits)
    quantiser.start(weight)
    integers, scale = quantiser.integers(weight)
    out = quantiser(weight)
    assert torch.equal(out.detach().double(), integers.double() * scale)
    assert int(integers.abs().max()) == 2 ** (bits - 1) - 1
    out.square().sum().backward()
    assert weight.grad is not None and float(quantiser.beta.grad) != 0.0


@pytest.mark.parametrize("name", ["mint1", "mint9", "mint", "mint44"])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(UsageError, match="unknown membrane"):
        models.create("digits", membrane=name)


def test_levels_that_count_the_scale_are_integers() -> None:
    with pytest.raises(UsageError, match="are integers"):
        models.create("digits", membrane=(-0.5, 0.0, 1.0), level_scale="weights")
