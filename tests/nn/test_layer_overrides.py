"""A layer of its own kind: neuron options, weight bits and weight grid that override the network's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spqc
from spqc.foundation.errors import UsageError
from spqc.ir.levels import RELEASED, TERNARY

torch = pytest.importorskip("torch")

from spqc.nn import checkpoint, models  # noqa: E402  (torch must be there)
from spqc.nn.options import NeuronOptions  # noqa: E402


def network(first: dict[str, Any] | None = None, last: dict[str, Any] | None = None, **options: Any) -> Any:
    """Return a small network whose first convolution and classifier have keys of their own."""
    layers = [
        {"op": "conv2d", "out": 5, "kernel": 3, "padding": 1, **(first or {})},
        {"op": "conv2d", "out": 4, "kernel": 3},
        {"op": "flatten"},
        {"op": "linear", "out": 6, "weight_bits": 3, "weight_grid": "uniform", "neuron": {"leak": 0.25}},
        {"op": "linear", "out": 3, **(last or {})},
    ]
    return models.create(
        "sequential", in_shape=(2, 6, 5), classes=3, steps=3, layers=layers, **{"input": "spikes", **options}
    )


def refused(first: dict[str, Any] | None = None, last: dict[str, Any] | None = None) -> UsageError:
    with pytest.raises(UsageError) as caught:
        network(first, last)
    return caught.value


def test_a_layer_overrides_single_options_of_the_neuron() -> None:
    net = network({"neuron": {"leak": 0.75, "reset": "soft", "learn_threshold": True}}, fire="gt", threshold=0.8)
    own, other = net.features[0].options.neuron, net.features[1].options.neuron
    assert own == NeuronOptions(leak=0.75, reset="soft", learn_threshold=True, fire="gt", threshold=0.8)
    assert other == NeuronOptions(fire="gt", threshold=0.8)
    assert net.features[0].neuron.potential_threshold.requires_grad
    assert net.features[3].options.neuron.leak == 0.25


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ({"membrane": "released"}, {"levels": RELEASED, "silence": "state"}),
        ({"membrane": [-1, 0, 2]}, {"levels": (-1.0, 0.0, 2.0), "silence": "state"}),
        ({"levels": [-1, 0, 2], "silence": False}, {"levels": (-1.0, 0.0, 2.0), "silence": "none"}),
        ({"silence": "sticky"}, {"levels": TERNARY, "silence": "sticky"}),
        ({"membrane": "float"}, {"levels": TERNARY, "membrane": "float", "silence": "state"}),
    ],
)
def test_membranes_of_a_layer_in_a_silenced_network(own: dict[str, Any], expected: dict[str, Any]) -> None:
    assert network({"neuron": own}, membrane="binary").features[0].options.neuron == NeuronOptions(**expected)


def test_a_named_membrane_replaces_the_levels_of_the_network() -> None:
    net = network({"membrane": "ternary"}, membrane="released")
    assert [layer.options.neuron.levels for _, layer in net.spiking_layers()] == [TERNARY, RELEASED, RELEASED]


def test_bits_and_grids_mix() -> None:
    net = network({"weight_bits": 2, "weight_grid": "twn"}, {"weight_bits": 4, "weight_grid": "pot"}, weight_bits=8)
    kinds = [(layer.synapse.quantiser.encoding, layer.synapse.quantiser.bits) for _, layer in net.spiking_layers()]
    assert kinds == [("int", 2), ("pot", 8), ("int", 3)]
    assert (net.classifier.quantiser.encoding, net.classifier.quantiser.bits) == ("pot", 4)
    assert np.abs(net.features[0].integer_weight()[0]).max() == 1


def test_overrides_survive_a_checkpoint(tmp_path: Path) -> None:
    net = network(
        {"weight_bits": 8, "weight_grid": "apot", "neuron": {"levels": (-2, -1, 0, 1), "leak": 1.0}},
        {"weight_bits": 4, "weight_grid": "pot"},
    )
    checkpoint.save(net, tmp_path / "net.pt")
    back = checkpoint.load(tmp_path / "net.pt")
    assert [layer.options for _, layer in back.spiking_layers()] == [layer.options for _, layer in net.spiking_layers()]
    assert back.config == net.config
    x = np.random.default_rng(0).integers(0, 2, (4, 3, 2, 6, 5))
    assert torch.equal(back(x), net(x))


def test_a_mixed_network_is_exact() -> None:
    net = network(
        {"weight_bits": 8, "weight_grid": "apot", "neuron": {"membrane": "released", "leak": 0.75}},
        {"weight_bits": 4, "weight_grid": "pot"},
    )
    report = spqc.verify(net, target="llvm", samples=3)
    assert report.equal, report.first_mismatch


@pytest.mark.parametrize(
    ("first", "message", "hint"),
    [
        ({"neuron": {"leek": 0.5}}, "a neuron has no option 'leek'", "leak"),
        ({"neuron": {"leak": 2.0}}, "leak must lie in [0, 1], not 2.0", ""),
        ({"neuron": {"fire": "soon"}}, "fire must be one of ge, gt, not 'soon'", ""),
        ({"neuron": {"membrane": "octal"}}, "unknown membrane 'octal'", "ternary"),
        ({"neuron": {"membrane": "ternary", "levels": [0, 1]}}, "give either membrane or levels, not both", ""),
        ({"neuron": 3}, "neuron must be a mapping of options, not 3", "leak"),
        ({"weight_bits": 9}, "weights have 2 to 8 bits, or 32 for no quantisation, not 9", ""),
        ({"weight_bits": "4"}, "weight_bits must be an integer, not '4'", ""),
        ({"weight_grid": "log"}, "unknown weight grid 'log'", "pot"),
        ({"weight_grid": "twn"}, "the twn grid has 2 bits, not 4", ""),
    ],
)
def test_wrong_overrides_name_the_layer(first: dict[str, Any], message: str, hint: str) -> None:
    error = refused(first)
    assert (error.message, error.where) == (message, "layer 0 (conv2d)")
    assert hint in error.hint


def test_the_classifier_has_bits_but_no_neuron() -> None:
    error = refused(last={"neuron": {"leak": 0.5}})
    assert error.message == "the last linear is the classifier, which has no neuron"
    assert error.where == "layer 4 (linear)"
    assert refused(last={"weight_bits": 1}).where == "layer 4 (linear)"
