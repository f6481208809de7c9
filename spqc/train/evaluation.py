"""Accuracy and activity of a network in evaluation: the exact arithmetic that the compiler reproduces."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from spqc.nn.layers import Record
from spqc.nn.network import SpikingNetwork

from .data import DataSet
from .processes import Processes

_BATCH = 256
_BUDGET = 1 << 26
_OBSERVED = 512


@dataclass(frozen=True)
class LayerReport:
    """Shares over a test set: spikes per neuron and step, states at 0, neurons kept by the spatial mask, open gates,
    weights that are not 0."""

    name: str
    spike_rate: float
    zero_states: float
    kept: float
    open_gates: float
    threshold: float
    weight_density: float


def accuracy(network: nn.Module, data: DataSet, processes: Processes | None = None) -> float:
    """Return the share of samples whose summed logits are greatest for their label; all processes get the same."""
    together = processes or Processes()
    right = seen = 0
    with exactly():
        for indices in parts(data, together):
            codes, labels = data.arrays(indices)
            decided = network(codes).sum(dim=1).argmax(dim=1).cpu().numpy()
            right, seen = right + int((decided == labels).sum()), seen + len(labels)
    right, seen = together.total(right, seen)
    return right / max(seen, 1)


def parts(data: DataSet, processes: Processes) -> Iterator[npt.NDArray[np.int64]]:
    """Yield the indices of this process's samples, as many at a time as memory should hold."""
    size = int(min(_BATCH, max(1, _BUDGET // max(int(np.prod(data.sample_shape)) * 64, 1))))
    own = np.arange(len(data))[processes.rank :: processes.count]
    for start in range(0, len(own), size):
        yield own[start : start + size]


@contextmanager
def exactly() -> Iterator[None]:
    """No gradients and, on a GPU, only products that sum integers exactly: no TF32, no fast transforms."""
    matmul = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    try:
        with torch.no_grad(), torch.backends.cudnn.flags(enabled=False, allow_tf32=False):
            yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = matmul


def layer_reports(network: SpikingNetwork, data: DataSet) -> tuple[LayerReport, ...]:
    """Return activity and sparsity of every spiking layer on the first samples of a data set."""
    codes, _ = data.arrays(slice(0, _OBSERVED))
    with exactly():
        records = _observed(network, codes)
    return tuple(
        _layer_report(name, records[name], layer.threshold, _density(layer)) for name, layer in network.spiking_layers()
    )


def _observed(network: SpikingNetwork, codes: npt.NDArray[np.uint8]) -> dict[str, Record]:
    return network.observe(codes).layers


def _density(layer: Any) -> float:
    if not layer.synapse.weight.numel():
        return 1.0
    if layer.synapse.quantiser.is_float:
        return float((layer.synapse.effective_weight() != 0).float().mean())
    return float((layer.integer_weight()[0] != 0).mean())


def _layer_report(name: str, record: Record, threshold: float, density: float) -> LayerReport:
    return LayerReport(
        name=name,
        spike_rate=float(record.spikes.mean()),
        zero_states=float((record.states == 0).float().mean()),
        kept=1.0 if record.keep is None else float(record.keep.float().mean()),
        open_gates=1.0 if record.gate is None else float(record.gate.mean()),
        threshold=threshold,
        weight_density=density,
    )
