"""The numbers that a layer's neurons with stored levels evaluate with, rounded to the layer's arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spqc.foundation.errors import ModelError
from spqc.ir.levels import midpoints

from . import exact
from .neuron import Neuron, NeuronConstants
from .options import NeuronOptions
from .synapse import Synapse


@dataclass(frozen=True)
class Arithmetic:
    """How a layer computes its potentials.

    unit: the real value of one unit of the potentials; level_scale: that of one unit of the options' levels;
    units_per_level: how many units of the potentials that is, where both count the scale of the weights, else None;
    fraction_bits: F where the layer computes on multiples of 2^-F, else None.
    """

    dtype: type[np.floating[Any]]
    unit: float
    level_scale: float
    units_per_level: int | None
    fraction_bits: int | None

    def rounded(self, value: float) -> float:
        """Return a real value in units of the potentials, rounded to the arithmetic."""
        return exact.rounded(value / self.unit, self.dtype, self.fraction_bits)


def require_levels(options: NeuronOptions) -> None:
    """Raise ModelError for an integer membrane, which stores no levels."""
    if options.is_integer:
        raise ModelError(f"a membrane '{options.membrane}' has no levels", hint="see spqc.nn.integer_layer.numbers")


def of(neuron: Neuron, arithmetic: Arithmetic, theta: float | None) -> NeuronConstants:
    """Return the numbers of neurons with stored levels; theta: the real constant of their spatial mask, or None."""
    rounded, scale = arithmetic.rounded, arithmetic.level_scale
    levels = tuple(rounded(level) for level in neuron.levels(scale))
    if arithmetic.units_per_level is not None:
        levels = tuple(level * arithmetic.units_per_level for level in neuron.levels())
    rises = (rise for _, rise in midpoints(levels, neuron.options.ties))
    middles = (rounded(middle) for middle, _ in neuron.middles(scale))
    return NeuronConstants(
        threshold=rounded(float(neuron.threshold().detach())),
        leak=exact.rounded(neuron.options.leak, arithmetic.dtype, None),
        levels=levels,
        middles=tuple(zip(middles, rises, strict=True)),
        theta=None if theta is None else rounded(theta),
        fraction_bits=arithmetic.fraction_bits,
        unit=arithmetic.unit,
    )


def greatest_charge(synapse: Synapse, neuron: Neuron, unit: float) -> float:
    """Return a bound of the potentials, in units of `unit`, of a membrane that counts the scale of its sums."""
    offset = synapse.fold64(1.0)[1]
    greatest = max(abs(level) for level in neuron.levels()) / synapse.unit
    return float(synapse.greatest_sum() + greatest + np.abs(offset).max() / unit + 2)
