"""What integer membranes cannot hold exactly: thresholds, leaks, biases and bits of their inputs, in words."""

from __future__ import annotations

import numpy as np

from spqc.ir.fixed_point import Compartment

from .integer_neuron import LOIHI_FRACTION, LOIHI_SHIFT, FixedNeuron
from .layers import SpikingLayer
from .network import SpikingNetwork


def rounded_numbers(network: SpikingNetwork) -> list[str]:
    """Return one text for each layer whose integer membrane rounds a number that the network names, or its inputs."""
    rounded = []
    for name, layer in network.spiking_layers():
        texts = _texts(layer, network.steps) if layer.options.neuron.is_integer else []
        if texts:
            rounded.append(f"{name}: {', '.join(texts)}")
    return rounded


def _texts(layer: SpikingLayer, steps: int) -> list[str]:
    neuron, options = layer.neuron, layer.options.neuron
    fixed = isinstance(neuron, FixedNeuron)
    bits = options.leak_bits if fixed else LOIHI_FRACTION
    numbers = layer.integers.numbers(steps)
    pairs = [
        ("threshold", float(neuron.potential_threshold), layer.integers.threshold),
        ("leak", float(neuron.leak_factor), numbers.leak / 2**bits),
    ]
    if isinstance(numbers, Compartment):
        pairs.append(("current_leak", options.current_leak, numbers.current_leak / 2**bits))
    texts = [f"{what} {given:.7g} is held as {held:.7g}" for what, given, held in pairs if given != held]
    return texts + _bias(layer, fixed) + _inputs(layer, numbers.shift if fixed else 0)


def _bias(layer: SpikingLayer, fixed: bool) -> list[str]:
    if layer.synapse.bias is None:
        return []
    unit = layer.integers.unit / (1 if fixed else 2**LOIHI_SHIFT)
    given = layer.synapse.bias.detach().cpu().double().numpy()
    error = float(np.abs(given - layer.integers.bias() * unit).max())
    return [f"biases are rounded by up to {error:.3g}"] if error else []


def _inputs(layer: SpikingLayer, shift: int) -> list[str]:
    if shift >= 0:
        return []
    return [f"the last {-shift} bits of each sum are rounded away ({layer.options.neuron.rounding})"]
