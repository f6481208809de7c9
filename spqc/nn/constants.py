"""The numbers that a layer's neurons with stored levels evaluate with, rounded to the layer's arithmetic."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from spqc.foundation.errors import ModelError
from spqc.ir.levels import midpoints

from . import exact
from .neuron import NeuronConstants

if TYPE_CHECKING:
    from .layers import SpikingLayer


def of(layer: SpikingLayer) -> NeuronConstants:
    """Return the numbers of a layer. Raises ModelError for an integer membrane, which has none of these."""
    options, neuron = layer.options.neuron, layer.neuron
    if options.is_integer:
        raise ModelError(f"a membrane '{options.membrane}' has no levels", hint="see spqc.nn.integer_layer.numbers")
    fraction, scale, unit = layer.fraction_bits, layer.level_scale, layer.unit
    dtype = np.float32 if layer.eval_dtype == torch.float32 else np.float64

    def rounded(value: float) -> float:
        return exact.rounded(value / unit, dtype, fraction)

    levels = tuple(rounded(level) for level in neuron.levels(scale))
    if layer.counts_units:
        levels = tuple(level * round(1 / layer.synapse.unit) for level in neuron.levels())
    rises = (rise for _, rise in midpoints(levels, options.ties))
    middles = (rounded(middle) for middle, _ in neuron.middles(scale))
    return NeuronConstants(
        threshold=rounded(float(neuron.threshold().detach())),
        leak=exact.rounded(options.leak, dtype, None),
        levels=levels,
        middles=tuple(zip(middles, rises, strict=True)),
        theta=None if layer.spatial is None else rounded(float(layer.spatial.theta)),
        fraction_bits=fraction,
        unit=unit,
    )


def greatest_charge(layer: SpikingLayer) -> float:
    """Return a bound of the potentials, in units, of a layer whose membrane counts the scale of its sums."""
    offset = layer.synapse.fold64(1.0)[1]
    greatest = max(abs(level) for level in layer.neuron.levels()) / layer.synapse.unit
    return float(layer.synapse.greatest_sum() + greatest + np.abs(offset).max() / layer.unit + 2)
