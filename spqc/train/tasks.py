"""What a network is trained for: what a sample teaches, what a mistake costs, how good a network is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from spqc.nn import losses

from .batches import classes
from .data import DataSet
from .evaluation import accuracy
from .processes import Processes


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
