"""A spiking layer whose membrane is an integer: what it can be made of, its numbers, and its two ways of running."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from spqc.foundation.errors import ModelError

from . import axes, exact
from .integer_neuron import LoihiNeuron, Numbers, loihi_bias

if TYPE_CHECKING:
    from .layers import SpikingLayer

_LOIHI_UNITS = 64  # of the voltage, in one of a sum


def check(layer: SpikingLayer) -> None:
    """Raise ModelError where a layer has a part that is no integer on the lattice of its sums."""
    membrane, synapse = layer.options.neuron.membrane, layer.synapse
    reasons = {
        "float weights": synapse.quantiser.is_float,
        "a batch norm, which scales every channel by a real number": synapse.norm is not None,
        "a residual, which counts in another unit": layer.options.residual != "none",
        "a spatial mask": layer.spatial is not None,
        "a channel gate": layer.gate is not None,
    }
    for reason, holds in reasons.items():
        if holds:
            hint = "batch_norm='none'" if "norm" in reason else "use weight_bits 2 to 8 and a layer without it"
            raise ModelError(f"the membrane '{membrane}' counts integers and does not go with {reason}", hint=hint)


def unit(layer: SpikingLayer) -> float:
    """Return the real value of 1 in a sum: weight scale times input scale."""
    return layer.synapse.integer_weight()[1] * layer.synapse.unit


def numbers(layer: SpikingLayer, steps: int) -> Numbers:
    """Return the integers that the layer evaluates with over `steps` steps. Raises ModelError where they do not fit."""
    bias = integer_bias(layer)
    low, high = layer.synapse.sum_range()
    if not isinstance(layer.neuron, LoihiNeuron):  # Loihi's bias joins the voltage, any other the sum
        low, high = low + min(0, int(bias.min())), high + max(0, int(bias.max()))
    found: Numbers = layer.neuron.numbers(unit(layer), low, high, steps)
    return found


def real_threshold(layer: SpikingLayer) -> float:
    """Return the threshold of the evaluation as a real number."""
    own = unit(layer) if isinstance(layer.neuron, LoihiNeuron) else layer.neuron.membrane_unit(unit(layer))
    return float(layer.neuron.threshold_count(own) * own)


def integer_bias(layer: SpikingLayer) -> npt.NDArray[np.int64]:
    """Return the bias [C]: in units of a sum, or (Loihi) of the voltage."""
    synapse = layer.synapse
    if synapse.bias is None:
        return np.zeros(synapse.channels, np.int64)
    counts = synapse.bias.detach().cpu().double().numpy() / unit(layer)
    if isinstance(layer.neuron, LoihiNeuron):
        return np.array([loihi_bias(float(count) * _LOIHI_UNITS) for count in counts], np.int64)
    return exact.integers(counts, "a bias")


def train(layer: SpikingLayer, codes: Tensor) -> tuple[Tensor, Tensor]:
    """Return spikes and states of codes [N, T, ...] with surrogate gradients."""
    current = axes.over_steps(codes, layer.synapse.unbiased)
    bias = None if layer.synapse.bias is None else _per_channel(layer.synapse.bias, current)
    found: tuple[Tensor, Tensor] = layer.neuron.train_run(current, bias, unit(layer))
    return found


def evaluate(layer: SpikingLayer, codes: Tensor) -> tuple[Tensor, Tensor]:
    """Return spikes (float32) and states (int64) of codes [N, T, ...]: the reference semantics, in integers."""
    dtype = layer.synapse.eval_dtype()
    with torch.no_grad():
        n = axes.over_steps(codes, lambda flat: layer.synapse.accumulate(flat, dtype)).to(torch.int64)
        bias = _per_channel(torch.from_numpy(integer_bias(layer)).to(n.device), n)
        fired, states = layer.neuron.run(n, bias, numbers(layer, codes.shape[1]))
    return fired.float(), states


def _per_channel(values: Tensor, like: Tensor) -> Tensor:
    return values.reshape(-1, *[1] * (like.ndim - 3))
