"""Choose where time runs: inside each kernel over the whole window, or outside, one step a call."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from spqc.ir.program import Buffer, Mode, Program
from spqc.plugins.passes import Module, Pass


@dataclass(frozen=True)
class FuseTime(Pass):
    """Run all steps inside each kernel (`fused`: no state in memory), or one step a call (`stepped`: streaming)."""

    mode: Mode = "fused"
    name: ClassVar[str] = "fuse-time"

    def run(self, module: Module) -> Module:
        if not isinstance(module, Program):
            return module
        kernels = tuple(k if k.time == "once" else replace(k, time=self.mode) for k in module.kernels)
        moved = replace(module, kernels=kernels, mode=self.mode)
        moved = replace(moved, buffers=tuple(_over_window(b, moved.steps) for b in module.buffers))
        return module if moved == module else moved


def _over_window(buffer: Buffer, steps: int) -> Buffer:
    return replace(buffer, steps=1 if buffer.value.type.clock == "const" else steps)


PLUGIN = FuseTime
