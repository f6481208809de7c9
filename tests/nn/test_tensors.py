"""Tensors of torch as inputs, and networks on other devices: read as numpy would, or an error that says what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import spqc
from spqc import api
from spqc.foundation.errors import InputError

torch = pytest.importorskip("torch")

from spqc.nn import models  # noqa: E402  (torch must be there)

LAYERS = [{"op": "conv2d", "out": 4, "kernel": 3, "padding": 1}, {"op": "linear"}]
NET = models.create("sequential", in_shape=(1, 4, 4), classes=3, steps=2, layers=LAYERS)
ARTIFACT = spqc.compile(NET, "reference")
CODES = torch.arange(3 * 2 * 16).reshape(3, 2, 1, 4, 4)
X = CODES.float() / 256  # numbers that bfloat16 holds

DOORS: dict[str, Callable[[Any], Any]] = {
    "run": ARTIFACT.run,
    "network": lambda x: NET(x).numpy(),
    "verify": lambda x: spqc.verify(NET, artifact=ARTIFACT, x=x).equal,
    "analyze": lambda x: api.analyze(NET, x=x).activity,
    "calibrate": lambda x: spqc.compile(NET, "reference", calibrate=x).graph.digest(),
    "bench": lambda x: len(api.bench(ARTIFACT, x=x, repeats=1, batches=(1,)).rows),
    "classify": lambda x: api.classify(ARTIFACT, x).predictions,
}
READ: dict[str, Callable[[], Any]] = {
    "gradient": lambda: X.clone().requires_grad_(),
    "computed": lambda: X.clone().requires_grad_() * 1.0,
    "parameter": lambda: torch.nn.Parameter(X.clone()),
    "bfloat16": lambda: X.bfloat16(),
    "half": lambda: X.half(),
    "double": lambda: X.double(),
    "codes": lambda: CODES,
    "bytes": lambda: CODES.to(torch.uint8),
    "list": lambda: list(X.clone().requires_grad_()),
    "lists": lambda: [list(sample) for sample in X],
    "strided": lambda: X.transpose(-1, -2).contiguous().transpose(-1, -2),
}
REFUSED: dict[str, Callable[[], Any]] = {
    "meta": lambda: X.to("meta"),
    "metas": lambda: [X[0].to("meta")],
    "sparse": lambda: X.to_sparse(),
    "complex": lambda: X + 0j,
    "quantised": lambda: torch.quantize_per_tensor(X, 0.01, 0, torch.quint8),
    "jagged": lambda: [X[0], X[1, :1]],
    "object": object,
    "mapping": dict,
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("kind", READ)
def test_a_tensor_is_read_as_its_numbers(kind: str, door: str) -> None:
    wanted, found = DOORS[door](X.numpy()), DOORS[door](READ[kind]())
    assert np.array_equal(wanted, found) if isinstance(wanted, np.ndarray) else wanted == found


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("kind", REFUSED)
def test_what_holds_no_numbers_is_refused(kind: str, door: str) -> None:
    with pytest.raises(InputError) as caught:
        DOORS[door](REFUSED[kind]())
    assert caught.value.hint


def test_a_frame_that_requires_gradients() -> None:
    ARTIFACT.reset()
    found = ARTIFACT.step(X[:, 0].clone().requires_grad_())
    ARTIFACT.reset()
    np.testing.assert_array_equal(found, ARTIFACT.run(X)[:, 0])


def test_labels() -> None:
    labels = torch.tensor(api.classify(ARTIFACT, X).predictions)
    assert api.classify(ARTIFACT, X, labels).correct == 3
    for wrong in (labels[:2], labels.float().requires_grad_(), labels.to("meta"), [[0, 1, 2]]):
        with pytest.raises(InputError):
            api.classify(ARTIFACT, X, wrong)


def test_a_network_elsewhere_is_read_from_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stands in for an accelerator: the state dict says where the network is."""
    from spqc.nn import borrowed

    class Elsewhere:
        def __init__(self) -> None:
            self.moved: list[str] = []

        def state_dict(self) -> dict[str, Any]:
            return {"weight": type("Tensor", (), {"device": torch.device("cuda")})()}

        def to(self, device: str) -> Elsewhere:
            self.moved.append(device)
            return self

    away: Any = Elsewhere()
    copy: Any = borrowed.on_cpu(away)
    assert copy is not away and copy.moved == ["cpu"] and away.moved == []
    assert borrowed.on_cpu(NET) is NET


@pytest.mark.device
def test_a_network_on_an_accelerator() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no accelerator")
    net = models.create("sequential", in_shape=(1, 4, 4), classes=3, steps=2, layers=LAYERS).cuda()
    assert spqc.verify(net, "reference", x=X.cuda()).equal
    assert spqc.compile(net, "reference").graph.digest() == ARTIFACT.graph.digest()
    assert api.bench(model=net, x=X.cuda(), target="reference", repeats=1, batches=(1,)).rows[0].eager
    assert next(net.parameters()).is_cuda
