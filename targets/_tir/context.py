"""What every emitter shares while one function is emitted: memory, places, constants, options."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from tvm import tirx
from tvm.tirx.script import builder as T

from spqc.ir import Value
from spqc.ir.program import Program
from spqc.targets._plan.constants import Constants
from spqc.targets._plan.extent import check_extent
from spqc.targets._plan.geometry import StateSlot, TraceSlot, trace_bytes
from spqc.targets._plan.machine import Machine

from .memory import Memory, Place, imported_place, itemsize, place, result_place
from .vector import Expr, bind, i32, loop

THREAD = "spqc_thread"  # the function that says which thread runs


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
        check_extent(self.scratch + size, "buffers between and inside kernels")
        self.scratch_peak = max(self.scratch_peak, size)
        return self.scratch

    def import_place(self, value: Value, offset: int) -> Place:
        return imported_place(self.memory, value, self.steps_of(value), offset, self.program.layout.tile)

    def trace_base(self, name: str) -> Expr:
        """Return the trace index of the first element of a value, for this sample."""
        size, item = trace_bytes(self.traces, self.steps), self.traces[name].bits // 8
        return self.sample * (size // item) + i32(self.traces[name].offset // item)

    def trace_index(self, name: str, step: Expr, pixel: Expr, channel: Expr) -> Expr:
        m = self.traces[name].map
        return self.trace_base(name) + (step * m.pixels + pixel) * m.padded + channel

    @contextmanager
    def parallel(self, extent: int) -> Iterator[Expr]:
        """Emit a loop whose turns are independent, as tasks of equally many turns where the user asked for threads."""
        tasks = self.machine.tasks
        if self.machine.threads == 1 or extent == 1:
            with loop(extent) as turn:
                yield turn
            return
        with T.parallel(0, tasks) as task:
            first = bind(tirx.floordiv(task * extent, i32(tasks)))
            with T.serial(0, bind(tirx.floordiv((task + 1) * extent, i32(tasks))) - first) as turn:
                yield bind(first + turn)

    def thread(self) -> Expr:
        """Return the place of the thread that runs this, from 0 on: which part of scratch memory is its own."""
        return bind(tirx.call_extern("int32", THREAD)) if self.machine.threads > 1 else i32(0)

    def constant_index(self, offset: int, dtype: str) -> Expr:
        return i32(offset // itemsize(dtype))
