"""What a network reads and shows, and sums that leave the integers of float32."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spqc.foundation.errors import InputError, ModelError, OutputError

torch = pytest.importorskip("torch")

from spqc.nn import checkpoint, models  # noqa: E402  (torch must be there)
from spqc.nn.signal import Signal  # noqa: E402
from spqc.nn.synapse import ConvGeometry, Synapse, SynapseOptions  # noqa: E402

LAYERS = [
    {"op": "conv2d", "out": 6, "kernel": 3, "padding": 1},
    {"op": "max_pool", "kernel": 2},
    {"op": "conv2d", "out": 8, "kernel": 3, "residual": "project"},
    {"op": "linear"},
]


def network(**options: Any) -> Any:
    return models.create("sequential", in_shape=(2, 8, 6), classes=4, steps=3, layers=LAYERS, seed=2, **options)


@pytest.mark.parametrize("coding", ["frames", "direct"])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_one_frame_is_the_same_as_that_frame_at_every_step(coding: str, dtype: Any) -> None:
    net = network(coding=coding, channel_gate=True)
    frames = np.random.default_rng(0).random((5, 2, 8, 6))
    x = (frames * 255).astype(dtype) if dtype == np.uint8 else frames.astype(dtype)
    one, many = net.observe(x), net.observe(np.stack([x] * 3, axis=1))
    assert torch.equal(one.logits, many.logits)
    for name, record in one.layers.items():
        assert torch.equal(record.spikes, many.layers[name].spikes)
        assert torch.equal(record.states, many.layers[name].states)
    assert torch.equal(net(torch.from_numpy(x)), one.logits)


def test_direct_inputs_do_not_change_over_the_steps() -> None:
    x = np.random.default_rng(1).random((2, 3, 2, 8, 6))
    assert network()(x).shape == (2, 3, 4)
    with pytest.raises(InputError, match="static"):
        network(coding="direct")(x)


def test_trace_is_what_observe_saw() -> None:
    net = network()
    x = np.random.default_rng(2).random((4, 3, 2, 8, 6))
    seen, trace = net.observe(x), net.trace(x)
    assert {name: tuple(spikes.shape) for name, (spikes, _) in trace.items()} == {
        "features.0": (4, 3, 6, 8, 6),
        "features.2": (4, 3, 8, 2, 1),
    }
    assert torch.equal(seen.logits, net(x))
    for name, (spikes, states) in trace.items():
        record = seen.layers[name]
        assert torch.equal(spikes, record.spikes)
        assert torch.equal(states, record.states)
        assert record.gate is None
        assert record.keep is None
        assert 0 < float(spikes.mean()) < 1


def test_sums_beyond_float32_are_exact_in_float64_only() -> None:
    channels, side = 160, 3
    geometry = ConvGeometry((side, side), (1, 1), (0, 0))
    synapse = Synapse(Signal((channels, side, side), 1 / 256, 255), 1, geometry, SynapseOptions(weight_grid="uniform"))
    with torch.no_grad():
        synapse.weight.fill_(1.0)
        synapse.weight[0, 0, 0, 0] = 1 / 7
    synapse.quantiser = type(synapse.quantiser)(8)
    weight, _ = synapse.integer_weight()
    codes = np.full((1, channels, side, side), 255, dtype=np.int64)
    exact = int((weight[0] * codes[0]).sum())
    assert exact > 2**24
    assert exact % 2 == 1, "no float32 holds it"
    assert synapse.eval_dtype() == torch.float64
    assert int(synapse.accumulate(torch.from_numpy(codes), torch.float64)) == exact
    assert int(synapse.accumulate(torch.from_numpy(codes), torch.float32)) != exact


def test_the_bound_of_float32_is_strict() -> None:
    synapse = Synapse(Signal((258,), 1.0, 1), 1, None, SynapseOptions(weight_bits=8, weight_grid="uniform"))
    with torch.no_grad():
        synapse.weight.fill_(1.0)
    for top, dtype in ((2**24 // (127 * 258), torch.float32), (2**24 // (127 * 258) + 1, torch.float64)):
        synapse.source = Signal((258,), 1.0, top)
        assert (synapse.greatest_sum() < 2**24) == (dtype == torch.float32)
        assert synapse.eval_dtype() == dtype


@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize("grid", ["pot", "apot", "uniform"])
def test_every_layer_trains_on_the_weights_that_it_evaluates(grid: str, bits: int) -> None:
    net = network(weight_grid=grid, weight_bits=bits)
    for _, layer in net.spiking_layers():
        integers, scale = layer.integer_weight()
        trained = layer.synapse.quantiser(layer.synapse.weight).detach().double().numpy()
        np.testing.assert_array_equal(trained, integers * scale)
        assert grid == "uniform" or np.log2(scale) == np.rint(np.log2(scale))
        assert np.abs(integers).max() > 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_read_only_folder_is_an_output_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OutputError, match="Permission denied"):
            checkpoint.save(network(), tmp_path / "net.pt")
    finally:
        tmp_path.chmod(0o700)


def test_a_name_that_no_file_can_have_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="File name too long"):
        checkpoint.load(tmp_path / ("x" * 300))


def test_saving_over_a_folder_is_an_output_error_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "net.pt").mkdir()
    with pytest.raises(OutputError):
        checkpoint.save(network(), tmp_path / "net.pt")
    assert [entry.name for entry in tmp_path.iterdir()] == ["net.pt"]
