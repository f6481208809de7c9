"""The ACE flow: a CNN that shares the network's weights, thresholds from percentiles, fine-tuning; resumable."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spqc
from spqc.foundation.errors import UsageError

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")

from spqc.nn import models  # noqa: E402  (torch must be there)
from spqc.nn.twin import ReluTwin  # noqa: E402
from spqc.train import ace, loop, train  # noqa: E402
from spqc.train.presets import find  # noqa: E402

LAYERS = [
    {"op": "conv2d", "out": 6, "kernel": 3, "padding": 1},
    {"op": "avg_pool", "kernel": 2},
    {"op": "flatten"},
    {"op": "linear", "out": 12},
    {"op": "linear", "out": 10},
]
WORDS: dict[str, Any] = {"data": "digits", "preset": "ace", "epochs": 2, "seed": 2}
OPTIONS = {"layers": LAYERS, "steps": 5, "cnn_epochs": 3, "batch": 100, "learning_rate": 3e-3, "cnn_rate": 3e-3}


def network(**options: Any) -> Any:
    words = {**find("ace").network, "in_shape": (1, 8, 8), "input": "digits", "coding": "direct", "layers": LAYERS}
    return models.create("sequential", **words | options)


def images(count: int = 6) -> Any:
    return np.random.default_rng(0).integers(0, 17, (count, 1, 8, 8), dtype=np.uint8)


def test_the_twin_is_the_cnn_of_the_same_weights() -> None:
    net, x = network(), images()
    (_, first), (_, second) = net.spiking_layers()
    values = torch.from_numpy(x).float() / 16
    features = torch.relu(torch.nn.functional.conv2d(values, first.synapse.weight, padding=1))
    features = torch.nn.functional.avg_pool2d(features, 2).flatten(1)
    hidden = torch.relu(features @ second.synapse.weight.T)
    wanted = hidden @ net.classifier.weight.T
    torch.testing.assert_close(ReluTwin(net)(x).squeeze(1), wanted, rtol=1e-5, atol=1e-6)


def test_a_network_without_a_twin_is_refused() -> None:
    with pytest.raises(UsageError, match="batch norm"):
        ReluTwin(network(batch_norm="plain", membrane="ternary"))
    with pytest.raises(UsageError, match="mask"):
        ReluTwin(network(spatial_mask=0.3, membrane="ternary"))


def test_thresholds_are_percentiles_of_the_currents() -> None:
    net, x = network(), images(8)
    ace.set_thresholds(net, x, 99.7, 0.7)
    (_, first), (_, second) = net.spiking_layers()
    codes = net.codes(x)
    current = first.synapse.raw(codes.flatten(0, 1)).detach().numpy()
    found = float(first.neuron.potential_threshold.detach())
    assert found == pytest.approx(0.7 * np.sort(current.ravel())[round(0.997 * current.size) - 1], rel=1e-5)
    reads = net.topology.run(codes, _up_to(net, 2)).flatten(0, 1)
    share = float((second.synapse.raw(reads) > second.threshold).float().mean())
    assert 0.0 < share < 0.3


def _up_to(net: Any, last: int) -> Any:
    """Return the steps of a network that leave out the features beyond `last`."""

    def apply(index: int, reads: Any) -> Any:
        if index > last:
            return reads[0]
        record = net.features[index](*reads)
        return getattr(record, "spikes", record)

    return apply


def test_the_flow_learns_and_its_weights_have_6_bits(tmp_path: Path) -> None:
    report = train("sequential", out=tmp_path / "net.pt", options=OPTIONS | {"cnn_epochs": 6}, **WORDS)
    assert report.test_accuracy > 0.5
    assert all(layer.threshold != 1.0 for layer in report.layers)
    config = torch.load(tmp_path / "net.pt", weights_only=True)["config"]
    assert (config["weight_bits"], config["weight_grid"], config["reset"]) == (6, "uniform", "soft")
    tensors = torch.load(tmp_path / "net.pt", weights_only=True)["state_dict"]
    leaks = [float(value) for name, value in tensors.items() if name.endswith("leak_factor")]
    assert len(leaks) == 2 and all(leak != 1.0 for leak in leaks)
    assert spqc.verify(str(tmp_path / "net.pt"), target="reference", x=images()).equal


@pytest.mark.parametrize("update", [5, 35])
def test_a_killed_flow_goes_on_in_its_stage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, update: int) -> None:
    words = {**WORDS, "epochs": 1, "options": OPTIONS | {"cnn_epochs": 2}}
    train("sequential", out=tmp_path / "whole.pt", **words)
    real, calls = loop._Loop._update, [0]

    def dying(self: Any, *arguments: Any) -> Any:
        calls[0] += 1
        if calls[0] == update:
            raise KeyboardInterrupt
        return real(self, *arguments)

    monkeypatch.setattr(loop._Loop, "_update", dying)
    with pytest.raises(KeyboardInterrupt):
        train("sequential", out=tmp_path / "net.pt", save_seconds=0.0, **words)
    monkeypatch.setattr(loop._Loop, "_update", real)
    train("sequential", out=tmp_path / "net.pt", resume=True, **words)
    assert (tmp_path / "net.pt").read_bytes() == (tmp_path / "whole.pt").read_bytes()
