"""What strategies share whose kernels keep a block of outputs, pixels and steps in registers."""

from __future__ import annotations

from collections.abc import Iterator

from spqc.targets._plan.neurons import thresholds
from spqc.targets._plan.strategy import Settings, Site

from ..strategy import KernelStrategy
from .blocks import Block, blocks, choose_block, room
from .product import choose


class Blocked(KernelStrategy):
    """Settings: `tiles`, `pixels`, `steps` of the block."""

    def own(self, site: Site) -> Block:
        """Return the block that is taken without settings."""
        return choose_block(site.sum.output, site.steps, thresholds(site.region), room_of(site))

    def block(self, site: Site, settings: Settings) -> Block:
        return asked_block(settings) or self.own(site)

    def space(self, site: Site) -> Iterator[Settings]:
        own = self.own(site)
        yield {}
        for block in blocks(site.sum.output, site.steps, thresholds(site.region), room_of(site)):
            if block != own and block.accumulators >= own.accumulators // 2:
                yield {"tiles": block.tiles, "pixels": block.pixels, "steps": block.steps}


def room_of(site: Site) -> int:
    """Return how many accumulators and weights stay in registers."""
    return room(site.machine, choose(site.sum, site.machine, site.constants))


def asked_block(settings: Settings) -> Block | None:
    """Return the block that settings name, None where there are none."""
    return Block(settings["tiles"], settings["pixels"], settings["steps"]) if settings else None
