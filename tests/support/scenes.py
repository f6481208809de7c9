"""Frames with a bar each, and a detector that knows them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from spqc.train import data
from spqc.train.detection import Head
from spqc.train.tasks import Detection

FRAME = (60, 80)
HEAD = Head()
TASK = Detection(HEAD)


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


class Answers(torch.nn.Module):
    """Says for each frame of `scenes` the logits of its sample, which it knows by its pixels."""

    def __init__(self, samples: Any, logits: torch.Tensor) -> None:
        super().__init__()
        self.known = {samples.read(index).tobytes(): logits[index] for index in range(len(samples))}

    def forward(self, codes: Any) -> torch.Tensor:
        return torch.stack([self.known[one.tobytes()] for one in codes])


def right(samples: Any) -> torch.Tensor:
    """Return the logits [N, 1, outputs] of a detector that is right: its first box says all."""
    cells = torch.zeros(len(samples), HEAD.rows, HEAD.columns, HEAD.values)
    cells[..., 8:10] = -20
    for sample, row, column, label, *place in TASK.targets(samples, np.arange(len(samples)), None).tolist():
        cell = cells[int(sample), int(row), int(column)]
        cell[[0, 2, 4, 6]] = torch.tensor(place)
        cell[8], cell[10 + int(label)] = 5.0, 20.0
    return cells.flatten(1)[:, None]
