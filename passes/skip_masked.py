"""Turn channel gates into loops that skip: a gate is known before the work, so what it closes need not be summed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from spqc.ir.ops import Automaton, Conv, Linear
from spqc.ir.program import Kernel, Program
from spqc.plugins.passes import Module, Pass


@dataclass(frozen=True)
class SkipMasked(Pass):
    """Mark the kernels whose channel tiles are skipped while their gates are closed (data-dependent work)."""

    name: ClassVar[str] = "skip-masked"

    def run(self, module: Module) -> Module:
        if not isinstance(module, Program):
            return module
        kernels = tuple(replace(k, skip=True) if _gated(k) else k for k in module.kernels)
        return module if kernels == module.kernels else replace(module, kernels=kernels)


def _gated(kernel: Kernel) -> bool:
    gated = any(isinstance(op, Automaton) and "gate" in op.reads for op in kernel.ops)
    return gated and isinstance(kernel.ops[0], Conv | Linear) and kernel.ops[0].out.type.clock == "step"


PLUGIN = SkipMasked
