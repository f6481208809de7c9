"""Networks inside other modules of torch: opened, or refused with the way out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spqc
from spqc import api
from spqc.foundation.errors import ModelError

torch = pytest.importorskip("torch")

from torch.nn.utils import parametrizations, parametrize, prune  # noqa: E402  (torch must be there)
from torch.optim.swa_utils import AveragedModel  # noqa: E402

from spqc.nn import checkpoint, models  # noqa: E402

LAYERS = [{"op": "conv2d", "out": 4, "kernel": 3, "padding": 1}, {"op": "linear", "out": 6}, {"op": "linear"}]
WRAPPERS: dict[str, Any] = {
    "compile": torch.compile,
    "parallel": torch.nn.DataParallel,
    "averaged": AveragedModel,
    "nested": lambda net: torch.nn.DataParallel(torch.compile(net)),
}
X = np.random.default_rng(0).integers(0, 256, (3, 2, 1, 4, 4)).astype(np.uint8)


def small(**options: Any) -> Any:
    return models.create("sequential", in_shape=(1, 4, 4), classes=3, steps=2, layers=LAYERS, **options)


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_a_wrapped_network_is_its_network(wrapper: str, tmp_path: Path) -> None:
    net = small(seed=4)
    wrapped = WRAPPERS[wrapper](net)
    assert spqc.verify(wrapped, artifact=spqc.compile(net, "reference"), x=X).equal
    assert spqc.compile(wrapped, "reference").graph == spqc.compile(net, "reference").graph
    assert api.analyze(wrapped, x=X).account == api.analyze(net, x=X).account
    assert api.bench(model=wrapped, x=X, target="reference", repeats=1, batches=(1,)).rows[0].eager
    checkpoint.save(wrapped, tmp_path / "net.pt")
    assert torch.equal(checkpoint.load(tmp_path / "net.pt")(X), net(X))


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_names_of_a_wrapper_in_a_file_are_read(wrapper: str, tmp_path: Path) -> None:
    net, path = small(seed=4), tmp_path / "net.pt"
    checkpoint.save(net, path)
    content = torch.load(path, weights_only=True)
    content["state_dict"] = WRAPPERS[wrapper](net).state_dict()
    torch.save(content, path)
    assert torch.equal(checkpoint.load(path)(X), net(X))


class Doubled(torch.nn.Module):
    def forward(self, weight: Any) -> Any:
        return 2.0 * weight


def pruned(net: Any) -> None:
    prune.l1_unstructured(net.features[0].synapse, "weight", 0.5)


def parametrised(net: Any) -> None:
    parametrize.register_parametrization(net.features[0].synapse, "weight", Doubled())


def normed(net: Any) -> None:
    parametrizations.weight_norm(net.features[0].synapse, "weight")


def spectral(net: Any) -> None:
    torch.nn.utils.spectral_norm(net.features[0].synapse, "weight")


def one_layer(net: Any) -> None:
    net.features[0] = torch.compile(net.features[0])


@pytest.mark.parametrize("change", [pruned, parametrised, normed, spectral, one_layer])
def test_changed_layers_are_refused_with_the_way_out(change: Any, tmp_path: Path) -> None:
    net = small()
    change(net)
    for door in (
        lambda: spqc.compile(net, "reference"),
        lambda: spqc.verify(net, "reference", x=X),
        lambda: api.analyze(net, x=X),
        lambda: checkpoint.save(net, tmp_path / "net.pt"),
    ):
        with pytest.raises(ModelError, match=r"'features.0") as caught:
            door()
        assert caught.value.hint
    assert not list(tmp_path.iterdir())


def test_the_way_out_of_pruning(tmp_path: Path) -> None:
    net = small()
    pruned(net)
    prune.remove(net.features[0].synapse, "weight")
    checkpoint.save(net, tmp_path / "net.pt")
    assert spqc.verify(net, artifact=spqc.compile(tmp_path / "net.pt", "reference"), x=X).equal


@pytest.mark.parametrize(
    "model", [torch.nn.Linear(2, 2), torch.nn.DataParallel(torch.nn.Linear(2, 2)), small().features[0]]
)
def test_what_is_no_network(model: Any, tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        spqc.compile(model, "reference")
    with pytest.raises(ModelError, match="holds none"):
        checkpoint.save(model, tmp_path / "net.pt")
