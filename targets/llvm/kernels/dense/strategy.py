"""Dense: every input times every weight, in byte dot products where the CPU has them. It serves everywhere."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from spqc.targets._plan.geometry import Region
from spqc.targets._plan.neurons import constant_input_spikes, thresholds
from spqc.targets._plan.strategy import Settings, Site
from spqc.targets._tir.width import LANES

from .blocked import Blocked, asked_block
from .product import choose

if TYPE_CHECKING:
    from spqc.targets._tir.context import Context

_HIDING = 48  # rows of weights: so many products of a block take as long as its neurons wait from step to step


class DenseSum(Blocked):
    """Settings: `tiles`, `pixels`, `steps` of the block that stays in registers."""

    name: ClassVar[str] = "dense"
    rates: ClassVar[Mapping[str, float]] = {
        "dot": 0.15,
        "pairs": 0.15,
        "words": 0.3,
        "portable": 0.3,
        "neuron": 0.2,
        "exposed": 0.0,
        "staged": 0.1,
        "kernel": 500.0,
    }

    def refuses(self, site: Site) -> str:
        return ""

    def features(self, site: Site, settings: Settings) -> Mapping[str, float]:
        """`dot`, `pairs`, `words`, `portable`: vector multiplies or loads, whichever are more; `neuron`: comparisons of
        vectors; `exposed`: vectors of outcomes that wait for the step before while too few products hide it; `staged`:
        vectors of input bytes brought into order."""
        conv, block = site.sum, self.block(site, settings)
        product = choose(conv, site.machine, site.constants)
        channels = (
            conv.input.padded
            if site.region.kernel.ops[0].inputs[0] not in site.program.graph.inputs
            else conv.input.channels
        )
        depth = conv.kernel[0] * conv.kernel[1] * math.ceil(channels / product.group) * product.parts
        turns = (
            conv.output.padded // LANES // block.tiles
            * conv.output.rows
            * math.ceil(conv.output.width / block.pixels)
            * (site.steps // block.steps)
        )  # fmt: skip
        inner = max(block.accumulators, block.pixels * block.steps + block.tiles, 8)
        sums, steps = conv.output.padded // LANES * conv.output.pixels, site.program.steps
        spikes = constant_input_spikes(site.program, site.region, site.constants)
        waiting = steps > 1 and spikes is None
        return {
            product.name: float(turns * depth * inner),
            "neuron": float(sums * (steps * thresholds(site.region) if spikes is None else spikes.count)),
            "exposed": sums * steps * max(0.0, 1 - depth / _HIDING) if waiting else 0.0,
            "staged": float(site.steps * conv.input.pixels * math.ceil(channels / LANES)),
            "kernel": 1.0,
        }

    def emit(self, context: Context, region: Region, settings: Settings) -> None:
        from .kernel import Dense

        Dense(context, region, asked_block(settings)).emit()


STRATEGY = DenseSum
