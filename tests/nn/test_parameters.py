"""Numbers that no exact program can be made of are refused by name, live and in a file, at every door."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spqc
from spqc import api
from spqc.foundation.errors import ModelError, SpqcError

torch = pytest.importorskip("torch")

from spqc.nn import checkpoint, models  # noqa: E402  (torch must be there)

LAYERS = [{"op": "conv2d", "out": 4, "kernel": 3, "padding": 1}, {"op": "linear", "out": 6}, {"op": "linear"}]
X = np.zeros((2, 2, 1, 4, 4), np.uint8)


def small(**options: Any) -> Any:
    return models.create("sequential", in_shape=(1, 4, 4), classes=3, steps=2, layers=LAYERS, **options)


def masked() -> Any:
    return small(spatial_mask=0.4, channel_gate=True, sparsity="l0", learn_threshold=True)


def integer() -> Any:
    return small(membrane="ace", batch_norm="none", weight_grid="mint")


DOORS: dict[str, Callable[[Any], object]] = {
    "compile": lambda net: spqc.compile(net, "reference"),
    "verify": lambda net: spqc.verify(net, "reference", x=X),
    "verify an artifact": lambda net: spqc.verify(net, artifact=spqc.compile(net, "reference"), x=X),
    "bench": lambda net: api.bench(model=net, x=X, target="reference", repeats=1, batches=(1,)),
    "analyze": lambda net: api.analyze(net, x=X),
    "save": lambda net: checkpoint.save(net, "net.pt"),
}


def tensors(net: Any) -> dict[str, Any]:
    return {**dict(net.named_parameters()), **dict(net.named_buffers())}


NAMES = [(make, name) for make in (masked, integer) for name in tensors(make())]


@pytest.mark.parametrize(("make", "name"), NAMES)
def test_each_number_is_checked_live(make: Callable[[], Any], name: str) -> None:
    for value in (float("nan"), float("inf"), -float("inf")):
        net = make()
        tensors(net)[name].data.reshape(-1)[-1] = value
        with pytest.raises(ModelError, match=f"'{name}' holds NaN or infinity"):
            spqc.compile(net, "reference")


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", ["features.0.synapse.weight", "features.2.synapse.norm.variance", "classifier.bias"])
def test_each_door_refuses(door: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    net = small()
    tensors(net)[name].data.reshape(-1)[0] = float("nan")
    with pytest.raises(ModelError, match=name) as caught:
        DOORS[door](net)
    assert caught.value.where and caught.value.hint
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("door", DOORS)
def test_a_negative_variance(door: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    net = small()
    net.features[0].synapse.norm.variance[1] = -1e-7
    with pytest.raises(ModelError, match=r"'features.0.synapse.norm.variance' holds a negative variance"):
        DOORS[door](net)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("epsilon", [float("nan"), float("inf"), -1e-5, "small"])
def test_a_wrong_epsilon(door: str, epsilon: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    net = small()
    net.features[0].synapse.norm.eps = epsilon
    with pytest.raises(ModelError, match=r"'features.0.synapse.norm.eps'"):
        DOORS[door](net)


def test_no_channel_is_divided_by_zero() -> None:
    net = small()
    norm = net.features[0].synapse.norm
    norm.eps = 0.0
    assert spqc.verify(net, "reference", x=X).equal
    norm.variance[0] = 0.0
    with pytest.raises(ModelError, match="the variance of a channel"):
        spqc.compile(net, "reference")


@pytest.mark.parametrize("door", DOORS)
def test_a_shape_that_it_was_not_built_with(door: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    net = small()
    net.features[0].synapse.norm.gamma = torch.nn.Parameter(torch.ones(1))
    with pytest.raises(ModelError, match=r"'features.0.synapse.norm.gamma' has shape \[1\]"):
        DOORS[door](net)


@pytest.mark.parametrize("door", DOORS)
def test_numbers_that_are_nowhere(door: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match="meta device"):
        DOORS[door](small().to("meta"))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_other_dtypes_are_read_as_they_were_saved(dtype: Any, tmp_path: Path) -> None:
    net = small(seed=5).to(dtype)
    if dtype == torch.float64:
        with torch.no_grad():
            net.classifier.weight += 2.0**-40
    checkpoint.save(net, tmp_path / "net.pt")
    back = checkpoint.load(tmp_path / "net.pt")
    for name, value in net.state_dict().items():
        assert back.state_dict()[name].dtype == dtype and torch.equal(back.state_dict()[name], value)
    x = np.random.default_rng(0).integers(0, 256, (3, 2, 1, 4, 4)).astype(np.uint8)
    assert spqc.verify(net, artifact=spqc.compile(back, "reference"), x=x).equal
    assert checkpoint.load(tmp_path / "net.pt")(x).isfinite().all()


@pytest.mark.parametrize("door", DOORS)
def test_several_dtypes(door: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    net = small()
    net.classifier.double()
    with pytest.raises(ModelError, match=r"'classifier.weight' is float64, others float32"):
        DOORS[door](net)


def test_a_bias_too_large_for_an_integer() -> None:
    net = small()
    with torch.no_grad():
        net.classifier.weight.mul_(1e-20)
        net.classifier.bias[0] = 1.0
    with pytest.raises(ModelError, match="the classifier's bias is up to"):
        spqc.compile(net, "reference")


def test_a_threshold_too_large_for_a_membrane() -> None:
    net = integer()
    with torch.no_grad():
        net.features[0].neuron.potential_threshold.fill_(1e30)
    with pytest.raises(ModelError, match="units of the membrane"):
        spqc.compile(net, "reference")


@pytest.mark.parametrize(("old", "new"), [("levels=-3", "levels=-inf"), ("0|1}", "0|nan}"), ("=0.5}", "=1e40}")])
def test_numbers_in_a_text(old: str, new: str, tmp_path: Path) -> None:
    from spqc.commands.sources import read_model
    from spqc.frontends.graph_text import write_arrays

    path = tmp_path / "net.tg"
    net = small(membrane="released", spatial_mask=0.5)
    for layer in net.features:
        if hasattr(layer, "spatial"):
            layer.spatial.theta.fill_(0.5)
    write_arrays(path, read_model(net).graph)
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(SpqcError, match=r"no finite (float32|number)") as caught:
        spqc.compile(path, "reference")
    assert "features.0" in caught.value.where


def test_a_layer_that_the_configuration_does_not_name_is_not_saved(tmp_path: Path) -> None:
    from spqc.nn import quantisers

    net = small()
    net.features[0].synapse.quantiser = quantisers.Uniform(4, "sawb")
    with pytest.raises(ModelError):
        checkpoint.save(net, tmp_path / "net.pt")
    net = small(weight_grid="uniform")
    net.features[0].synapse.quantiser.rule = "sawb"
    with pytest.raises(ModelError, match=r"quantiser.rule' is 'sawb'; the configuration gives 'max'"):
        checkpoint.save(net, tmp_path / "net.pt")
    assert not list(tmp_path.iterdir())


def test_epsilon_comes_back(tmp_path: Path) -> None:
    net = small(seed=2)
    for layer, epsilon in zip((net.features[0], net.features[2]), (0.5, 0.0), strict=True):
        layer.synapse.norm.eps = epsilon
    checkpoint.save(net, tmp_path / "net.pt")
    back = checkpoint.load(tmp_path / "net.pt")
    assert [back.features[i].synapse.norm.eps for i in (0, 2)] == [0.5, 0.0]
    for mine, other in zip(net.features[0].fold(), back.features[0].fold(), strict=True):
        np.testing.assert_array_equal(mine, other)
    assert spqc.verify(tmp_path / "net.pt", artifact=spqc.compile(net, "reference")).equal


def test_epsilon_in_files_that_lack_it_or_are_wrong(tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    checkpoint.save(small(), path)
    content = torch.load(path, weights_only=True)
    del content["epsilon"]
    torch.save(content, path)
    assert checkpoint.load(path).features[0].synapse.norm.eps == 1e-5
    name = "features.0.synapse.norm"
    for wrong in ({name: float("nan")}, {name: -1.0}, {name: "x"}, {"features.9": 1e-5}, 3, {name: True}, [name]):
        torch.save({**content, "epsilon": wrong}, path)
        with pytest.raises(ModelError) as caught:
            checkpoint.load(path)
        assert caught.value.where == str(path)


def test_what_a_caller_has_added_is_no_hindrance(tmp_path: Path) -> None:
    net = small(seed=3)
    net.best_accuracy, net.normalise = 0.9, torch.nn.LayerNorm(4, elementwise_affine=False)
    checkpoint.save(net, tmp_path / "net.pt")
    assert torch.equal(checkpoint.load(tmp_path / "net.pt")(X), net(X))
    assert spqc.verify(net, "reference", x=X).equal


def test_other_steps_and_outlines_are_not_saved(tmp_path: Path) -> None:
    from dataclasses import replace

    net = small()
    net.signature = replace(net.signature, steps=8)
    with pytest.raises(ModelError, match="signature"):
        checkpoint.save(net, tmp_path / "net.pt")
    with pytest.raises(ModelError, match="outline"):
        checkpoint.save(models.outline("digits"), tmp_path / "net.pt")
    assert not list(tmp_path.iterdir())
