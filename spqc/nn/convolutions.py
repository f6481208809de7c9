"""Spiking convolutions over one to three axes."""

from __future__ import annotations

from .layers import LayerOptions, SpikingLayer
from .signal import Signal
from .synapse import ConvGeometry


class SpikingConv(SpikingLayer):
    """A convolution with batch norm and spiking neurons."""

    def __init__(
        self,
        source: Signal,
        channels: int,
        geometry: ConvGeometry,
        options: LayerOptions,
        skip_source: Signal | None = None,
    ) -> None:
        super().__init__(source, channels, geometry, options, skip_source)
        self.geometry = geometry


class SpikingConv1d(SpikingConv):
    """A convolution of [C, L]."""


class SpikingConv2d(SpikingConv):
    """A convolution of [C, H, W]."""


class SpikingConv3d(SpikingConv):
    """A convolution of [C, D, H, W]."""


CONVOLUTIONS: dict[int, type[SpikingConv]] = {1: SpikingConv1d, 2: SpikingConv2d, 3: SpikingConv3d}
