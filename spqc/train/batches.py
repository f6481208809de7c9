"""The order of the samples, the batches of an epoch, and what a process gets of each."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from spqc.foundation.errors import UsageError

from . import augment
from .data import DataSet
from .processes import Processes

Codes = npt.NDArray[np.uint8]
Targets = Callable[[DataSet, npt.NDArray[np.int64], Any], Tensor]


@dataclass
class Order:
    """The place in a training: epoch, batches done in it, and the generator at its start and now.

    Every process draws the same numbers, so that the generator of one is that of all.
    """

    generator: np.random.Generator
    start: str
    epoch: int = 0
    batch: int = 0

    @classmethod
    def fresh(cls, seed: int) -> Order:
        """Return the place before the first batch."""
        generator = np.random.default_rng(seed)
        return cls(generator, _state(generator))

    def plain(self) -> dict[str, Any]:
        """Return the place as plain values."""
        return {"epoch": self.epoch, "batch": self.batch, "start": self.start, "now": _state(self.generator)}

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Order:
        """Return the place that `plain` described."""
        generator = np.random.default_rng()
        generator.bit_generator.state = json.loads(plain["now"])
        return cls(generator, plain["start"], plain["epoch"], plain["batch"])

    def permutation(self, count: int) -> npt.NDArray[np.int64]:
        """Return the order of this epoch's samples, drawn again from `start` when resuming inside an epoch."""
        if self.batch == 0:
            self.start = _state(self.generator)
            return self.generator.permutation(count)
        again = np.random.default_rng()
        again.bit_generator.state = json.loads(self.start)
        return again.permutation(count)

    def next_epoch(self) -> None:
        """Move to the start of the next epoch."""
        self.epoch, self.batch = self.epoch + 1, 0


def training_batches(
    data: DataSet, order: Order, cuts: Cuts, kind: str, processes: Processes, workers: int, targets: Targets
) -> Iterator[tuple[Codes, Tensor]]:
    """Yield (codes, targets) of the rest of this epoch; who takes them counts `order.batch` up after each."""
    permutation = order.permutation(len(data))
    chosen = [permutation[part] for part in cuts.of(len(data))][order.batch :]
    for whole, (codes, learned) in zip(
        chosen, _load(data, [processes.share(part) for part in chosen], workers, targets), strict=True
    ):
        moves = augment.draw(kind, order.generator, len(whole))
        yield augment.apply(kind, codes, processes.share(moves)), learned


def classes(data: DataSet, indices: npt.NDArray[np.int64], labels: Any) -> Tensor:
    """Return the labels of samples as a tensor: what a classifier learns."""
    return torch.from_numpy(np.asarray(labels, np.int64))


@dataclass(frozen=True)
class Cuts:
    """How an epoch is cut into batches of `size`; a last one of fewer than `least` samples joins the one before."""

    size: int
    least: int = 1

    def of(self, samples: int) -> list[slice]:
        """Return the batches of an epoch of so many samples, in order; each sample is in one of them."""
        starts = list(range(0, samples, self.size))
        if len(starts) > 1 and samples - starts[-1] < self.least:
            starts.pop()
        return [slice(*ends) for ends in zip(starts, [*starts[1:], samples], strict=True)]


def held_out(data: DataSet, share: float, seed: int) -> tuple[DataSet, DataSet | None]:
    """Return the training set without, and the part with, a share of samples chosen by the seed.

    Raises UsageError where the share is less than half a sample.
    """
    if share == 0.0:
        return data, None
    count = round(share * len(data))
    if count == 0:
        raise UsageError(f"validation={share:g} of {len(data)} samples holds none out", hint="a greater share, or 0")
    order = np.random.default_rng([seed, 1]).permutation(len(data))
    return data.subset(np.sort(order[count:])), data.subset(np.sort(order[:count]))


class _Batches(torch.utils.data.Dataset[Any]):
    """A data set whose items are whole batches, for torch's loader."""

    def __init__(self, data: DataSet, parts: Sequence[npt.NDArray[np.int64]], targets: Targets) -> None:
        self.data, self.parts, self.targets = data, parts, targets

    def __len__(self) -> int:
        return len(self.parts)

    def __getitem__(self, index: int) -> tuple[Codes, Tensor]:
        codes, labels = self.data.arrays(self.parts[index])
        return codes, self.targets(self.data, self.parts[index], labels)


def _load(
    data: DataSet, parts: Sequence[npt.NDArray[np.int64]], workers: int, targets: Targets
) -> Iterator[tuple[Codes, Tensor]]:
    batches = _Batches(data, parts, targets)
    if workers == 0:
        return (batches[index] for index in range(len(batches)))
    return iter(DataLoader(batches, batch_size=None, num_workers=workers, collate_fn=_as_is))


def _as_is(batch: Any) -> Any:
    return batch


def _state(generator: np.random.Generator) -> str:
    return json.dumps(generator.bit_generator.state)
