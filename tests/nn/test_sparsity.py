"""Static sparsity: patterns, gradients, and exact zeros in what is compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import spqc
from spqc.foundation.errors import UsageError

torch = pytest.importorskip("torch")

from spqc.nn import checkpoint, models, sparsity  # noqa: E402  (torch must be there)
from spqc.nn.synapse import Synapse  # noqa: E402

LAYERS = [
    {"op": "conv2d", "out": 6, "kernel": 3, "padding": 1},
    {"op": "flatten"},
    {"op": "linear", "out": 10},
    {"op": "linear", "out": 3},
]


def network(**options: Any) -> Any:
    common = {"in_shape": (2, 5, 5), "classes": 3, "steps": 3, "input": "spikes", "layers": LAYERS, "seed": 4}
    return models.create("sequential", **common | options)


def close(net: Any, share: float, seed: int = 0) -> None:
    """Shut a share of the gates."""
    generator = torch.Generator().manual_seed(seed)
    for module in net.modules():
        if isinstance(module, sparsity.WeightGates):
            drawn = torch.rand(module.position.shape, generator=generator)
            module.position.data = torch.where(drawn < share, -1.0, 1.0)


@pytest.mark.parametrize("text", ["l1", "block:0", "tile:0x4", "tile:4", "4:2", "2:2", "0:4", "", "2:4:1"])
def test_unknown_patterns_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="sparsity"):
        network(sparsity=text)


def test_magnitudes_keep_n_of_every_m() -> None:
    weight = torch.tensor([[3.0, -4.0, 1.0, 2.0, 5.0, 0.5], [1.0, 1.0, 1.0, 1.0, 0.0, 0.0]])
    mask = sparsity.Magnitudes(weight.shape, 2, 4)(weight)
    assert mask.tolist() == [[1, 1, 0, 0, 1, 1], [1, 1, 0, 0, 1, 1]]


@pytest.mark.parametrize("grid", ["pot", "uniform"])
def test_every_group_of_a_layer_has_at_most_n_weights(grid: str) -> None:
    net = network(sparsity="1:4", weight_grid=grid)
    for _, layer in net.spiking_layers():
        flat = layer.integer_weight()[0].reshape(layer.synapse.channels, -1)
        flat = np.pad(flat, ((0, 0), (0, -flat.shape[1] % 4)))
        assert ((flat.reshape(len(flat), -1, 4) != 0).sum(axis=2) <= 1).all()
        assert flat.any()


def test_pruned_weights_get_a_gradient_and_come_back() -> None:
    net = network(sparsity="1:2")
    layer = dict(net.spiking_layers())["features.2"]
    net.train()
    net(torch.ones(4, 2, 5, 5, dtype=torch.uint8)).square().sum().backward()
    pruned = layer.synapse.sparsity(layer.synapse.weight) == 0
    assert layer.synapse.weight.grad is not None
    assert bool((layer.synapse.weight.grad[pruned] != 0).any())


def test_a_gate_is_zero_or_one_and_its_gradient_is_the_samples() -> None:
    gates = sparsity.WeightGates(torch.Size((50, 40)), 1).train()
    gates.position.data.fill_(0.0)
    torch.manual_seed(1)
    drawn = gates(torch.ones(50, 40))
    assert set(drawn.unique().tolist()) == {0.0, 1.0}
    assert 0.4 < float(drawn.detach().mean()) < 0.6
    drawn.sum().backward()
    assert bool((gates.position.grad >= 0).all()) and bool((gates.position.grad > 0).any())


def test_the_expected_density_is_what_is_drawn() -> None:
    gates = sparsity.WeightGates(torch.Size((200, 200)), 1).train()
    gates.position.data.fill_(-0.07)
    torch.manual_seed(2)
    noise = torch.rand(200, 200).clamp(1e-6, 1 - 1e-6)
    sample = torch.sigmoid((torch.logit(noise) - 0.7) / (2 / 3)) * 1.2 - 0.1
    assert float(gates.density().detach()) == pytest.approx(float((sample > 0).float().mean()), abs=0.01)


def test_blocks_share_a_gate() -> None:
    gates = sparsity.WeightGates(torch.Size((2, 3, 3, 3)), 4).eval()
    gates.position.data = torch.tensor([[1.0, -1, 1, -1, 1, -1, 1], [-1.0] * 7])
    mask = gates(torch.ones(2, 3, 3, 3)).flatten(1)
    assert mask[0].tolist() == [1, 1, 1, 1, 0, 0, 0, 0] * 3 + [1, 1, 1]
    assert not mask[1].any()


def test_training_prunes_under_the_penalty() -> None:
    net = network(sparsity="l0").train()
    penalised = sparsity.penalty(net)
    assert penalised is not None and float(penalised.detach()) > 0.9
    optimiser = torch.optim.Adam([m.position for m in net.modules() if isinstance(m, sparsity.WeightGates)], lr=0.02)
    for _ in range(40):
        optimiser.zero_grad()
        sparsity.penalty(net).backward()
        optimiser.step()
    assert float(sparsity.penalty(net).detach()) < 0.2
    assert sparsity.penalty(network()) is None


@pytest.mark.parametrize("text", ["l0", "block:4", "tile:16x4", "2:4"])
@pytest.mark.parametrize("grid", ["pot", "twn"])
def test_zeros_survive_the_file_and_the_compiler(tmp_path: Any, text: str, grid: str) -> None:
    net = network(sparsity=text, weight_grid=grid, weight_bits=2 if grid == "twn" else 4)
    close(net, 0.6)
    checkpoint.save(net, tmp_path / "net.pt")
    again = checkpoint.load(tmp_path / "net.pt")
    for (_, layer), (_, other) in zip(net.spiking_layers(), again.spiking_layers(), strict=True):
        np.testing.assert_array_equal(layer.integer_weight()[0], other.integer_weight()[0])
        assert (layer.integer_weight()[0] == 0).mean() > 0.35
    assert spqc.verify(str(tmp_path / "net.pt"), target="reference").equal


def test_one_layer_alone_may_be_sparse() -> None:
    net = network(overrides={"features.2": {"sparsity": "1:4"}})
    kinds = [type(m.sparsity).__name__ for m in net.modules() if isinstance(m, Synapse)]
    assert kinds == ["NoneType", "Magnitudes"]


def test_overrides_mix_bits_and_name_their_mistakes() -> None:
    net = network(overrides={"features.0": {"weight_bits": 8, "weight_grid": "apot"}, "classifier": {"weight_bits": 4}})
    layers = dict(net.spiking_layers())
    assert layers["features.0"].synapse.quantiser.bits == 8 and layers["features.2"].synapse.quantiser.bits == 4
    assert net.classifier.quantiser.bits == 4
    assert models.create("sequential", **net.config).classifier.quantiser.bits == 4
    with pytest.raises(UsageError, match=r"features\.9"):
        network(overrides={"features.9": {"weight_bits": 8}})
    with pytest.raises(UsageError, match="out"):
        network(overrides={"features.0": {"out": 8}})
    with pytest.raises(UsageError, match="overrides"):
        network(overrides={"features.0": 8})


@pytest.mark.parametrize("layer", [{"op": "conv2d", "out": 20, "kernel": [3, 2]}, {"op": "linear", "out": 33}])
def test_a_gate_for_a_tile_closes_its_outputs_and_inputs(layer: dict[str, Any]) -> None:
    """Closed gates are whole rows of zeros of the integer weight, in the shape that the kernels leave out."""
    layers = [layer, {"op": "linear"}]
    net = models.create("sequential", in_shape=(6, 5, 5), classes=3, sparsity="tile:16x4", layers=layers)
    (name,) = [name for name, _ in net.spiking_layers()]
    synapse = dict(net.spiking_layers())[name].synapse
    assert np.count_nonzero(synapse.integer_weight()[0]) > 0
    with torch.no_grad():
        synapse.sparsity.position[1:] = -1.0
        synapse.sparsity.position[0, 1] = -1.0
    weight = synapse.integer_weight()[0]
    assert not weight[16:].any() and not weight[:16, 4:8].any() and weight[:16, :4].any()
