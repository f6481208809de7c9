"""`analyze` on everything it takes: a name, a live network, a graph, an artifact; and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from support.hand_network import frames, hand
from support.places import ROOT

import spqc
from spqc import api
from spqc.foundation.errors import SpqcError, UsageError

torch = pytest.importorskip("torch")

from spqc.nn import models  # noqa: E402  (torch must be there)

SMALL = {"in_shape": [2, 8, 8], "classes": 3, "steps": 3, "width": 1 / 16}
LAYERS = [{"op": "conv2d", "out": 4, "kernel": 3, "padding": 1}, {"op": "flatten"}, {"op": "linear", "out": 3}]


def small(**options: object) -> object:
    return models.create("sequential", in_shape=(2, 6, 6), classes=3, steps=3, input="spikes", layers=LAYERS, **options)


def test_a_graph_by_hand() -> None:
    found = api.analyze(hand(), x=frames())
    assert (found.kind, found.steps, found.samples, found.inputs) == ("model", 3, 1, "given inputs")
    assert found.total_operations.dense == 984
    assert found.total_activity is not None and found.total_activity.spike_rate == 3 / 96


def test_a_published_factor_implies_how_many_channels_were_shut() -> None:
    found = api.analyze(hand(), x=frames(), factor=5.0, spatial_sparsity=0.35)
    assert found.implied_channel_sparsity == pytest.approx(1 - 1 / (5.0 * 0.65), abs=1e-12)
    assert api.analyze(hand(), x=frames()).implied_channel_sparsity is None
    with pytest.raises(UsageError, match=r"at least 1\.538"):
        api.analyze(hand(), factor=1.2, spatial_sparsity=0.35)


def test_the_weights_of_convolutions_are_told_apart() -> None:
    literal, published, fused = api.analyze("resnet19", ("weight_bits=4", "steps=2"), program=False).memory
    for form in (literal, published, fused):
        assert round(form.baseline.convolution_mb, 3) == 49.945 and round(form.quantised.convolution_mb, 3) == 6.243
        assert form.baseline.convolution_bits < form.baseline.weight_bits
    hand_net = api.analyze(hand(), x=frames())
    assert hand_net.account.convolution_weights == 18 and hand_net.account.weights == 58


def test_an_artifact_agrees_with_its_model() -> None:
    net = small(spatial_mask=0.35, channel_gate=True)
    x = np.random.default_rng(0).integers(0, 2, (4, 3, 2, 6, 6)).astype(np.uint8)
    model, artifact = api.analyze(net, x=x), api.analyze(spqc.compile(net), x=x)
    assert artifact.kind == "artifact" and artifact.account.layers == model.account.layers
    ours, theirs = artifact.activity["features.0"], model.activity["features.0"]
    for name in ("spike_rate", "input_rate", "occupancy", "channel_sparsity", "open_tiles"):
        assert getattr(ours, name) == getattr(theirs, name), name
    assert theirs.clip is not None and ours.clip is None and any("Eq 5" in note for note in artifact.notes)
    assert artifact.program == model.program


def test_the_activity_is_what_the_framework_did() -> None:
    net = small(spatial_mask=0.35, channel_gate=True)
    x = np.random.default_rng(1).integers(0, 2, (5, 3, 2, 6, 6)).astype(np.uint8)
    record = net.observe(x).layers["features.0"]  # type: ignore[attr-defined]
    found = api.analyze(net, x=x).activity["features.0"]
    assert found.spike_rate == pytest.approx(float(record.spikes.mean()))
    assert found.occupancy["-1"] == pytest.approx(float((record.states == -1).double().mean()))
    assert found.spatial_sparsity == pytest.approx(1 - float(record.keep.double().mean()))
    assert found.channel_sparsity == pytest.approx(1 - float(record.gate.double().mean()))


def test_a_name_with_options() -> None:
    found = api.analyze("vgg7", {**SMALL, "in_shape": (3, 32, 32)}, program=False)
    assert (found.kind, found.steps, found.activity, found.program) == ("name", 3, {}, None)
    assert any("fresh" in note for note in found.notes)
    texts = ("in_shape=[3,32,32]", "classes=3", "steps=3", "width=0.0625")
    assert api.analyze("vgg7", texts, program=False).account == found.account


def test_a_fresh_network_runs_when_asked() -> None:
    found = api.analyze("vgg7", {**SMALL, "in_shape": (3, 32, 32)}, samples=2, program=False)
    assert found.samples == 2 and found.inputs.startswith("random")
    assert found.total_activity is not None and 0 < (found.total_activity.spike_rate or 0) < 1


def test_bits_of_single_layers() -> None:
    convolution, flatten, classifier = LAYERS
    layers = [{**convolution, "weight_bits": 2}, flatten, {"op": "linear", "out": 9}, classifier]
    net = models.create("sequential", in_shape=(2, 6, 6), classes=3, steps=3, layers=layers)
    literal = api.analyze(net, program=False).memory[0]
    assert literal.quantised.weight_bits == 2 * 72 + 4 * 144 * 9 + 4 * 27, "the classifier counts like most weights"


def test_the_program_is_that_of_the_target_llvm() -> None:
    found = api.analyze(spqc.compile(hand(), target="reference"), x=frames())
    assert found.program is None and any("target 'reference'" in note for note in found.notes)


def test_samples_of_a_data_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    found = api.analyze("examples/digits.pt", data="digits", samples=5, seed=3, program=False)
    assert found.samples == 5 and found.inputs == "samples of 'digits', split 'test' (seed 3)"
    other = api.analyze("examples/digits.pt", data="digits", samples=5, seed=4, program=False)
    assert found.activity != other.activity
    with pytest.raises(UsageError, match="no data set 'digit'"):
        api.analyze("examples/digits.pt", data="digit")


def test_refusals() -> None:
    net = small()
    for asked in ({"rate": 2.0}, {"weight_bits": 0}, {"samples": 0}, {"clip_bound": 0.0}, {"spatial_sparsity": -1.0}):
        with pytest.raises(UsageError):
            api.analyze(net, **asked)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="has its own options"):
        api.analyze(net, {"steps": 2})
    with pytest.raises(UsageError, match="either inputs or a data set"):
        api.analyze(net, x=[[0]], data="digits")
    with pytest.raises(UsageError, match="option of a training"):
        api.analyze("vgg9", ("epochs=3",))
    with pytest.raises(SpqcError):
        api.analyze(net, x=np.zeros((1, 3, 2, 5, 6)))


def test_what_no_cpu_program_exists_for_is_still_accounted(monkeypatch: pytest.MonkeyPatch) -> None:
    from spqc.commands import analyze as analysis
    from spqc.foundation.errors import ModelError

    def refuse(*_: object) -> None:
        raise ModelError("1 operator is not supported")

    monkeypatch.setattr(analysis, "optimised", refuse)
    found = api.analyze(small())
    assert found.program is None and any("not supported" in note for note in found.notes)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("digits", {"spatial_mask": 0.35, "channel_gate": True, "weight_bits": 8}),
        ("vgg9", {"in_shape": (3, 32, 32), "width": 1 / 16, "form": "lt", "coding": "direct"}),
        ("resnet19", {"width": 1 / 16, "channel_gate": True}),
        ("spikformer-4-256", {"channels": 16, "heads": 2, "depth": 1}),
        ("mobilenet", {"width": 1 / 8, "membrane": "binary"}),
        ("cnn-3d", {"in_shape": (1, 30, 5, 5)}),
        ("spike-train", {}),
    ],
)
def test_an_outline_has_the_account_of_the_network(name: str, options: dict[str, object]) -> None:
    from spqc.commands.sources import read_model
    from spqc.cost.account import account_of

    drawn = read_model(models.create(name, calibrate=False, **options)).graph
    outlined = read_model(models.outline(name, **options)).graph
    assert account_of(outlined) == account_of(drawn)


def test_attention_and_bare_neurons_are_counted() -> None:
    options = {"channels": 16, "heads": 2, "depth": 1, "in_shape": (3, 8, 8)}
    found = api.analyze("spikformer-4-256", options, samples=1, program=False)
    kinds = [layer.kind for layer in found.account.layers]
    bare, products = found.account.layers[kinds.index("neuron")], found.account.layers[kinds.index("attention")]
    assert bare.macs == bare.weights == 0 and bare.neurons == products.shape[0] * products.shape[1] * products.shape[2]
    assert products.neurons == products.weights == 0 and products.macs > 0
    assert found.total_operations.synaptic is not None, "all rates are known"
    assert {"syops", "bit-level"} <= {one.convention for one in found.energy}


def test_an_outline_takes_no_memory_for_weights() -> None:
    from spqc.commands.sources import read_model

    graph = read_model(models.outline("vgg9", width=1 / 8)).graph
    weights = [graph.data[v.name] for v in graph.constants if v.type.size > 1000]
    assert len(weights) == 8 and not any(any(array.strides) for array in weights)
    net = models.outline("vgg9", width=1 / 8)
    read_model(net)
    assert "integer_weight" not in vars(net.features[0].synapse), "what was replaced to be counted is put back"
