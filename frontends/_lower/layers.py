"""Layers of spqc.nn as operators: why one is refused, what its numbers become, and the codes of its states."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from spqc.foundation.errors import ModelError, Notice
from spqc.ir import Array, Builder, Value

from . import neurons, weights

if TYPE_CHECKING:
    from spqc.nn.layers import SpikingLayer
    from spqc.nn.network import SpikingNetwork


def refusals(name: str, layer: SpikingLayer) -> list[str]:
    """Return why a layer has no exact integer form; nothing where it has one."""
    neuron, masks = layer.options.neuron, layer.options.masks
    rules = {
        "float weights have no exact integer form": layer.synapse.quantiser.is_float,
        "a float membrane has no exact integer form": neuron.membrane == "float",
        "a membrane frozen where masked (masked=freeze) is not a staircase of the input": neuron.masked == "freeze"
        and (masks.spatial_mask is not None or masks.channel_gate),
        "a top-k spatial mask sorts at every step": masks.spatial_mask is not None and masks.spatial_rule == "topk",
        "a spatial mask shared over channels depends on all of them": masks.spatial_mask is not None
        and masks.granularity == "pixel",
        "a softmax gate is not an integer comparison": masks.channel_gate and masks.gate_nonlinearity == "softmax",
        "a gate over all of time is not causal": masks.channel_gate and masks.gate_input == "time",
        "a projected residual that leaks on write rounds its potential": layer.fraction_bits is not None
        and neuron.leak_at == "write",
        "the leak of a projected residual leaves its fixed-point lattice": _leaves_lattice(layer),
    }
    return [f"{name}: {reason}" for reason, holds in rules.items() if holds]


def _leaves_lattice(layer: SpikingLayer) -> bool:
    """Return whether a leaked level is no multiple of 2^-F, where the layer computes on that lattice."""
    if layer.fraction_bits is None:
        return False
    constants = layer.constants()
    carried = (constants.leak * level * 2.0**layer.fraction_bits for level in constants.levels)
    return any(not value.is_integer() for value in carried)


def codes(states: Array, layer: SpikingLayer) -> Array:
    """Return level codes (index less the index of 0) of stored levels, or an integer membrane as it is."""
    if layer.options.neuron.is_integer:
        return states
    levels = layer.constants().levels
    exact = np.asarray(levels, states.dtype)
    return np.searchsorted(exact, states).astype(np.int64) - levels.index(0.0)


def level_neuron(build: Builder, index: int, layer: SpikingLayer, current: Value, origin: str) -> Value:
    """Append the neuron of a layer whose membrane is one of some levels, and return its spikes."""
    constants, options = layer.constants(), layer.options.neuron
    return neurons.level_neuron(
        build,
        str(index),
        current,
        origin,
        levels=constants.levels,
        unit=constants.unit,
        leak=constants.leak,
        threshold=constants.threshold,
        fire=options.fire,
        order=options.order,
        leak_at=options.leak_at,
        reset=options.reset,
        ties=options.ties,
        silence=options.silence,
        input_scale=options.input_scale,
        middles=neurons.middles_of(tuple(middle for middle, _ in constants.middles), constants.levels, options.ties),
    )


def integer_neuron(build: Builder, index: int, layer: SpikingLayer, n: Value, origin: str) -> Value:
    """Append the neuron of a layer with a fixed or Loihi membrane, and return its spikes."""
    from spqc.nn import integer_layer

    try:
        numbers, bias = integer_layer.numbers(layer, build.steps), integer_layer.integer_bias(layer)
    except ModelError as error:
        raise ModelError(error.message, origin, error.hint) from None
    return neurons.integer_neuron(build, str(index), n, numbers, None if layer.synapse.bias is None else bias, origin)


def weights_of(synapse: Any, weight: tuple[Array, float]) -> weights.GridWeights:
    """Return the integers of a synapse, with the value of one of them, as weights on the grid of its quantiser."""
    array, scale = weight
    quantiser = synapse.quantiser
    return weights.GridWeights(array, scale, quantiser.encoding, quantiser.bits, quantiser.stored_bits)


def say_what_is_rounded(net: SpikingNetwork) -> None:
    """Warn with a Notice where integer membranes hold other numbers than the network names."""
    from spqc.nn import rounding

    rounded = rounding.rounded_numbers(net)
    if rounded:
        more = f"; {len(rounded) - 1} more layers" if len(rounded) > 2 else "".join(f"; {text}" for text in rounded[1:])
        text = f"integer membranes round, in PyTorch as in compiled code: {rounded[0]}{more}"
        warnings.warn(f"{text} (membrane_fraction and leak_bits hold more)", Notice, stacklevel=2)
