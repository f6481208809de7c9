"""The YOLO loss: by hand, at its least, and learning."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from spqc.train.detection import Head, decode, encode, overlaps  # noqa: E402  (torch must be there)
from spqc.train.detection.loss import pack, yolo  # noqa: E402

HEAD = Head(rows=2, columns=2, boxes=2, classes=2)
FRAME = (40, 60)


def test_by_hand() -> None:
    """One object in cell (0, 0); the first box is off by 0.1 in every part, the second has no size."""
    target = encode(HEAD, np.array([[1, 9, 6, 12, 8.0]]), FRAME)  # centre (10, 15): half a cell each way
    assert (target.row[0], target.column[0], target.label[0]) == (0, 0, 1)
    np.testing.assert_allclose(target.place[0], [0.5, 0.5, math.sqrt(0.2), math.sqrt(0.2)])
    cells = torch.zeros(1, 2, 2, 12, dtype=torch.float64)
    for part, value in enumerate(target.place[0]):
        cells[0, 0, 0, 2 * part] = value + 0.1
    size = (math.sqrt(0.2) + 0.1) ** 2
    offset = 0.05  # a tenth of a cell, in frames of two cells
    shared = min(offset + size / 2, 0.1) - max(offset - size / 2, -0.1)
    overlap = shared**2 / (size**2 + 0.04 - shared**2)
    expected = 5 * 4 * 0.01 + (0.5 - overlap) ** 2 + 0.5 * 0.25 + math.log(2)
    assert float(yolo(HEAD, cells.reshape(1, 1, -1), pack([target]))) == pytest.approx(expected)


def test_without_objects_only_confidence_counts() -> None:
    nothing = encode(HEAD, np.zeros((0, 5)), FRAME)
    assert float(yolo(HEAD, torch.zeros(2, HEAD.outputs), pack([nothing, nothing]))) == pytest.approx(0.5 * 0.25)


def test_descent_finds_the_boxes() -> None:
    boxes = [np.array([[0, 2, 3, 20, 14.0], [1, 35, 20, 20, 18]]), np.array([[1, 33, 4, 11, 12.0]])]
    targets = pack([encode(HEAD, one, FRAME) for one in boxes])
    logits = torch.full((2, HEAD.outputs), 0.1, requires_grad=True)
    optimiser = torch.optim.Adam([logits], lr=0.1)
    for _ in range(300):
        optimiser.zero_grad()
        yolo(HEAD, logits, targets).backward()
        optimiser.step()
    for found, true in zip(decode(HEAD, logits.detach().numpy(), FRAME, 0.5), boxes, strict=True):
        order = np.argsort(found[:, 1])
        np.testing.assert_allclose(found[order, :5], true, atol=0.5)


def right(objects: torch.Tensor, samples: int) -> torch.Tensor:
    """Return the logits [N, 1, outputs] of a detector that is right: its first box says all."""
    cells = torch.zeros(samples, HEAD.rows, HEAD.columns, HEAD.values, dtype=torch.float64)
    cells[..., 8:10] = -30
    for sample, row, column, label, *place in objects.tolist():
        cell = cells[int(sample), int(row), int(column)]
        cell[[0, 2, 4, 6]] = torch.tensor(place, dtype=torch.float64)
        cell[8], cell[10 + int(label)] = 30, 40
    return cells.flatten(1)[:, None]


BOXES = [np.array([[0, 2, 3, 20, 14.0], [1, 35, 20, 20, 18]]), np.zeros((0, 5)), np.array([[1, 33, 4, 11, 12.0]])]


def test_objects_are_packed_with_their_samples() -> None:
    objects = pack([encode(HEAD, one, FRAME) for one in BOXES])
    assert objects[:, :4].tolist() == [[0, 0, 0, 0], [0, 1, 1, 1], [2, 0, 1, 1]]
    np.testing.assert_allclose(objects[2, 4:], [0.5, 8.5 / 30, math.sqrt(12 / 40), math.sqrt(11 / 60)])
    assert pack([]).shape == (0, 8)


def test_a_detector_that_is_right_has_no_loss() -> None:
    objects = pack([encode(HEAD, one, FRAME) for one in BOXES])
    assert float(yolo(HEAD, right(objects, 3).repeat(1, 4, 1), objects)) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(
    ("cell", "value", "changed", "cost"),
    [
        ((0, 0), 4, 0.01, 5 * 1e-4),  # the height of an object
        ((0, 0), 8, -30.0, 1.0),  # its confidence
        ((0, 0), 11, 40.0, math.log(2)),  # its class
        ((0, 0), 9, 0.0, 0.5 * 0.25 / 7),  # the confidence of one of seven boxes without an object
        ((0, 1), 9, 0.0, 0.5 * 0.25 / 7),
        ((0, 1), 10, 9.0, 0.0),  # the class where nothing is
        ((0, 1), 0, 9.0, 0.0),
    ],
)
def test_each_mistake_costs_its_weight(cell: tuple[int, int], value: int, changed: float, cost: float) -> None:
    objects = pack([encode(HEAD, BOXES[0][:1], FRAME)])
    wrong = right(objects, 1)
    cells = wrong.reshape(HEAD.rows, HEAD.columns, HEAD.values)
    height = float(cells[0, 0, 4])
    cells[cell][value] = changed + (height if value == 4 else 0)
    overlap = 1 if value != 4 else (height / (height + changed)) ** 2  # the confidence is to be the overlap
    assert float(yolo(HEAD, wrong, objects)) == pytest.approx(cost + (1 - overlap) ** 2, rel=1e-6, abs=1e-9)


def test_two_objects_of_a_cell_are_learned_by_the_boxes_that_overlap_them_most() -> None:
    boxes = np.array([[1, 2, 8, 26, 4.0], [1, 13, 1, 4, 18.0]])  # a lying and a standing one in cell (0, 0)
    objects = pack([encode(HEAD, boxes, FRAME)])
    logits = torch.full((1, HEAD.outputs), 0.1)
    logits[0, [0, 1, 2, 3]], logits[0, [4, 7]], logits[0, [5, 6]] = 0.5, 0.2, 0.6
    logits.requires_grad_()
    optimiser = torch.optim.Adam([logits], lr=0.05)
    for _ in range(300):
        optimiser.zero_grad()
        yolo(HEAD, logits, objects).backward()
        optimiser.step()
    (found,) = decode(HEAD, logits.detach().numpy(), FRAME, 0.5)
    np.testing.assert_allclose(found[np.argsort(found[:, 1]), :5], boxes, atol=0.5)


def confidences(place: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
    """Return the confidence [objects, boxes] that the loss wants of each box if it is the only one of its cell."""
    head, count = Head(rows=2, columns=2, boxes=1, classes=2), place.shape[0] * place.shape[1]
    logits = torch.zeros(count, head.outputs, dtype=place.dtype)
    logits[:, :4] = place.reshape(count, 4)
    logits.requires_grad_()
    objects = torch.zeros(count, 8, dtype=place.dtype)
    objects[:, 0], objects[:, 4:] = torch.arange(count), true.repeat_interleave(place.shape[1], dim=0)
    (slope,) = torch.autograd.grad(count * yolo(head, logits, objects), logits)
    return 0.5 - 2 * slope[:, 4].reshape(place.shape[:2])  # of (sigmoid - overlap)^2, where the sigmoid is 1/2


def test_overlaps_are_those_of_the_boxes() -> None:
    place = torch.from_numpy(np.random.default_rng(2).random((40, 5, 4)))
    found = confidences(place[:, 1:], place[:, 0])

    def corners(one: torch.Tensor) -> np.ndarray:
        size = one[..., [3, 2]] ** 2
        return torch.cat([one[..., [1, 0]] / 2 - size / 2, size], dim=-1).numpy()

    for one, row in zip(place, found, strict=True):
        np.testing.assert_allclose(row[None], overlaps(corners(one[:1]), corners(one[1:])))
