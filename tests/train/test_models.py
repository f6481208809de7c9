"""Every model of the zoo trains: a narrow one, a few samples, one epoch; and what comes out is exact."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spqc

torch = pytest.importorskip("torch")

from spqc.nn import checkpoint, models  # noqa: E402  (torch must be there)
from spqc.train import data, source, train  # noqa: E402

SHAPES: dict[str, tuple[int, ...]] = {
    "vgg7": (2, 32, 32),
    "vgg11": (2, 32, 32),
    "mobilenet": (2, 48, 48),
    "yolov2": (2, 111, 143),
    "cnn-3d": (1, 12, 5, 5),
    "cnn-32h": (1, 60, 3, 3),
    "spike-train": (2, 64),
}
NARROW: dict[str, dict[str, Any]] = {
    "digits": {"width": 4},
    "spikformer-4-256": {"channels": 16, "depth": 1, "heads": 2},
    "spikformer-4-384": {"channels": 24, "depth": 1, "heads": 3},
    "spikformer-8-512": {"channels": 16, "depth": 1, "heads": 2},
    "cnn-3d": {"threshold": 0.1},
    "cnn-32h": {"kernels": 6, "hidden": 16},
    "spike-train": {"width": 8, "hidden": 16},
}
OWN_TEST = ("sequential",)  # tests/train/test_running.py


def samples(shape: tuple[int, ...]) -> Any:
    """Return 24 samples of random spikes, two steps each."""
    codes = (np.random.default_rng(1).random((24, 2, *shape)) < 0.3).astype(np.uint8)
    return data.DataSet(
        "random", "train", "random spikes", shape, 2, tuple("abc"), "spikes", np.arange(24) % 3, codes.__getitem__
    )


@pytest.mark.parametrize("name", [name for name in models.available() if name not in OWN_TEST])
def test_it_trains_and_stays_exact(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    monkeypatch.setattr(source.data, "load", lambda *words, **options: samples(SHAPES.get(name, (2, 16, 16))))
    own = NARROW.get(name, {"width": 0.0625})
    report = train(
        name,
        data="synthetic-events",
        preset=None if name.startswith("cnn") else "quant+adaptive",
        options={**own, "steps": 2, "batch": 12, "cnn_epochs": 1},
        epochs=1,
        out=tmp_path / "net.pt",
    )
    assert 0.0 <= report.test_accuracy <= 1.0
    trained = checkpoint.load(tmp_path / "net.pt")
    fresh = models.create(name, **{**trained.config, "calibrate": False}).state_dict()
    moved = [key for key, value in trained.state_dict().items() if not torch.equal(value, fresh[key])]
    assert len(moved) > len(fresh) / 2, "training leaves most of the network where it was"
    x = (np.random.default_rng(0).random((2, 2, *trained.in_shape)) < 0.3).astype(np.uint8)
    assert spqc.verify(str(tmp_path / "net.pt"), target="reference", x=x).equal
