"""What every emitter shares while one function is emitted: memory, places, constants, options."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from spqc.ir import Value
from spqc.ir.program import Program

from .constants import Constants
from .geometry import StateSlot, TraceSlot, padded, trace_bytes
from .memory import Memory, Place, imported_place, itemsize, place, result_place
from .vector import Expr, i32, loop


@dataclass(frozen=True)
class Machine:
    """What the generated code may use; `cpu` is LLVM's name of the processor."""

    features: frozenset[str]
    threads: int = 1
    cpu: str = ""


@dataclass
class Context:
    """The state of emitting one function for one program."""

    program: Program
    machine: Machine
    constants: Constants
    memory: Memory
    sample: Expr
    states: Mapping[str, StateSlot]
    traces: Mapping[str, TraceSlot]
    scratch: int  # first free arena byte behind the planned buffers
    imported: dict[str, Place] = field(default_factory=dict)
    scratch_peak: int = 0

    @property
    def steps(self) -> int:
        return self.program.steps

    def steps_of(self, value: Value) -> int:
        return 1 if value.type.clock == "const" else self.steps

    def place_of(self, value: Value) -> Place:
        """Return where a value between kernels lies, looking through views."""
        name = self.program.views.get(value.name, value.name)
        if name in self.imported:
            return self.imported[name]
        buffer = self.program.buffer_of[name]
        if name in {v.name for v in self.program.graph.outputs}:
            return result_place(self.memory, buffer, self.sample)
        return place(self.memory, buffer)

    def is_input(self, value: Value) -> bool:
        return value in self.program.graph.inputs

    def reserve(self, size: int) -> int:
        """Return the byte offset of scratch memory that the current kernel alone uses."""
        self.scratch_peak = max(self.scratch_peak, size)
        return self.scratch

    def import_place(self, value: Value, offset: int) -> Place:
        return imported_place(self.memory, value, self.steps_of(value), offset)

    def trace_base(self, name: str) -> Expr:
        """Return the trace index of the first element of a value, for this sample."""
        size, item = trace_bytes(self.traces, self.steps), self.traces[name].bits // 8
        return self.sample * (size // item) + i32(self.traces[name].offset // item)

    def trace_index(self, name: str, step: Expr, pixel: Expr, channel: Expr) -> Expr:
        m = self.traces[name].map
        return self.trace_base(name) + (step * m.pixels + pixel) * padded(m.channels) + channel

    def parallel(self, extent: int) -> AbstractContextManager[Expr]:
        """Emit a loop whose turns are independent, over threads where the user asked for them."""
        return loop(extent, parallel=self.machine.threads > 1)

    def constant_index(self, offset: int, dtype: str) -> Expr:
        return i32(offset // itemsize(dtype))
