"""ResNet-19, ResNet-34 and Spikformer: their published sizes, and small ones that are exact."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import spqc
from spqc.foundation.errors import UsageError

torch = pytest.importorskip("torch")

from spqc.nn import checkpoint, models  # noqa: E402  (torch must be there)


def sizes(name: str, **options: Any) -> dict[str, int]:
    """Return weights, convolution weights, neurons an image and multiply-accumulates a step of a network."""
    net = models.create(name, calibrate=False, **options)
    sums = [sum_ for _, layer in net.spiking_layers() for sum_ in (layer.synapse, layer.shortcut) if sum_ is not None]
    head = net.classifier.weight.numel()
    return {
        "weights": sum(s.weight.numel() for s in sums) + head,
        "convolutions": sum(s.weight.numel() for s in sums if s.geometry is not None),
        "neurons": sum(layer.out.size for _, layer in net.spiking_layers()),
        "macs": sum(s.weight.numel() * int(np.prod(s.out_shape[1:])) for s in sums) + head,
    }


def test_resnet19_has_its_published_size() -> None:
    found = sizes("resnet19")
    assert (found["weights"], found["convolutions"], found["neurons"]) == (12_619_968, 12_486_336, 1_376_512)
    assert found["macs"] / 1e6 == pytest.approx(2216.5, abs=0.05)


@pytest.mark.slow
@pytest.mark.parametrize(("pool", "neurons", "gmacs"), [(False, 11.84, 14.30), (True, 3.56, 3.66)])
def test_resnet34_has_its_published_size(pool: bool, neurons: float, gmacs: float) -> None:
    found = sizes("resnet34", stem_pool=pool)
    assert found["weights"] / 1e6 == pytest.approx(21.65, abs=0.005)
    assert found["neurons"] / 1e6 == pytest.approx(neurons, abs=0.005)
    assert found["macs"] / 1e9 == pytest.approx(gmacs, abs=0.01)


@pytest.mark.parametrize(
    ("name", "weights", "neurons"), [("spikformer-4-256", 4.126, 0.967), ("spikformer-4-384", 9.28, 1.45)]
)
def test_spikformer_has_its_published_size(name: str, weights: float, neurons: float) -> None:
    found = sizes(name)
    assert found["weights"] / 1e6 == pytest.approx(weights, abs=0.002)
    assert found["neurons"] / 1e6 == pytest.approx(neurons, abs=0.001)


SMALL: dict[str, dict[str, Any]] = {
    "resnet19": {"width": 1 / 16, "in_shape": (3, 8, 8)},
    "resnet34": {"width": 1 / 16, "in_shape": (3, 32, 32), "stem_pool": True, "steps": 2, "classes": 10},
    "spikformer-4-256": {"depth": 1, "channels": 32, "heads": 2, "in_shape": (3, 16, 16), "threshold": 0.3},
    "spikformer-8-512": {"depth": 2, "channels": 16, "heads": 2, "in_shape": (3, 32, 32), "classes": 5, "steps": 2},
}


@pytest.mark.parametrize("name", SMALL)
def test_small_networks_equal_the_interpreter(name: str) -> None:
    report = spqc.verify(models.create(name, **SMALL[name]), target="reference", samples=2)
    assert report.equal, report.first_mismatch


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_small_networks_are_exact(name: str) -> None:
    report = spqc.verify(models.create(name, **SMALL[name]), target="llvm", samples=2)
    assert report.equal, report.first_mismatch


def test_every_layer_of_a_small_spikformer_fires() -> None:
    net = models.create("spikformer-4-256", **SMALL["spikformer-4-256"])
    x = np.random.default_rng(0).integers(0, 256, (4, 3, 16, 16))
    rates = {name: float(spikes.mean()) for name, (spikes, _) in net.trace(x).items()}
    assert all(rate > 0 for rate in rates.values()), rates


def test_a_variant_is_listed_made_and_saved_under_its_name(tmp_path: Any) -> None:
    assert {"spikformer-4-256", "spikformer-4-384", "spikformer-8-512"} <= set(models.available())
    assert "spikformer" not in models.available()
    net = models.create("spikformer-4-384", depth=1, channels=16, heads=2, in_shape=(3, 8, 8))
    checkpoint.save(net, tmp_path / "net.pt")
    again = checkpoint.load(tmp_path / "net.pt")
    assert again.model == "spikformer-4-384"
    assert again.topology == net.topology


def test_the_nearest_variant_is_named() -> None:
    with pytest.raises(UsageError, match="unknown model 'spikformer-4-265'") as caught:
        models.create("spikformer-4-265")
    assert "did you mean 'spikformer-4-256'?" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("spikformer-4-256", {"channels": 20}),
        ("spikformer-4-256", {"pools": 5}),
        ("resnet19", {"width": 0.0}),
        ("resnet34", {"hidden": -1}),
    ],
)
def test_wrong_options_are_refused(name: str, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        models.create(name, **options)
