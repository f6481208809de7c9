"""What neurons behind rows of sums cost, and how many run in straight code."""

from __future__ import annotations

from spqc.targets._plan.geometry import Region, padded
from spqc.targets._plan.neurons import thresholds
from spqc.targets._plan.strategy import Site
from spqc.targets._tir.width import LANES

from ..dense.blocks import Block
from .lane_shape import RowShape, lane_shape

_COMPARISONS = 216  # in straight code, as in `blocks`


def comparisons(site: Site, n: RowShape) -> int:
    """Return how many comparisons of vectors the neurons behind rows of sums take, for a strategy's cost."""
    region, steps = site.region, site.program.steps
    shape = lane_shape(site.program, region, n, site.constants, site.machine)
    channels = padded(region.result.type.shape[0], LANES)
    if shape is not None:
        return channels // shape.channels_per_vector * shape.vectors * n.chunks * steps * shape.thresholds
    return channels // LANES * n.pixels * steps * (thresholds(region) + 2)


def choose_pixels(region: Region, n: RowShape, steps: int) -> Block:
    """Return how many pixels' neurons run in straight code: those of a row, up to the usual number of comparisons."""
    most = max(1, min(24, _COMPARISONS // thresholds(region)))
    window = max(d for d in range(1, steps + 1) if steps % d == 0 and d <= most)
    fitting = [p for p in (1, 2, 4, 8) if n.out_width % p == 0 and n.chunk % p == 0 and p * window <= most]
    return Block(1, max(fitting), window)
