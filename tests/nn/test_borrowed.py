"""What a caller gives stays as it was: modes, gradients, buffers, random numbers, threads, arrays."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
X = np.random.default_rng(0).integers(0, 256, (3, 2, 1, 4, 4)).astype(np.uint8)


def mixed() -> Any:
    """Return a network in mid-training: a frozen batch norm, gradients, statistics that have moved."""
    net = models.create(
        "sequential", in_shape=(1, 4, 4), classes=3, steps=2, layers=LAYERS, spatial_mask=0.4, sparsity="l0"
    )
    net.train()
    net(X).sum().backward()
    net.features[0].synapse.norm.eval()
    net.classifier.eval()
    return net


DOORS: dict[str, Callable[[Any, Path], object]] = {
    "compile": lambda net, path: spqc.compile(net, "reference", calibrate=X),
    "verify": lambda net, path: spqc.verify(net, "reference", x=X),
    "verify drawn": lambda net, path: spqc.verify(net, "reference", samples=3),
    "bench": lambda net, path: api.bench(model=net, x=X, target="reference", repeats=1, batches=(1,), threads=3),
    "analyze": lambda net, path: api.analyze(net, x=X),
    "save": lambda net, path: checkpoint.save(net, path / "net.pt"),
    "refused": lambda net, path: spqc.compile(net, "reference", passes="no-such-pass"),
    "refused x": lambda net, path: spqc.verify(net, "reference", x=X[:, :, :, :2]),
    "refused bench": lambda net, path: api.bench(model=net, x=X[:, :, :, :2], target="reference", threads=3),
}


def condition(net: Any) -> dict[str, Any]:
    return {
        "modes": {name: module.training for name, module in net.named_modules()},
        "own": {name: sorted(vars(module)) for name, module in net.named_modules()},
        "tensors": {name: value.clone() for name, value in net.state_dict().items()},
        "grads": {n: None if p.grad is None else p.grad.clone() for n, p in net.named_parameters()},
        "wanted": {name: p.requires_grad for name, p in net.named_parameters()},
        "random": (torch.get_rng_state(), random.getstate()),
        "numpy": np.random.get_state()[1].tolist(),  # type: ignore[index]  # noqa: NPY002
        "threads": (torch.get_num_threads(), os.environ.get("OMP_NUM_THREADS")),
        "torch": (torch.is_grad_enabled(), torch.backends.nnpack.is_available()),
    }


def assert_same(left: Any, right: Any) -> None:
    if isinstance(left, dict):
        assert left.keys() == right.keys()
        for key in left:
            assert_same(left[key], right[key])
    elif isinstance(left, tuple):
        for one, other in zip(left, right, strict=True):
            assert_same(one, other)
    elif isinstance(left, torch.Tensor):
        assert torch.equal(left, right)
    else:
        assert left == right


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("threads", [None, "2"])
def test_the_network_is_as_before(
    door: str, threads: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if threads is None:
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    else:
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
    net, inputs = mixed(), X.copy()
    before = condition(net)
    try:
        DOORS[door](net, tmp_path)
        assert "refused" not in door
    except SpqcError:
        assert "refused" in door
    assert_same(before, condition(net))
    np.testing.assert_array_equal(X, inputs)
    assert X.flags.writeable


def test_modes_come_back_after_an_error_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    net = mixed()
    before = condition(net)["modes"]

    def fail(*_: Any) -> None:
        raise ModelError("no")

    monkeypatch.setattr(type(net), "observe", fail)
    with pytest.raises(ModelError, match="no"):
        spqc.verify(net, "reference", x=X)
    assert condition(net)["modes"] == before and any(before.values()) and not all(before.values())


def test_a_training_network_is_compiled_as_its_evaluation() -> None:
    net = mixed()
    compiled = spqc.compile(net, "reference").graph
    assert compiled.digest() == spqc.compile(net.eval(), "reference").graph.digest()


def test_bench_uses_the_threads_that_it_was_told(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    net = mixed()
    monkeypatch.setattr("spqc.api.measure_artifact", lambda *_: seen.append(
        (torch.get_num_threads(), os.environ["OMP_NUM_THREADS"])
    ))  # fmt: skip
    api.bench(model=net, x=X, target="reference", threads=2)
    assert seen == [(2, "2")]


def half_precision() -> Any:
    return torch.autocast("cpu", torch.bfloat16)


def default_dtype() -> Any:
    @contextmanager
    def doubled() -> Iterator[None]:
        torch.set_default_dtype(torch.float64)
        try:
            yield
        finally:
            torch.set_default_dtype(torch.float32)

    return doubled()


@pytest.mark.parametrize(
    "surroundings", [half_precision, torch.inference_mode, torch.no_grad, default_dtype, lambda: torch.device("meta")]
)
def test_the_callers_contexts_change_nothing(surroundings: Callable[[], Any], tmp_path: Path) -> None:
    net = mixed()
    wanted = spqc.compile(net, "reference").graph.digest()
    checkpoint.save(net, tmp_path / "net.pt")
    with surroundings():
        assert spqc.compile(net, "reference").graph.digest() == wanted
        for model in (net, tmp_path / "net.pt"):
            assert spqc.verify(model, "reference", x=X).equal
    assert spqc.compile(tmp_path / "net.pt", "reference").graph.digest() == wanted


def test_an_evaluation_inside_autocast_is_exact() -> None:
    net = mixed().eval()
    wanted = net(X)
    with half_precision():
        assert torch.equal(net(X), wanted)
