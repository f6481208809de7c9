"""The neurons of SpQuant networks as operators: why one is refused, what it becomes, and the codes of its states."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from spqc.foundation.errors import ModelError, Notice
from spqc.foundation.options import format_value
from spqc.ir import Array, Builder, Type, Value, ops
from spqc.ir.fixed_point import Integration
from spqc.ir.levels import Ties, midpoints
from spqc.ir.types import signed_type, state_type

if TYPE_CHECKING:
    from spqc.nn.layers import SpikingLayer
    from spqc.nn.network import SpikingNetwork
    from spqc.nn.neuron import NeuronConstants


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


def _middles(constants: NeuronConstants, ties: Ties) -> tuple[float, ...]:
    """Return where the quantiser climbs, or nothing where that is half-way between the levels."""
    middles = tuple(middle for middle, _ in constants.middles)
    return () if middles == tuple(middle for middle, _ in midpoints(constants.levels, ties)) else middles


def codes(states: Array, layer: SpikingLayer) -> Array:
    """Return level codes (index less the index of 0) of stored levels, or an integer membrane as it is."""
    if layer.options.neuron.is_integer:
        return states
    levels = layer.constants().levels
    exact = np.asarray(levels, states.dtype)
    return np.searchsorted(exact, states).astype(np.int64) - levels.index(0.0)


def level_neuron(build: Builder, index: int, layer: SpikingLayer, current: Value, origin: str) -> Value:
    constants, options = layer.constants(), layer.options.neuron
    zero = constants.levels.index(0.0)
    low = 0 if options.silence == "state" else -zero
    state = build.state(f"m{index}", state_type(low, len(constants.levels) - 1 - zero, current.type.shape))
    spike, following = build.op(
        ops.Neuron,
        current,
        state,
        origin=origin,
        levels=constants.levels,
        leak=constants.leak,
        threshold=constants.threshold,
        fire=options.fire,
        order=options.order,
        leak_at=options.leak_at,
        reset=options.reset,
        ties=options.ties,
        silence=options.silence,
        input_scale=options.input_scale,
        middles=_middles(constants, options.ties),
    )
    build.nexts.append(following)
    kept = tuple(level * constants.unit for level in constants.levels[zero + low :])
    build.notes += [(f"levels.features.{index}", format_value(kept)), (f"low.features.{index}", str(low))]
    return spike


def integer_neuron(build: Builder, index: int, layer: SpikingLayer, n: Value, origin: str) -> Value:
    """Return the spikes of a fixed or Loihi membrane: integers throughout."""
    from spqc.nn import integer_layer

    try:
        numbers, bias = integer_layer.numbers(layer, build.steps), integer_layer.integer_bias(layer)
    except ModelError as error:
        raise ModelError(error.message, origin, error.hint) from None
    attributes = {name: value for name, value in vars(numbers).items() if name != "bits"}
    offsets = [] if layer.synapse.bias is None else [bias_constant(build, f"c{index}", bias)]
    if isinstance(numbers, Integration):
        n = build.op(ops.Bias, n, *offsets, origin=origin)[0] if offsets else n
        states = [build.state(f"m{index}", Type("int", numbers.bits, n.type.shape))]
        found = build.op(ops.Integrate, n, *states, origin=origin, **attributes)
    else:
        widths = (("u", numbers.bits + 1), ("m", numbers.bits))
        states = [build.state(f"{name}{index}", Type("int", bits, n.type.shape)) for name, bits in widths]
        found = build.op(ops.CurrentNeuron, n, *states, *offsets, origin=origin, bits=numbers.bits, **attributes)
    build.nexts += found[1:]
    return found[0]


def say_what_is_rounded(net: SpikingNetwork) -> None:
    """Warn with a Notice where integer membranes hold other numbers than the network names."""
    from spqc.nn import rounding

    found = rounding.rounded_numbers(net)
    if found:
        more = f"; {len(found) - 1} more layers" if len(found) > 2 else "".join(f"; {text}" for text in found[1:])
        text = f"integer membranes round, in PyTorch as in compiled code: {found[0]}{more}"
        warnings.warn(f"{text} (membrane_fraction and leak_bits hold more)", Notice, stacklevel=2)


def bias_constant(build: Builder, name: str, bias: Array) -> Value:
    return build.constant(name, signed_type(int(bias.min()), int(bias.max()), bias.shape, "const"), bias)
