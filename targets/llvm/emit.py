"""Turns a lowered program into one TIR function over a batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import tvm
from tvm.tirx.script import builder as T

from spqc.foundation.errors import InternalError
from spqc.ir import Value
from spqc.ir.layout import Layout
from spqc.ir.program import Program
from spqc.targets._plan.machine import Machine

from .._plan.constants import Constants
from .._plan.geometry import (
    StateSlot,
    TraceSlot,
    is_view,
    region,
    state_slots,
    trace_slots,
)
from .._plan.strategy import Choice
from .._tir.context import Context
from .._tir.memory import Memory, input_index
from .._tir.vector import Expr, function
from .._tir.width import ALIGNMENT, LANES
from .kernels.dense.stage import import_input
from .lowering import emit_kernel


@dataclass(frozen=True)
class Emitted:
    """A function with what its caller must provide."""

    function: tvm.tirx.PrimFunc
    arena_bytes: int
    traces: dict[str, TraceSlot]
    states: dict[str, StateSlot]


def emit(name: str, program: Program, machine: Machine, constants: Constants, choices: Mapping[str, Choice]) -> Emitted:
    """Return the function that runs `program` on every sample of a batch, each kernel as `choices` says.

    Raises InternalError for a program whose layout is not that of the vectors that are emitted.
    """
    if program.layout != Layout(LANES, ALIGNMENT):
        raise InternalError(f"kernels of the CPU read tiles of {LANES} channels, not {program.layout}")
    traces, states = trace_slots(program, program.steps), state_slots(program)
    shared: dict[str, int] = {}

    def body() -> None:
        memory = Memory.parameters()
        with T.serial(0, memory.samples) as sample:
            context = Context(program, machine, constants, memory, sample, states, traces, program.arena_bytes)
            _import_inputs(context)
            for kernel in program.kernels:
                if not is_view(kernel):
                    emit_kernel(context, region(program, kernel), choices.get(kernel.name))
        shared["arena"] = context.scratch + context.scratch_peak

    made = function(name, body)
    return Emitted(made, -(-shared["arena"] // 64) * 64 + 64, traces, states)


def _import_inputs(context: Context) -> None:
    """Copy the inputs that something other than a weighted sum reads."""
    for value in imported_inputs(context.program):
        place = context.import_place(value, context.scratch)
        context.imported[value.name] = place
        context.scratch += -(-place.steps * place.map.pixels * place.map.padded // 64) * 64

        def index(t: Expr, c: Expr, p: Expr, value: Value = value) -> Expr:
            return input_index(context.program, value, context.sample, t, c, p)

        import_input(context, place.map, place, index)


def imported_inputs(program: Program) -> tuple[Value, ...]:
    names = {v.name for v in program.graph.inputs}
    used = set()
    for kernel in program.kernels:
        if is_view(kernel):
            continue
        summed = region(program, kernel).sum
        skipped = kernel.ops[0].inputs[0].name if summed is not None else None
        used |= {program.views.get(v.name, v.name) for v in kernel.reads if v.name != skipped}
        again = [v for op in kernel.ops[1:] for v in op.inputs if v.name == skipped]
        used |= {program.views.get(v.name, v.name) for v in again}
    return tuple(v for v in program.graph.inputs if v.name in used & names)
