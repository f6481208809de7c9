"""Pack the spikes that pass between kernels: the steps of a neuron share one container, a bit each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from spqc.ir import Op, Value
from spqc.ir.ops import Automaton, Gate, MaxPool, Spiking
from spqc.ir.program import Buffer, Program
from spqc.plugins.passes import Module, Pass


@dataclass(frozen=True)
class PackSpikes(Pass):
    """Store the spikes of a window as one bit each, up to `limit` steps."""

    limit: int = 32
    name: ClassVar[str] = "pack-spikes"

    def run(self, module: Module) -> Module:
        if not isinstance(module, Program) or module.mode != "fused":
            return module
        packable = {k.ops[-1].out.name for k in module.kernels if isinstance(k.ops[-1], Spiking | MaxPool)}
        gates = {v.name for k in module.kernels for op in k.ops for v in _gates(op)}
        names = packable - gates
        buffers = tuple(self._packed(b) if b.value.name in names else b for b in module.buffers)
        return module if buffers == module.buffers else replace(module, buffers=buffers)

    def _packed(self, buffer: Buffer) -> Buffer:
        if buffer.value.type.encoding != "spike" or not 1 < buffer.steps <= self.limit:
            return buffer
        width = next(bits for bits in (8, 16, 32) if bits >= buffer.steps)
        return replace(buffer, layout="bits", word_bits=width)


def _gates(op: Op) -> tuple[Value, ...]:
    if isinstance(op, Gate):
        return (op.inputs[1],)
    if isinstance(op, Automaton) and "gate" in op.reads:
        return (op.inputs[op.operand("gate") or 0],)
    return ()


PLUGIN = PackSpikes
