"""Depthwise: a convolution with a group for each channel, as products of lanes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from spqc.targets._plan.geometry import Region
from spqc.targets._plan.neurons import thresholds
from spqc.targets._plan.strategy import Settings, Site
from spqc.targets._tir.width import LANES

from ..dense.blocked import Blocked, asked_block

if TYPE_CHECKING:
    from spqc.targets._tir.context import Context


class DepthwiseSum(Blocked):
    """Settings: `tiles`, `pixels`, `steps` of the block that stays in registers."""

    name: ClassVar[str] = "depthwise"
    rates: ClassVar[Mapping[str, float]] = {"taps": 0.35, "neuron": 0.2, "staged": 0.1, "kernel": 500.0}

    def refuses(self, site: Site) -> str:
        conv = site.sum
        alone = conv.groups == conv.input.channels == conv.output.channels
        return "" if alone and conv.groups > 1 else "its outputs read more than their own channel"

    def features(self, site: Site, settings: Settings) -> Mapping[str, float]:
        """`taps`: vectors of inputs loaded, multiplied and added; `neuron`: comparisons of vectors; `staged`: vectors
        of input bytes brought into order."""
        conv, block = site.sum, self.block(site, settings)
        tiles = conv.output.padded // LANES
        columns = math.ceil(conv.output.width / block.pixels) * block.pixels
        return {
            "taps": float(tiles * conv.output.rows * columns * site.steps * conv.kernel[0] * conv.kernel[1]),
            "neuron": float(tiles * conv.output.pixels * site.program.steps * thresholds(site.region)),
            "staged": float(site.steps * conv.input.pixels * tiles),
            "kernel": 1.0,
        }

    def emit(self, context: Context, region: Region, settings: Settings) -> None:
        from .kernel import Depthwise

        Depthwise(context, region, asked_block(settings)).emit()


STRATEGY = DepthwiseSum
