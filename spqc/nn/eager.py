"""The network as plain PyTorch runs it, time folded into the batch: the peer that benchmarks compare with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from .layers import Record, SpikingLayer
from .network import SpikingNetwork
from .pooling import sum_pool
from .synapse import Synapse, convolve

Step = Callable[[Tensor], Tensor]


def folded(net: SpikingNetwork) -> Callable[[Any], Tensor]:
    """Return codes [N, T, ...] -> logits [N, T, classes], every layer once over all steps, in inference mode.

    Weights are quantised and batch norms folded once, beforehand, as a user who deploys with PyTorch would do.
    Layers with residuals or masks run through the module itself.
    """
    net = net.eval()
    topology = net.topology
    layers: list[Any] = [
        _frozen(layer) if isinstance(layer, SpikingLayer) and _plain(layer) else layer for layer in net.features
    ]
    classify = _classifier(net)

    def apply(index: int, reads: tuple[Tensor, ...]) -> Tensor:
        emitted = layers[index](*reads)
        codes: Tensor = emitted.spikes if isinstance(emitted, Record) else emitted
        return codes

    def run(codes: Any) -> Tensor:
        with torch.inference_mode():
            return classify(topology.run(torch.from_numpy(np.ascontiguousarray(codes)).float(), apply))

    return run


def _plain(layer: SpikingLayer) -> bool:
    if layer.gate is not None or layer.spatial is not None or layer.options.residual != "none":
        return False
    return bool(layer.synapse.weight.numel()) and not layer.options.neuron.is_integer


def _frozen(layer: SpikingLayer) -> Step:
    """Return codes -> spikes of one layer with everything constant prepared."""
    dtype, constants = layer.eval_dtype, layer.constants()
    rules = layer.neuron.evaluation_rules(constants)
    gain, offset = (torch.from_numpy(v).to(dtype) for v in layer.fold())
    weigh = _weigh(layer.synapse, dtype)

    def step(codes: Tensor) -> Tensor:
        batch, steps = codes.shape[:2]
        n = weigh(codes.flatten(0, 1).to(dtype))
        shape = (-1, *(1,) * (n.ndim - 2))
        current = (n * gain.reshape(shape) + offset.reshape(shape)).reshape(batch, steps, *n.shape[1:])
        spikes: Tensor = layer.neuron.run(current, None, rules)[0]
        return spikes.float()

    return step


def _weigh(synapse: Synapse, dtype: torch.dtype) -> Step:
    weight = torch.from_numpy(synapse.integer_weight()[0]).to(dtype)
    if weight.ndim == 2:
        return lambda flat: functional.linear(flat, weight)
    geometry: Any = synapse.geometry
    before = geometry.pool_before

    def conv(flat: Tensor) -> Tensor:
        n = convolve(flat, weight, geometry)
        return sum_pool(n, geometry.window) if before > 1 else n

    return conv


def _classifier(net: SpikingNetwork) -> Step:
    c = net.classifier
    weight = torch.from_numpy(c.integer_weight()[0]).to(c.eval_dtype)
    bias = torch.from_numpy(c.integer_bias()).to(c.eval_dtype)
    return lambda x: functional.linear(x.flatten(2).to(c.eval_dtype), weight, bias) * c.logit_scale
