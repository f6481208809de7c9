"""Sparse: the dense kernel without the rows of weights that are zero for a whole tile of outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from spqc.targets._plan.geometry import Region, padded
from spqc.targets._plan.neurons import thresholds
from spqc.targets._plan.strategy import Settings, Site
from spqc.targets._tir.width import LANES

from ..dense.blocked import asked_block, room_of
from ..dense.blocks import Block, blocks, room
from ..dense.product import choose
from ..dense.strategy import DenseSum

if TYPE_CHECKING:
    from spqc.targets._tir.context import Context

_WORTH = 0.9  # a list costs a load a row: with more rows than this the dense kernel has them in order


class SparseSum(DenseSum):
    """Settings: `tiles`, `pixels`, `steps` of the block that stays in registers; fewer tiles leave out more rows."""

    name: ClassVar[str] = "sparse"
    rates: ClassVar[Mapping[str, float]] = {**DenseSum.rates, "rows": 0.4}

    def refuses(self, site: Site) -> str:
        if site.sum.groups > 1:
            return "its channels form groups"
        kept = self._kept(site, 1)
        return "" if kept < _WORTH else f"{kept:.0%} of its rows of weights are not zero"

    def features(self, site: Site, settings: Settings) -> Mapping[str, float]:
        """As of `dense`, with the share of rows that are left; `rows`: how many are looked up."""
        block = self.block(site, settings)
        counts = dict(super().features(site, {"tiles": block.tiles, "pixels": block.pixels, "steps": block.steps}))
        product = choose(site.sum, site.machine, site.constants)
        counts[product.name] *= self._kept(site, block.tiles)
        inner = max(block.accumulators, block.pixels * block.steps + block.tiles, 8)
        return {**counts, "rows": counts[product.name] / inner}

    def emit(self, context: Context, region: Region, settings: Settings) -> None:
        from .kernel import Sparse

        conv, block = region.sum, asked_block(settings)
        if block is None and conv is not None:
            product = choose(conv, context.machine, context.constants)
            steps = 1 if conv.constant else context.steps
            counts = _tile_counts(conv.output.channels)
            kept = {n: context.constants.kept_rows(conv, product.group, n * LANES) for n in counts}
            own = blocks(conv.output, steps, thresholds(region), room(context.machine, product))
            block = _best(own, conv.output.width, kept)
        Sparse(context, region, block).emit()

    def own(self, site: Site) -> Block:
        kept = {n: self._kept(site, n) for n in _tile_counts(site.sum.output.channels)}
        own = blocks(site.sum.output, site.steps, thresholds(site.region), room_of(site))
        return _best(own, site.sum.output.width, kept)

    def _kept(self, site: Site, tiles: int) -> float:
        """Return the share of rows that are not zero for a tile of so many vectors."""
        group = choose(site.sum, site.machine, site.constants).group
        return site.constants.kept_rows(site.sum, group, tiles * LANES)


def _tile_counts(channels: int) -> list[int]:
    tiles = padded(channels, LANES) // LANES
    return [n for n in range(1, 5) if tiles % n == 0]


def _best(candidates: list[Block], width: int, kept: Mapping[int, float]) -> Block:
    """Return the block with the least work for one sum: rows left, times the loads and products of a row."""

    def cost(block: Block) -> float:
        columns = -(-width // block.pixels) * block.pixels
        inner = max(block.accumulators, block.pixels * block.steps + block.tiles, 10) + 2
        return kept[block.tiles] * inner / block.accumulators * columns / width

    return min(candidates, key=cost)


STRATEGY = SparseSum
