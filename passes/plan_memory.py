"""Place every buffer in one arena: buffers whose lives do not overlap share their bytes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from spqc.ir.program import Buffer, Program
from spqc.plugins.passes import Module, Pass


@dataclass(frozen=True)
class PlanMemory(Pass):
    """Give each buffer an offset; larger ones first, each at the lowest free place."""

    name: ClassVar[str] = "plan-memory"

    def run(self, module: Module) -> Module:
        if not isinstance(module, Program):
            return module
        lives = module.lifetimes
        placed: list[Buffer] = []
        for buffer in sorted(module.buffers, key=lambda b: (-b.bytes, b.value.name)):
            placed.append(replace(buffer, offset=_lowest(buffer, placed, lives)))
        offsets = {b.value.name: b for b in placed}
        arena = max((b.bytes + (b.offset or 0) for b in placed), default=0)
        planned = module.with_buffers(tuple(offsets[b.value.name] for b in module.buffers), arena)
        return module if planned == module else planned


def _lowest(buffer: Buffer, placed: list[Buffer], lives: dict[str, tuple[int, int]]) -> int:
    first, last = lives[buffer.value.name]
    busy = sorted(
        ((b.offset or 0), (b.offset or 0) + b.bytes)
        for b in placed
        if lives[b.value.name][0] <= last and first <= lives[b.value.name][1]
    )
    place = 0
    for start, end in busy:
        if place + buffer.bytes <= start:
            break
        place = max(place, -(-end // buffer.alignment) * buffer.alignment)
    return place


PLUGIN = PlanMemory
