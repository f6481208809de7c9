"""How small a batch may be: batch norm needs two values a channel, and every process a sample of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from spqc.foundation.errors import UsageError
from spqc.nn.layers import SpikingLayer
from spqc.nn.network import SpikingNetwork

from .data.dataset import counted
from .processes import Processes


@dataclass(frozen=True)
class SmallestBatch:
    """The fewest samples of a batch over all processes, and why."""

    samples: int = 1
    reason: str = ""

    def check(self, samples: int, size: int) -> None:
        """Raise UsageError where batches of `size` of an epoch of so many samples are too small."""
        if samples < self.samples:
            few = counted(samples, "sample")
            raise UsageError(f"{few} to train on cannot make a batch: {self.reason}", hint=_way_out(self.reason))
        if size < self.samples:
            raise UsageError(f"a batch of {size} is too small: {self.reason}", hint=f"--batch {self.samples} or more")

    def note(self, samples: int, size: int) -> str:
        """Return what happens to the last batch of an epoch, in one line; "" where it is as large as it need be."""
        left = samples % size
        if not 0 < left < self.samples or samples < size:
            return ""
        few = counted(left, "sample")
        return f"the last batch of an epoch would have {few}, and joins the one before: {self.reason}"


def smallest_batch(network: SpikingNetwork, moving: bool, processes: Processes) -> SmallestBatch:
    """Return the smallest batch to train a network with; moving: whether a sample has frames of its own."""
    single = next((name for name, values in _values_of_a_sample(network, moving) if values < 2), None)
    if single is not None:
        each = "" if processes.count == 1 else f" in each of {processes.count} processes"
        return SmallestBatch(processes.count + 1, f"the batch norm of {single} needs 2 samples{each}")
    if processes.count > 1:
        return SmallestBatch(processes.count, f"each of {processes.count} processes needs a sample of its own")
    return SmallestBatch()


def _values_of_a_sample(network: SpikingNetwork, moving: bool) -> Iterator[tuple[str, int]]:
    """Yield layers with batch norm, and how many values a channel one sample gives it.

    Steps that all show the same frame are one value: only behind a neuron, or with moving inputs, does time count.
    """
    changes = _reads_changes(network, moving)
    for name, layer in network.spiking_layers():
        if layer.synapse.norm is not None:
            positions = int(np.prod(layer.synapse.out_shape[1:]))
            yield name, positions * (network.steps if changes[name] else 1)


def _reads_changes(network: SpikingNetwork, moving: bool) -> dict[str, bool]:
    """Return for each layer, by name, whether what all its branches read changes over time."""
    changing: dict[str, bool] = {}

    def apply(index: int, reads: tuple[bool, ...]) -> bool:
        changing[f"features.{index}"] = all(reads)
        return isinstance(network.features[index], SpikingLayer) or any(reads)

    network.topology.run(moving, apply)
    return changing


def _way_out(reason: str) -> str:
    return "give more samples" + (", or --set batch_norm=none" if "batch norm" in reason else "")
