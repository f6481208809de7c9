"""The YOLO loss (Redmon et al., 2016, Eq 3), as means over the objects."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .head import Head, Targets

COORDINATES = 5.0
NO_OBJECT = 0.5


def pack(targets: Sequence[Targets]) -> Tensor:
    """Return the objects of N samples in one tensor, float64 [objects, 8].

    A row: sample (0..N-1), row and column of the cell, class, and place: down, right, sqrt h, sqrt w.
    """
    rows = [
        np.column_stack([np.full(len(one.row), sample), one.row, one.column, one.label, one.place])
        for sample, one in enumerate(targets)
    ]
    return torch.from_numpy(np.concatenate([np.zeros((0, 8)), *rows]))


def yolo(head: Head, logits: Tensor, objects: Tensor) -> Tensor:
    """Return the loss of logits [N, T, outputs], whose mean over the steps counts, or [N, outputs].

    objects: those of the N samples, [objects, 8], as `pack` orders them.
    The box of a cell that overlaps an object most answers for it: 5 * (place + size) + (confidence - overlap)^2
    + cross-entropy of the class; all other boxes: 0.5 * confidence^2. Without any object only the last part is left.
    """
    values = logits.mean(dim=1) if logits.dim() == 3 else logits
    cells = values.reshape(-1, head.rows, head.columns, head.values)
    confidence = torch.sigmoid(cells[..., 4 * head.boxes : 5 * head.boxes])
    if not len(objects):
        return NO_OBJECT * (confidence**2).mean()
    sample, row, column, label = objects[:, :4].long().unbind(dim=1)
    mine = cells[sample, row, column]
    place = mine[:, : 4 * head.boxes].reshape(-1, 4, head.boxes).transpose(1, 2)  # [objects, boxes, 4]
    true = objects[:, 4:].to(place)
    overlap = _overlap(head, place.detach(), true)
    best = overlap.argmax(dim=1)
    every = torch.arange(len(best), device=best.device)
    empty = torch.ones_like(confidence)
    empty[sample, row, column, best] = 0
    coordinates = ((place[every, best] - true) ** 2).sum(dim=1).mean()
    sure = ((confidence[sample, row, column, best] - overlap[every, best]) ** 2).mean()
    unsure = (empty * confidence**2).sum() / empty.sum().clamp(min=1)
    return COORDINATES * coordinates + sure + NO_OBJECT * unsure + F.cross_entropy(mine[:, 5 * head.boxes :], label)


def _overlap(head: Head, place: Tensor, true: Tensor) -> Tensor:
    """Return intersection over union [objects, boxes], in the units of a frame, relative to the cell's corner."""
    grid = torch.tensor([1 / head.rows, 1 / head.columns], dtype=place.dtype, device=place.device)
    (low, high), (true_low, true_high) = (_corners(one, grid) for one in (place, true[:, None]))
    shared = (torch.minimum(high, true_high) - torch.maximum(low, true_low)).clamp(min=0).prod(dim=-1)
    union = (high - low).prod(dim=-1) + (true_high - true_low).prod(dim=-1) - shared
    return shared / union.clamp(min=1e-12)


def _corners(place: Tensor, grid: Tensor) -> tuple[Tensor, Tensor]:
    middle, half = place[..., :2] * grid, place[..., 2:] ** 2 / 2
    return middle - half, middle + half
