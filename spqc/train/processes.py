"""More than one process: torch's launcher starts them, its process group connects them; nothing of our own.

torchrun --nproc-per-node 2 -m spqc train ...
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from spqc.foundation.errors import UsageError

T = TypeVar("T")


@dataclass(frozen=True)
class Processes:
    """How many processes train together, and which of them this is."""

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Return whether this process writes files and shows progress."""
        return self.rank == 0

    def share(self, whole: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return this process's rows; each gets as many, the first rows a second time where they do not go round."""
        if self.count == 1:
            return whole
        rows = np.arange(-(-len(whole) // self.count) * self.count) % len(whole)
        return whole[rows[self.rank :: self.count]]

    def wrapped(self, objective: nn.Module, device: str) -> nn.Module:
        """Return the module that averages the gradients of all processes."""
        if self.count == 1:
            return objective
        devices = [torch.device(device).index] if device.startswith("cuda") else None
        return DistributedDataParallel(objective, device_ids=devices)

    def total(self, *numbers: int) -> list[int]:
        """Return the sums of some counts over all processes."""
        if self.count == 1:
            return list(numbers)
        sums = torch.tensor(numbers, device=_device_of_group())
        distributed.all_reduce(sums)
        return [int(number) for number in sums]

    def gathered(self, own: list[T]) -> list[T]:
        """Return what all processes found, in order, from this one's: that of the samples rank, rank + count, ..."""
        if self.count == 1:
            return own
        shares: list[list[T]] = [[]] * self.count
        distributed.all_gather_object(shares, own)
        longest = max(map(len, shares))
        return [share[place] for place in range(longest) for share in shares if place < len(share)]

    def align(self, network: nn.Module) -> None:
        """Give every process the buffers (statistics, mask constants) of the first."""
        if self.count > 1:
            for buffer in network.buffers():
                distributed.broadcast(buffer, 0)

    def wait(self) -> None:
        """Wait until every process is here."""
        if self.count > 1:
            distributed.barrier()


@contextmanager
def joined(device: str) -> Iterator[tuple[Processes, str]]:
    """Yield the processes of torch's launcher, connected by gloo or nccl, and the device of this one."""
    if count() < 2:
        yield Processes(), device
        return
    if not distributed.is_available():
        raise UsageError("this torch cannot train in several processes", hint="start without torchrun")
    if device == "cuda":
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    try:
        yield Processes(distributed.get_rank(), distributed.get_world_size()), device
    finally:
        distributed.destroy_process_group()


def count() -> int:
    """Return how many processes torch's launcher started."""
    text = os.environ.get("WORLD_SIZE", "1")
    if not text.isdecimal():
        raise UsageError(f"WORLD_SIZE is {text!r}, and no number of processes", hint="torchrun sets it")
    return int(text)


def _device_of_group() -> Any:
    return "cuda" if distributed.get_backend() == "nccl" else "cpu"
