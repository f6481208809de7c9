"""Training detectors: targets from boxes, mean average precision, and boxes from integer logits."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.places import ROOT

import spqc
from spqc.foundation.errors import InputError, UsageError

torch = pytest.importorskip("torch")

from support.scenes import FRAME, HEAD, TASK, Answers, right, scenes  # noqa: E402  (torch must be there)

from spqc.nn import checkpoint, models  # noqa: E402  (torch must be there)
from spqc.train import source, train  # noqa: E402
from spqc.train.detection import decode, encode  # noqa: E402
from spqc.train.detection.loss import pack  # noqa: E402
from spqc.train.processes import Processes  # noqa: E402
from spqc.train.tasks import Classification, task_of  # noqa: E402

LAYERS: list[dict[str, Any]] = [
    {"op": "conv2d", "out": 8, "kernel": 5, "stride": 4},
    {"op": "conv2d", "out": 8, "kernel": 3, "stride": 2},
    {"op": "flatten"},
    {"op": "linear", "out": HEAD.outputs},
]


def test_targets_are_the_encoded_boxes_of_the_samples() -> None:
    samples = scenes(6)
    assert samples.boxes is not None
    expected = pack([encode(HEAD, samples.boxes(index), FRAME) for index in (4, 1)])
    found = TASK.targets(samples, np.array([4, 1]), None)
    assert found.shape == (2, 8) and torch.equal(found, expected)
    with pytest.raises(UsageError, match="no boxes"):
        TASK.targets(dataclasses.replace(samples, boxes=None), np.array([0]), None)
    outside = dataclasses.replace(samples, boxes=lambda index: np.array([[0, 90, 9, 5, 5]], np.float32))
    with pytest.raises(InputError, match="cannot be a target"):
        TASK.targets(outside, np.array([0]), None)


def test_a_detector_that_is_right_has_all_the_precision() -> None:
    samples, nobody = scenes(6), np.zeros((0, 5), np.float32)
    assert TASK.score(Answers(samples, right(samples)), samples, Processes()) == pytest.approx(1.0)
    assert TASK.measure == "mAP@0.5"
    empty = dataclasses.replace(samples, boxes=lambda index: nobody)
    assert TASK.score(Answers(samples, right(samples)), empty, Processes()) == 0.0


@pytest.mark.parametrize(
    ("value", "changed", "expected"),
    [
        (10, 30.0, (1 + 2 / 3) / 2),  # the standing bar is called lying with less confidence: one of three is missed
        (6, 0.95, (1 + 2 / 3) / 2),  # much too wide
        (8, -5.0, (1 + 2 / 3) / 2),  # not sure enough to count
        (9, 6.0, 1.0),  # a second box, surer and empty: no box at all
        (6, 0.37, 1.0),  # a little too wide
    ],
)
def test_each_mistake_costs_precision(value: int, changed: float, expected: float) -> None:
    samples = scenes(6)
    logits = right(samples)
    _, row, column, *_ = TASK.targets(samples, np.array([3]), None)[0].int().tolist()
    cell = logits.reshape(6, HEAD.rows, HEAD.columns, HEAD.values)[3, row, column]
    cell[8], cell[value] = 4.0, changed
    assert TASK.score(Answers(samples, logits), samples, Processes()) == pytest.approx(expected)


def test_a_box_found_twice_or_more_is_suppressed() -> None:
    samples = scenes(1)
    logits = right(samples)
    cells = logits.reshape(HEAD.rows, HEAD.columns, HEAD.values)
    cells[..., 1:10:2] = cells[..., 0:10:2]
    assert len(decode(HEAD, logits.numpy(), FRAME)[0]) == 2
    assert len(TASK.boxes(logits, FRAME)[0]) == 1


def trained(monkeypatch: pytest.MonkeyPatch, samples: Any, epochs: int, out: Path | None = None) -> Any:
    monkeypatch.setattr(source.data, "load", lambda *words, **options: samples)
    options = {"layers": LAYERS, "learning_rate": 0.02, "batch": 12, "classes": HEAD.outputs}
    return train("sequential", data="synthetic-events", options=options, epochs=epochs, out=out)


def test_training_improves_precision_and_loss(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    samples, losses = scenes(24), []
    for epochs in (0, 40):
        report = trained(monkeypatch, samples, epochs, tmp_path / "net.pt")
        assert report.measure == "mAP@0.5"
        with torch.no_grad():
            logits = checkpoint.load(tmp_path / "net.pt")(samples.arrays()[0])
        losses.append((float(TASK.loss(logits, TASK.targets(samples, np.arange(24), None))), report.train_accuracy))
    (loss, score), (less, better) = losses
    assert less < loss / 3 and score < 0.1 and better > 0.5, losses


def test_integer_logits_of_an_artifact_hold_the_boxes_of_torch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    samples = scenes(24)
    trained(monkeypatch, samples, 20, tmp_path / "net.pt")
    x = samples.arrays()[0]
    with torch.no_grad():
        logits = checkpoint.load(tmp_path / "net.pt")(x)
    artifact = spqc.compile(str(tmp_path / "net.pt"), target="reference")
    integers = artifact.observe(x).logits
    scale = float(artifact.graph.note("logit_scale") or artifact.graph.outputs[0].type.scale)
    assert np.issubdtype(integers.dtype, np.integer)
    found, expected = decode(HEAD, integers, FRAME, scale=scale), decode(HEAD, logits.numpy(), FRAME)
    assert sum(map(len, found)) >= 12
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-4)


def test_the_integer_logits_of_yolov2_are_decoded() -> None:
    net = models.create("yolov2", in_shape=(2, 111, 143), width=0.03, seed=1).eval()
    x = (np.random.default_rng(0).random((2, 1, 2, 111, 143)) < 0.3).astype(np.uint8)
    artifact = spqc.compile(net, target="reference")
    scale = float(artifact.graph.note("logit_scale") or artifact.graph.outputs[0].type.scale)
    integers = artifact.observe(x).logits
    assert len(np.unique(integers)) > 10
    with torch.no_grad():
        expected = decode(HEAD, net(x).numpy(), (111, 143))
    for one, other in zip(decode(HEAD, integers, (111, 143), scale=scale), expected, strict=True):
        assert len(other)
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-4)


def test_a_detector_of_its_own_size_keeps_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    whole = scenes(4)
    codes = np.zeros((4, 1, 2, 111, 143), np.uint8)
    small = dataclasses.replace(whole, shape=(2, 111, 143), read=codes.__getitem__)
    monkeypatch.setattr(source.data, "load", lambda *words, **options: small)
    report = train("yolov2", data="synthetic-events", epochs=1, options={"width": 0.0625}, out=tmp_path / "net.pt")
    assert checkpoint.load(tmp_path / "net.pt").classes == 576 and report.measure == "mAP@0.5"


def test_a_network_is_trained_for_what_its_outputs_are(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = scenes(2)
    monkeypatch.setattr(source.data, "load", lambda *words, **options: samples)
    layers = [*LAYERS[:-1], {"op": "linear", "out": 7}]
    with pytest.raises(UsageError, match="576"):
        train("sequential", epochs=0, data="synthetic-events", options={"layers": layers, "classes": 7})
    with pytest.raises(UsageError, match="not moved"):
        options = {"layers": LAYERS, "classes": HEAD.outputs, "augment": "crop-flip"}
        train("sequential", epochs=0, data="synthetic-events", options=options)
    classifier = models.create("sequential", in_shape=(2, *FRAME), classes=2, layers=[{"op": "linear", "out": 2}])
    recipe: Any = dataclasses.make_dataclass("Recipe", [("regulariser", float)])(0.5)
    assert task_of(classifier, samples, recipe) == Classification(0.5)


SCRIPT = """
import json, sys
from support import scenes as here
from spqc.train.processes import joined
samples = here.scenes(7)
logits = here.right(samples)
logits[2:4] = 0
with joined("cpu") as (processes, _):
    score = here.TASK.score(here.Answers(samples, logits), samples, processes)
    if processes.rank == processes.count - 1:
        json.dump([processes.count, score], open(sys.argv[1], "w"))
"""


def test_processes_that_share_the_samples_find_one_precision(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(tmp_path / "script.py")]
    folders = (str(ROOT), str(ROOT / "tests"))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(folders), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *launcher, str(tmp_path / "score.json")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    samples = scenes(7)
    logits = right(samples)
    logits[2:4] = 0
    alone = TASK.score(Answers(samples, logits), samples, Processes())
    assert json.loads((tmp_path / "score.json").read_text()) == [2, alone] and 0.5 < alone < 1
