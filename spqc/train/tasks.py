"""What a network is trained for: what a sample teaches, what a mistake costs, how good a network is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from spqc.errors import UsageError
from spqc.nn import losses
from spqc.nn.network import SpikingNetwork

from .batches import classes
from .data import DataSet
from .evaluation import accuracy, exactly, parts
from .grid import Grid
from .processes import Processes
from .recipes import Recipe


class Task(ABC):
    """Base of the tasks; `measure` is the name of what `score` returns."""

    measure: ClassVar[str]

    @abstractmethod
    def targets(self, data: DataSet, indices: npt.NDArray[np.int64], labels: Any) -> Tensor:
        """Return what the samples of these indices and labels teach, samples first."""

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
    """The loss of YOLO on the mean over time of the logits; judged by the share of objects that are found."""

    grid: Grid
    measure: ClassVar[str] = "share of objects found"

    def targets(self, data: DataSet, indices: npt.NDArray[np.int64], labels: Any) -> Tensor:
        if data.boxes is None:
            raise UsageError(f"the samples of '{data.name}' have no boxes to detect")
        return self.grid.targets([data.boxes(int(index)) for index in indices], (data.shape[-2], data.shape[-1]))

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        return self.grid.loss(logits, targets)

    def score(self, network: nn.Module, data: DataSet, processes: Processes) -> float:
        found = objects = 0
        with exactly():
            for indices in parts(data, processes):
                codes, labels = data.arrays(indices)
                hits, there = self.grid.found(network(codes).cpu(), self.targets(data, indices, labels))
                found, objects = found + hits, objects + there
        found, objects = processes.total(found, objects)
        return found / max(objects, 1)


def task_of(network: SpikingNetwork, data: DataSet, recipe: Recipe) -> Task:
    """Return what a network is trained for on a data set: detection where its outputs are a grid for the set's boxes.

    Raises UsageError where its outputs are neither that nor the classes.
    """
    if network.classes == data.classes:
        return Classification(recipe.regulariser)
    grid = Grid(data.classes)
    if data.boxes is None or network.classes != grid.outputs:
        wanted = (
            f"{data.classes} classes" if data.boxes is None else f"{data.classes} classes, or a grid of {grid.outputs}"
        )
        raise UsageError(f"the network has {network.classes} outputs, and '{data.name}' {wanted}")
    if recipe.augment != "none":
        raise UsageError("boxes are not moved with the images", hint="--set augment=none")
    return Detection(grid)
