"""The integers of a spiking layer whose membrane is an integer, for those who compile it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .integer_neuron import Numbers
from .layers import SpikingLayer


def numbers(layer: SpikingLayer, steps: int) -> Numbers:
    """Return the integers that the layer evaluates with over `steps` steps. Raises ModelError where they do not fit."""
    return layer.integers.numbers(steps)


def integer_bias(layer: SpikingLayer) -> npt.NDArray[np.int64]:
    """Return the bias [C]: in units of a sum, or (Loihi) of the voltage."""
    return layer.integers.bias()
