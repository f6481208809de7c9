"""A detector's prediction vector as a grid of cells, its training targets, and the loss of YOLO (Redmon et al., 2016).

A cell holds x, y, w, h and confidence of each of its boxes, then one number a class. x and y are the centre's place in
the cell, w and h square roots of shares of the frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Boxes = npt.NDArray[np.float32]

COORDINATES, ABSENT = 5.0, 0.5
_CORNERS = 4


@dataclass(frozen=True)
class Grid:
    """rows, columns: cells over the frame (that of the public detector is 6x8); boxes: predicted by a cell."""

    classes: int
    rows: int = 6
    columns: int = 8
    boxes: int = 2

    @property
    def depth(self) -> int:
        """Return the numbers of a cell."""
        return 5 * self.boxes + self.classes

    @property
    def outputs(self) -> int:
        """Return the length of the prediction vector."""
        return self.rows * self.columns * self.depth

    def targets(self, objects: Sequence[Boxes], frame: tuple[int, int]) -> Tensor:
        """Return [N, rows, columns, 5 + classes]: x, y, w, h as they are predicted, presence, classes.

        objects: for each sample, float32 [n, 5]: class, x, y, w, h (corner and size in pixels of the frame). A cell
        that holds the centres of several learns the largest.
        """
        found = np.zeros((len(objects), self.rows, self.columns, 5 + self.classes), np.float32)
        for sample, boxes in enumerate(objects):
            for box in boxes[np.argsort(boxes[:, 3] * boxes[:, 4], kind="stable")]:
                self._place(found[sample], box, frame)
        return torch.from_numpy(found)

    def _place(self, cells: npt.NDArray[np.float32], box: npt.NDArray[np.float32], frame: tuple[int, int]) -> None:
        kind, left, top, width, height = (float(number) for number in box)
        across = min(max((left + width / 2) / frame[1], 0.0), 1.0) * self.columns
        down = min(max((top + height / 2) / frame[0], 0.0), 1.0) * self.rows
        row, column = min(int(down), self.rows - 1), min(int(across), self.columns - 1)
        size = np.sqrt([width / frame[1], height / frame[0]])
        cells[row, column] = 0.0
        cells[row, column, :5] = (across - column, down - row, *size, 1.0)
        cells[row, column, 5 + int(kind)] = 1.0

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of logits [N, T, outputs], averaged over time, a sample."""
        cells = logits.float().mean(dim=1).reshape(-1, self.rows, self.columns, self.depth)
        boxes = cells[..., : 5 * self.boxes].unflatten(-1, (self.boxes, 5))  # type: ignore[no-untyped-call]
        truth, present = targets[..., None, :_CORNERS], targets[..., 4]
        overlaps = iou(self._corners(boxes[..., :_CORNERS].detach()), self._corners(truth))
        chosen = torch.nn.functional.one_hot(overlaps.argmax(dim=-1), self.boxes) * present[..., None]
        place = ((boxes[..., :_CORNERS] - truth) ** 2).sum(dim=-1)
        sure = (boxes[..., 4] - overlaps) ** 2
        kinds = ((cells[..., 5 * self.boxes :] - targets[..., 5:]) ** 2).sum(dim=-1)
        parts = COORDINATES * place * chosen + sure * chosen + ABSENT * boxes[..., 4] ** 2 * (1 - chosen)
        total: Tensor = (parts.sum() + (kinds * present).sum()) / len(logits)
        return total

    def found(self, logits: Tensor, targets: Tensor) -> tuple[int, int]:
        """Return how many objects are found, and how many there are.

        Found: the surest box of the object's cell overlaps it by half or more, and the cell names its class.
        """
        cells = logits.float().mean(dim=1).reshape(-1, self.rows, self.columns, self.depth)
        boxes = cells[..., : 5 * self.boxes].unflatten(-1, (self.boxes, 5))  # type: ignore[no-untyped-call]
        surest = boxes[..., 4].argmax(dim=-1)[..., None, None].expand(*boxes.shape[:3], 1, _CORNERS)
        box = boxes[..., :_CORNERS].gather(3, surest)[..., 0, :]
        overlap = iou(self._corners(box), self._corners(targets[..., :_CORNERS]))
        named = cells[..., 5 * self.boxes :].argmax(dim=-1) == targets[..., 5:].argmax(dim=-1)
        present = targets[..., 4] > 0
        return int((present & named & (overlap >= 0.5)).sum()), int(present.sum())

    def _corners(self, boxes: Tensor) -> Tensor:
        """Return left, top, right, bottom in shares of the frame, relative to the cell's own corner."""
        centre = boxes[..., :2] / boxes.new_tensor([self.columns, self.rows])
        half = boxes[..., 2:] ** 2 / 2
        return torch.cat([centre - half, centre + half], dim=-1)


def iou(first: Tensor, second: Tensor) -> Tensor:
    """Return the shared area over the joint one of boxes [..., 4] (left, top, right, bottom); 0 for empty boxes."""
    low = torch.maximum(first[..., :2], second[..., :2])
    high = torch.minimum(first[..., 2:], second[..., 2:])
    shared = (high - low).clamp(min=0).prod(dim=-1)
    areas = [(boxes[..., 2:] - boxes[..., :2]).clamp(min=0).prod(dim=-1) for boxes in (first, second)]
    overlap: Tensor = shared / (areas[0] + areas[1] - shared).clamp(min=1e-12)
    return overlap
