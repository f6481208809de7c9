"""Planar: byte dot products whose lanes are pixels, for a first layer of images that change from step to step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from spqc.targets._plan.geometry import Region, WeightedSum
from spqc.targets._plan.strategy import Settings, Site
from spqc.targets._tir.width import LANES

from ..dense.product import Dot, choose
from ..rows.lane_shape import lane_shape
from ..rows.plan import comparisons
from ..strategy import KernelStrategy
from .plan import INPUTS, PixelLanes, pieces, quads_of

if TYPE_CHECKING:
    from spqc.targets._tir.context import Context

_FEWEST = 32  # pixels of a map, half of a chunk: smaller ones leave lanes empty
_QUADS, _BYTES = 64, 2**22  # of one output, in straight code; of all, beyond which no cache holds them


class PlanarSum(KernelStrategy):
    """Sums of a network's input whose neurons run in the order of the lanes."""

    name: ClassVar[str] = "planar"
    rates: ClassVar[Mapping[str, float]] = {
        "dot": 0.14,
        "narrowed": 0.2,
        "neuron": 0.45,
        "joined": 0.5,
        "kernel": 500.0,
    }

    def refuses(self, site: Site) -> str:
        conv = site.sum
        if choose(conv, site.machine, site.constants) != Dot():
            return "the CPU has no byte dot products of 512 bits, or its weights are wider than a byte"
        if conv.source not in site.program.graph.inputs:
            return "it does not read the network's input"
        if conv.constant:
            return "its sum is constant in time"
        if conv.layers is not None or conv.input.depth > 1 or conv.groups > 1:
            return "depth and groups are not summed so"
        if conv.output.pixels < _FEWEST:
            return "its map is small"
        if quads_of(conv) > _QUADS or INPUTS * quads_of(conv) * site.steps * conv.output.pixels > _BYTES:
            return "its inputs are too many"
        if lane_shape(site.program, site.region, _pixels(conv, site.steps), site.constants, site.machine) is None:
            return "its neurons do not run in the order of the lanes"
        return ""

    def features(self, site: Site, settings: Settings) -> Mapping[str, float]:
        """`dot`: vector products; `narrowed`: vectors of sums stored; `neuron`: comparisons of vectors; `joined`: quads
        put together, a piece of a row each."""
        conv, n = site.sum, _pixels(site.sum, site.steps)
        vectors = conv.output.padded * n.chunks * n.lanes / LANES
        return {
            "dot": vectors * quads_of(conv),
            "narrowed": vectors,
            "neuron": float(comparisons(site, n)),
            "joined": float(site.steps * quads_of(conv) * conv.output.height * pieces(conv).count),
            "kernel": 1.0,
        }

    def emit(self, context: Context, region: Region, settings: Settings) -> None:
        from .kernel import Planar

        if region.sum is None:
            raise TypeError("the planar kernel begins with a sum")
        Planar.of(context, region, _pixels(region.sum, context.steps)).emit()


def _pixels(conv: WeightedSum, steps: int) -> PixelLanes:
    return PixelLanes(steps, conv.output.pixels, conv.output.width)


STRATEGY = PlanarSum
