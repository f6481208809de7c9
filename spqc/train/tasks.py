"""What a network is trained for: what a sample teaches, what a mistake costs, how good a network is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from spqc.foundation.errors import UsageError
from spqc.nn import losses
from spqc.nn.network import SpikingNetwork

from .batches import classes
from .data import DataSet
from .detection import Head, decode, encode, mean_average_precision, suppress
from .detection.loss import pack, yolo
from .evaluation import accuracy, exactly, parts
from .processes import Processes
from .recipes import Recipe


class Task(ABC):
    """Base of the tasks; `measure` is the name of what `score` returns."""

    measure: ClassVar[str]

    @abstractmethod
    def targets(self, data: DataSet, indices: npt.NDArray[np.int64], labels: Any) -> Tensor:
        """Return what the samples of these indices and labels teach: what `loss` takes beside their logits."""

    @abstractmethod
    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of logits [N, T, outputs]."""

    @abstractmethod
    def score(self, network: nn.Module, data: DataSet, processes: Processes) -> float:
        """Return how good a network is, in [0, 1]; the same in all processes."""


@dataclass(frozen=True)
class Classification(Task):
    """The TET loss, of which `regulariser` is lam; judged by accuracy."""

    regulariser: float
    measure: ClassVar[str] = "accuracy"

    def targets(self, data: DataSet, indices: npt.NDArray[np.int64], labels: Any) -> Tensor:
        return classes(data, indices, labels)

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        return losses.tet(logits.float(), targets, regulariser=self.regulariser)

    def score(self, network: nn.Module, data: DataSet, processes: Processes) -> float:
        return accuracy(network, data, processes)


@dataclass(frozen=True)
class Detection(Task):
    """The loss of YOLO on the mean over time of the logits; judged by the mean average precision at an overlap of 0.5.

    threshold: boxes with a lower score do not count as found; overlap: of boxes of a class that overlap by more, only
    the best does.
    """

    head: Head
    threshold: float = 0.1
    overlap: float = 0.6
    measure: ClassVar[str] = "mAP@0.5"

    def targets(self, data: DataSet, indices: npt.NDArray[np.int64], labels: Any) -> Tensor:
        """Return the objects of the samples, float64 [objects, 8], as `detection.loss.pack` orders them.

        Raises UsageError for samples without boxes, InputError for a box that cannot be a target.
        """
        return pack([encode(self.head, boxes, _frame(data)) for boxes in _truth(data, indices)])

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of logits [N, T, head.outputs] for the objects of the N samples."""
        return yolo(self.head, logits.float(), targets)

    def score(self, network: nn.Module, data: DataSet, processes: Processes) -> float:
        """Return the mean average precision, by the rule of PASCAL VOC; 0 where no sample holds an object."""
        own: list[npt.NDArray[np.float64]] = []
        with exactly():
            for indices in parts(data, processes):
                own += self.boxes(network(data.arrays(indices)[0]), _frame(data))
        detected = processes.gathered(own)
        precision = mean_average_precision(detected, _truth(data, np.arange(len(detected))), "voc")
        return 0.0 if np.isnan(precision) else precision

    def boxes(self, logits: Tensor, frame: tuple[int, int]) -> list[npt.NDArray[np.float64]]:
        """Return for each sample of logits [N, T, head.outputs] the boxes [n, 6] that count as found, best first."""
        boxes = decode(self.head, logits.float().cpu().numpy(), frame, self.threshold)
        return [suppress(one, self.overlap) for one in boxes]


def _truth(data: DataSet, indices: npt.NDArray[np.int64]) -> list[npt.NDArray[np.float32]]:
    if data.boxes is None:
        raise UsageError(f"the samples of '{data.name}' have no boxes to detect")
    return [data.boxes(int(index)) for index in indices]


def _frame(data: DataSet) -> tuple[int, int]:
    """Return the height and width of a frame in pixels."""
    return data.shape[-2], data.shape[-1]


def task_of(network: SpikingNetwork, data: DataSet, recipe: Recipe) -> Task:
    """Return what a network is trained for on a data set: detection where its outputs are a head for the set's boxes.

    Raises UsageError where its outputs are neither that nor the classes.
    """
    if network.classes == data.classes:
        return Classification(recipe.regulariser)
    head = Head(classes=data.classes)
    if data.boxes is None or network.classes != head.outputs:
        wanted = (
            f"{data.classes} classes" if data.boxes is None else f"{data.classes} classes, or a head of {head.outputs}"
        )
        raise UsageError(f"the network has {network.classes} outputs, and '{data.name}' {wanted}")
    if recipe.augment != "none":
        raise UsageError("boxes are not moved with the images", hint="--set augment=none")
    return Detection(head)
