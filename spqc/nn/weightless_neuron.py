"""Spiking neurons without weights: what follows an attention, or a sum of branches."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from . import quantisers, sparsity
from .layers import LayerOptions, SpikingLayer
from .signal import Signal
from .synapse import ConvGeometry, Synapse, SynapseOptions


class WeightlessSynapse(Synapse):
    """A synapse without weights: each neuron reads one code, whose real value is its current."""

    def __init__(self, source: Signal) -> None:
        nn.Module.__init__(self)
        self.source, self.channels, self.geometry, self.options = source, source.shape[0], None, SynapseOptions()
        self.quantiser = quantisers.create("uniform", 8)
        self.weight = nn.Parameter(torch.zeros(0), requires_grad=False)
        self.bias = self.norm = None
        self.sparsity = sparsity.create(self.options.sparsity, self.weight.shape)

    @property
    def out_shape(self) -> tuple[int, ...]:
        """Return the shape of the codes."""
        return self.source.shape

    def integer_weight(self) -> tuple[npt.NDArray[np.int64], float]:
        """Return no weights (int64 [0]), and the scale 1."""
        return np.zeros(0, np.int64), 1.0

    def sum_range(self) -> tuple[int, int]:
        """Return the least and greatest code."""
        return 0, self.source.max

    def greatest_sum(self) -> float:
        """Return the greatest code."""
        return float(self.source.max)

    def fold64(self, threshold: float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return (A, B) [C] of the current A n + B: the scale of the codes, and 0."""
        return np.full(self.channels, self.source.scale), np.zeros(self.channels)

    def unbiased(self, codes: Tensor) -> Tensor:
        """Return the current [M, ...] of codes [M, ...]: their real values."""
        return codes * self.source.scale

    def accumulate(self, codes: Tensor, dtype: torch.dtype) -> Tensor:
        """Return the codes as they are."""
        return codes.to(dtype)


class SpikingNeuron(SpikingLayer):
    """Spiking neurons alone, without weights or batch norm: each reads one code."""

    def __init__(self, source: Signal, options: LayerOptions) -> None:
        super().__init__(source, source.shape[0], None, options)

    def _synapse(self, channels: int, geometry: ConvGeometry | None) -> Synapse:
        return WeightlessSynapse(self.source)
