"""The class of each sample, and how many are right."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy.typing as npt

from spqc.foundation.arrays import class_labels
from spqc.ir.axis_order import AxisOrder
from spqc.runtime.session import Artifact
from spqc.runtime.stream import Logits


@dataclass(frozen=True)
class RunReport:
    """Logits [N, T, classes], the class of each sample, and how many were right where labels were given."""

    target: str
    inputs: str
    samples: int
    steps: int
    classes: int
    predictions: list[int]
    correct: int | None
    logits: Logits = field(repr=False)

    @property
    def accuracy(self) -> float | None:
        return None if self.correct is None else self.correct / self.samples


def classified(
    artifact: Artifact,
    x: npt.ArrayLike,
    labels: npt.ArrayLike | None,
    inputs: str,
    layout: AxisOrder | None,
    labels_from: int,
) -> RunReport:
    """Return what `spqc.api.classify` does of an opened artifact."""
    integers = artifact.executor.run(artifact.feed(x, layout))
    samples, steps, classes = integers.shape
    decided = integers.sum(axis=1).argmax(axis=1)
    right = None if labels is None else class_labels(labels, samples, classes, labels_from)
    correct = None if right is None else int((decided == right).sum())
    predictions = decided + labels_from
    logits = artifact.to_logits(integers)
    return RunReport(artifact.target, inputs, samples, steps, classes, predictions.tolist(), correct, logits)
