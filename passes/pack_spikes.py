"""Pack the spikes that pass between kernels: the steps of a neuron share one container, a bit each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from spqc.foundation.errors import UsageError
from spqc.ir import Op, Value
from spqc.ir.layout import SingleSteps
from spqc.ir.ops import Automaton, Gate, MaxPool, Spiking
from spqc.ir.program import Buffer, Program
from spqc.plugins.passes import Module, Pass

_WIDEST = 32  # bits of a container


@dataclass(frozen=True)
class PackSpikes(Pass):
    """Store the spikes of a window as one bit each, up to `limit` steps, in containers of `container` bits or more.

    `single=bits`: the spikes of a single step take a bit each too, the channels of a pixel side by side.
    """

    limit: int = _WIDEST
    container: int = 8
    single: SingleSteps = "bytes"
    name: ClassVar[str] = "pack-spikes"

    def __post_init__(self) -> None:
        if not 1 <= self.limit <= _WIDEST:
            raise UsageError(f"limit is 1 to {_WIDEST} steps, not {self.limit}")

    def run(self, module: Module) -> Module:
        if not isinstance(module, Program):
            return module
        layout = replace(module.layout, container=self.container, single=self.single)
        program = module if layout == module.layout else module.with_layout(layout)
        packable = {k.ops[-1].out.name for k in program.kernels if isinstance(k.ops[-1], Spiking | MaxPool)}
        gates = {v.name for k in program.kernels for op in k.ops for v in _gates(op)}
        names = packable - gates
        buffers = tuple(self._packed(b) if b.value.name in names else b for b in program.buffers)
        return program if buffers == program.buffers else replace(program, buffers=buffers)

    def _packed(self, buffer: Buffer) -> Buffer:
        if buffer.value.type.encoding != "spike" or buffer.kind != "bytes":
            return buffer
        if buffer.steps == 1:
            return replace(buffer, kind="channel_bits") if self.single == "bits" else buffer
        if buffer.steps > self.limit:
            return buffer
        return replace(buffer, kind="bits", word_bits=buffer.layout.container_of(buffer.steps))


def _gates(op: Op) -> tuple[Value, ...]:
    if isinstance(op, Gate):
        return (op.inputs[1],)
    if isinstance(op, Automaton) and "gate" in op.reads:
        return (op.inputs[op.operand("gate") or 0],)
    return ()


PLUGIN = PackSpikes
