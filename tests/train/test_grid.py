"""The grid of a detector: where objects are learned, and a loss that is 0 where they are found."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spqc.errors import UsageError

torch = pytest.importorskip("torch")

from spqc.nn import checkpoint  # noqa: E402  (torch must be there)
from spqc.train import data, source, train  # noqa: E402
from spqc.train.grid import Grid, iou  # noqa: E402

FRAME = (60, 80)
GRID = Grid(classes=2)
BOXES = np.array([[1, 12, 8, 20, 16], [0, 60, 40, 10, 10]], np.float32)  # class, left, top, width, height


def perfect(targets: torch.Tensor) -> torch.Tensor:
    """Return the logits [N, 1, outputs] of a detector that is right: its first box says all."""
    cells = torch.zeros(*targets.shape[:3], GRID.depth)
    cells[..., :5] = targets[..., :5]
    cells[..., 10:] = targets[..., 5:]
    return cells.flatten(1)[:, None]


def test_the_public_detector_has_576_outputs() -> None:
    assert GRID.outputs == 576


def test_an_object_is_learned_by_the_cell_of_its_centre() -> None:
    targets = GRID.targets([BOXES], FRAME)
    assert targets.shape == (1, 6, 8, 7)
    assert targets[..., 4].nonzero().tolist() == [[0, 1, 2], [0, 4, 6]]
    np.testing.assert_allclose(targets[0, 1, 2], [0.2, 0.6, 0.5, np.sqrt(16 / 60), 1, 0, 1], rtol=1e-5)
    np.testing.assert_allclose(targets[0, 4, 6], [0.5, 0.5, np.sqrt(1 / 8), np.sqrt(1 / 6), 1, 1, 0], rtol=1e-5)


def test_the_largest_object_of_a_cell_counts_and_nothing_leaves_the_grid() -> None:
    small, large = [0, 60, 40, 10, 10], [1, 58, 38, 14, 14]
    for order in ([small, large], [large, small]):
        targets = GRID.targets([np.array(order, np.float32)], FRAME)
        assert targets[0, 4, 6, 5:].tolist() == [0, 1]
    edge = GRID.targets([np.array([[0, 70, 50, 20, 20], [0, -30, -30, 10, 10]], np.float32)], FRAME)
    assert edge[..., 4].nonzero().tolist() == [[0, 0, 0], [0, 5, 7]]
    assert not GRID.targets([np.zeros((0, 5), np.float32)], FRAME).any()


def test_a_detector_that_is_right_has_no_loss() -> None:
    targets = GRID.targets([BOXES, BOXES[:1]], FRAME)
    assert float(GRID.loss(perfect(targets).repeat(1, 3, 1), targets)) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(
    ("cell", "number", "less"), [((1, 2), 0, 5.0), ((1, 2), 10, 1.0), ((0, 0), 4, 0.5), ((0, 0), 10, 0.0)]
)
def test_each_mistake_costs_its_weight(cell: tuple[int, int], number: int, less: float) -> None:
    targets = GRID.targets([BOXES], FRAME)
    wrong = perfect(targets).reshape(1, 6, 8, GRID.depth).clone()
    wrong[0, cell[0], cell[1], number] += 0.01
    found = float(GRID.loss(wrong.flatten(1)[:, None], targets))
    moved = 0.0 if number else float(1 - iou(*_shifted(0.01 / 8))) ** 2  # its confidence is to be the overlap
    assert found == pytest.approx(less * 1e-4 + moved, rel=1e-2, abs=1e-9)


def _shifted(by: float) -> tuple[torch.Tensor, torch.Tensor]:
    box = torch.tensor([0.15, 8 / 60, 0.4, 24 / 60])
    return box, box + torch.tensor([by, 0, by, 0])


def test_descent_finds_the_objects() -> None:
    targets = GRID.targets([BOXES], FRAME)
    logits = torch.full((1, 2, GRID.outputs), 0.3, requires_grad=True)
    optimiser = torch.optim.Adam([logits], lr=0.05)
    for _ in range(400):
        optimiser.zero_grad()
        GRID.loss(logits, targets).backward()
        optimiser.step()
    cells = logits.detach().mean(dim=1).reshape(6, 8, GRID.depth)
    confidences = torch.maximum(cells[..., 4], cells[..., 9])
    assert (confidences > 0.5).nonzero().tolist() == [[1, 2], [4, 6]]
    assert cells[1, 2, 10:].argmax() == 1 and cells[4, 6, 10:].argmax() == 0


def test_found_objects_are_counted() -> None:
    targets = GRID.targets([BOXES, BOXES[:1]], FRAME)
    right = perfect(targets)
    assert GRID.found(right, targets) == (3, 3)
    wrong_class = right.reshape(2, 6, 8, GRID.depth).clone()
    wrong_class[1, 1, 2, 10:] = torch.tensor([1.0, 0.0])
    wrong_class[0, 4, 6, 2] = 0.9  # much too wide
    assert GRID.found(wrong_class.flatten(1)[:, None], targets) == (1, 3)
    other_box = right.reshape(2, 6, 8, GRID.depth).clone()
    other_box[0, 1, 2, 9] = 2.0  # the second box is surer, and it is empty
    assert GRID.found(other_box.flatten(1)[:, None], targets) == (2, 3)


def scenes(count: int) -> Any:
    """Return frames with one bright bar each: its place is the box, its orientation the class."""
    rng = np.random.default_rng(3)
    codes, boxes = np.zeros((count, 1, 2, *FRAME), np.uint8), []
    for sample in range(count):
        wide, tall = ((20, 10), (10, 20))[sample % 2]
        left, top = int(rng.integers(0, FRAME[1] - wide)), int(rng.integers(0, FRAME[0] - tall))
        codes[sample, 0, :, top : top + tall, left : left + wide] = 1
        boxes.append(np.array([[sample % 2, left, top, wide, tall]], np.float32))
    return data.DataSet(
        "scenes", "train", "bars", (2, *FRAME), 1, ("lying", "standing"), "spikes", np.arange(count) % 2,
        codes.__getitem__, boxes.__getitem__,
    )  # fmt: skip


def test_a_detector_is_trained_on_boxes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(source.data, "load", lambda *words, **options: scenes(24))
    layers = [
        {"op": "conv2d", "out": 8, "kernel": 5, "stride": 4},
        {"op": "conv2d", "out": 8, "kernel": 3, "stride": 2},
        {"op": "flatten"},
        {"op": "linear", "out": GRID.outputs},
    ]
    words = {"data": "synthetic-events", "options": {"layers": layers, "learning_rate": 0.02, "batch": 12}}
    words["options"]["classes"] = GRID.outputs
    found = [train("sequential", epochs=epochs, **words) for epochs in (0, 25)]
    assert found[1].measure == "share of objects found"
    assert found[0].train_accuracy < 0.2 and found[1].train_accuracy > 0.5
    with pytest.raises(UsageError, match="576"):
        layers[-1]["out"] = 7
        train("sequential", epochs=0, data="synthetic-events", options={"layers": layers, "classes": 7})


def test_a_detector_of_its_own_size_keeps_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    whole = scenes(4)
    codes = np.zeros((4, 1, 2, 111, 143), np.uint8)
    small = dataclasses.replace(whole, shape=(2, 111, 143), read=codes.__getitem__)
    monkeypatch.setattr(source.data, "load", lambda *words, **options: small)
    report = train("yolov2", data="synthetic-events", epochs=1, options={"width": 0.0625}, out=tmp_path / "net.pt")
    assert checkpoint.load(tmp_path / "net.pt").classes == 576 and report.measure == "share of objects found"


def test_overlap() -> None:
    unit = torch.tensor([0.0, 0.0, 1.0, 1.0])
    boxes = torch.tensor([[0.0, 0.0, 1.0, 1.0], [0.5, 0.0, 1.5, 1.0], [2.0, 2.0, 3.0, 3.0], [0.5, 0.5, 0.5, 0.5]])
    assert iou(boxes, unit).tolist() == pytest.approx([1.0, 1 / 3, 0.0, 0.0])
