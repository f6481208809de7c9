"""Batch-norm statistics and spatial thresholds from data, one layer after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from spqc.foundation.errors import ModelError

from .layers import Record, SpikingLayer
from .network import NetworkSignature, SpikingNetwork
from .synapse import Synapse

# A channel that hardly varies on the sample would otherwise get an enormous gain.
_LEAST_VARIANCE_SHARE = 0.05
_SPIKE_RATE = 0.2
_WORK_BUDGET = 2e8
_FEWEST, _MOST = 2, 64


def calibrate(network: SpikingNetwork, x: Any, *, statistics: bool = False) -> None:
    """Set every spatial theta to its fraction's quantile on x, with `statistics` also the batch norms' statistics.

    Layers are set front to back, each on the spikes of the layers already set. The network ends in evaluation mode.
    """
    network.eval()

    def apply(index: int, reads: tuple[Tensor, ...]) -> Tensor:
        layer = network.features[index]
        if not isinstance(layer, SpikingLayer):
            emitted: Tensor = layer(*reads)
            return emitted
        _calibrate_layer(layer, reads[0], reads[-1], statistics=statistics)
        try:
            record: Record = layer(*reads)
        except ModelError as error:  # an integer membrane that does not fit
            raise ModelError(error.message, error.where or f"features.{index}", error.hint) from None
        return record.spikes

    with torch.no_grad():
        network.topology.run(network.codes(x), apply)


def calibrate_fresh(network: SpikingNetwork, seed: int) -> None:
    """Calibrate an untrained network on seeded random inputs of its own kind."""
    calibrate(network, random_codes(network.signature, _sample_count(network), seed), statistics=True)


def random_codes(signature: NetworkSignature, samples: int, seed: int) -> npt.NDArray[np.uint8]:
    """Return seeded random codes: [N, T, ...] frames, or [N, ...] for static inputs."""
    rng = np.random.default_rng(seed)
    frames = (signature.steps,) if signature.inputs.coding == "frames" else ()
    shape = (samples, *frames, *signature.in_shape)
    if signature.inputs.encoding == "spikes":
        return (rng.random(shape) < _SPIKE_RATE).astype(np.uint8)
    return rng.integers(0, signature.inputs.max, shape, dtype=np.uint8, endpoint=True)


def _calibrate_layer(layer: SpikingLayer, codes: Tensor, skip: Tensor, *, statistics: bool) -> None:
    if statistics:
        _set_statistics(layer.synapse, codes)
        if layer.shortcut is not None:
            _set_statistics(layer.shortcut, skip)
    if layer.spatial is not None:
        layer.spatial.observe(layer.evaluation_current(codes, skip).float(), momentum=1.0)


def _set_statistics(synapse: Synapse, codes: Tensor) -> None:
    if synapse.norm is None:
        return
    current = synapse.raw(codes.flatten(0, 1)).transpose(0, 1).flatten(1).double()
    variance = current.var(dim=1, correction=0)
    least = _LEAST_VARIANCE_SHARE * float(variance.mean()) + 1e-6
    synapse.norm.mean.copy_(current.mean(dim=1))
    synapse.norm.variance.copy_(variance.clamp(min=least))


def _sample_count(network: SpikingNetwork) -> int:
    work = sum(
        layer.synapse.weight.numel() * int(np.prod(layer.out.shape[1:])) for _, layer in network.spiking_layers()
    )
    return int(min(max(_WORK_BUDGET // max(work * network.steps, 1), _FEWEST), _MOST))
