"""Spike attention in torch: integers, whichever product comes first; gradients; what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from spqc.foundation.errors import ModelError

torch = pytest.importorskip("torch")

import spqc  # noqa: E402  (torch must be there)
from spqc.nn import models  # noqa: E402
from spqc.nn.attention import Attention  # noqa: E402
from spqc.nn.signal import Signal  # noqa: E402


def by_definition(q: Any, k: Any, v: Any, heads: int) -> Any:
    """Return y[h, e, n] = sum over m and d of q[d, n] k[d, m] v[e, m], with einsum on integers."""
    shape = (*q.shape[:2], heads, q.shape[2] // heads, -1)
    q, k, v = (codes.reshape(shape).astype(np.int64) for codes in (q, k, v))
    scores = np.einsum("athdn,athdm->athnm", q, k)
    return np.einsum("athnm,athem->athen", scores, v)


@pytest.mark.parametrize(("channels", "side", "heads"), [(8, 2, 2), (6, 5, 1), (6, 5, 3), (4, 1, 4)])
@pytest.mark.parametrize("top", [1, 3])
def test_attention_is_the_product_of_its_definition(channels: int, side: int, heads: int, top: int) -> None:
    rng = np.random.default_rng(channels)
    shape = (channels, side, side)
    maps = [rng.integers(0, top + 1, (2, 3, *shape)) for _ in range(3)]
    layer = Attention([Signal(shape, 1.0, top)] * 3, heads)
    found = layer(*(torch.from_numpy(codes).float() for codes in maps)).numpy()
    np.testing.assert_array_equal(found, by_definition(*maps, heads=heads).reshape(found.shape))
    assert layer.out == Signal(shape, 0.125, top**3 * side * side * channels // heads)


def test_sums_above_24_bits_stay_exact() -> None:
    shape = (2, 9, 9)
    layer = Attention([Signal(shape, 1.0, 255)] * 3, 1).eval()
    codes = torch.full((1, 1, *shape), 255.0)
    assert int(layer(codes, codes, codes).double().max()) == 81 * 2 * 255**3


def network(heads: int = 2, **options: Any) -> Any:
    def conv(name: str, **more: Any) -> dict[str, Any]:
        return {"op": "conv2d", "out": 8, "kernel": 1, "name": name, **more}

    stem = {"op": "conv2d", "out": 8, "kernel": 3, "padding": 1, "name": "x"}
    layers = [
        stem,
        *(conv(name, **{"from": "x"}) for name in "qkv"),
        {"op": "attention", "from": ["q", "k", "v"], "heads": heads},
        {"op": "neuron", "neuron": {"threshold": 0.5}},
        conv("proj"),
        {"op": "add", "from": ["x", "proj"]},
        {"op": "linear"},
    ]
    settings = {"in_shape": (2, 3, 4), "classes": 3, "steps": 3, "layers": layers, **options}
    return models.create("sequential", **settings)


def test_a_network_with_attention_is_exact() -> None:
    report = spqc.verify(network(), target="llvm", samples=3)
    assert report.equal, report.first_mismatch
    fired = network().trace(np.random.default_rng(0).integers(0, 256, (3, 2, 3, 4)))["features.5"][0]
    assert 0 < float(fired.mean()) < 1, "the neurons of the attention must have something to say"


def test_a_checkpoint_keeps_the_topology(tmp_path: Any) -> None:
    net = network(spatial_mask=0.2, channel_gate=True)
    spqc.nn.checkpoint.save(net, tmp_path / "net.pt")
    again = spqc.nn.checkpoint.load(tmp_path / "net.pt")
    assert again.topology == net.topology
    x = np.random.default_rng(1).integers(0, 256, (2, 2, 3, 4))
    assert torch.equal(again(x), net(x))


def test_gradients_reach_queries_keys_and_values() -> None:
    net = network().train()
    net(np.random.default_rng(0).integers(0, 256, (8, 2, 3, 4))).square().sum().backward()
    for index in (1, 2, 3):
        assert bool(net.features[index].synapse.weight.grad.abs().sum() > 0)


CONV = {"op": "conv2d", "out": 4, "kernel": 1}
REFUSED = [
    ([{"op": "attention", "from": ["a", "a"]}], "reads queries, keys and values, not 2 layers"),
    ([{"op": "attention", "from": ["a", "a", "a"], "heads": 3}], "3 heads cannot share 4 channels"),
    ([{"op": "attention", "from": ["a", "a", "a"], "scale": 0.3}], "scale must be a power of two"),
    ([{"op": "attention", "from": ["a", "a", "input"]}], "three maps alike"),
]


@pytest.mark.parametrize(("layers", "message"), REFUSED)
def test_attention_that_does_not_fit_is_refused(layers: list[dict[str, Any]], message: str) -> None:
    named = CONV | {"name": "a"}
    with pytest.raises(ModelError, match=message):
        models.create("sequential", in_shape=(2, 3, 3), classes=2, steps=1, layers=[named, *layers, {"op": "linear"}])
