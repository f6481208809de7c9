"""The YOLO loss: by hand, at its least, and learning."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from spqc.train.detection import Head, decode, encode  # noqa: E402  (torch must be there)
from spqc.train.detection.loss import yolo  # noqa: E402

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
    assert float(yolo(HEAD, cells.reshape(1, 1, -1), [target])) == pytest.approx(expected)


def test_without_objects_only_confidence_counts() -> None:
    nothing = encode(HEAD, np.zeros((0, 5)), FRAME)
    assert float(yolo(HEAD, torch.zeros(2, HEAD.outputs), [nothing, nothing])) == pytest.approx(0.5 * 0.25)


def test_descent_finds_the_boxes() -> None:
    boxes = [np.array([[0, 2, 3, 20, 14.0], [1, 35, 20, 20, 18]]), np.array([[1, 33, 4, 11, 12.0]])]
    targets = [encode(HEAD, one, FRAME) for one in boxes]
    logits = torch.full((2, HEAD.outputs), 0.1, requires_grad=True)
    optimiser = torch.optim.Adam([logits], lr=0.1)
    for _ in range(300):
        optimiser.zero_grad()
        yolo(HEAD, logits, targets).backward()
        optimiser.step()
    for found, true in zip(decode(HEAD, logits.detach().numpy(), FRAME, 0.5), boxes, strict=True):
        order = np.argsort(found[:, 1])
        np.testing.assert_allclose(found[order, :5], true, atol=0.5)
