"""Compiles lowered programs for a CPU and records what their executor must know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import tvm
from tvm.target import codegen

from spqc.foundation.errors import UsageError
from spqc.foundation.options import nearest
from spqc.ir import Graph
from spqc.ir.ops import Spiking
from spqc.ir.program import Program
from spqc.plugins.target import Advice, Binary
from spqc.targets._plan.arrangements import lay_out
from spqc.targets._plan.machine import Machine

from .._plan.constants import Constants
from .._plan.geometry import TraceSlot, trace_bytes
from .._plan.signature import interface
from .._tir.build import shared_library
from .._tir.width import LANES
from .cpu import architecture, checked_features, missing_features
from .emit import Emitted, emit
from .loader.seal import seal_of, signed
from .pool import source
from .strategies import chooser


class Options(Protocol):
    """What the target's options say of the code."""

    @property
    def cpu(self) -> str: ...

    @property
    def threads(self) -> int: ...

    @property
    def strategy(self) -> str: ...


def build(graph: Graph, programs: Mapping[str, Program], options: Options, advice: Advice) -> Binary:
    """Return one library with a function for each program."""
    chooser().require(options.strategy)
    target, features = machine_target(options.cpu)
    constants = Constants(graph, LANES)
    machine = Machine(frozenset(features), options.threads, str(target.attrs["mcpu"]))
    asked = options.strategy
    choices = {name: chooser().choose_all(p, machine, constants, advice, asked) for name, p in programs.items()}
    emitted = {name: emit(name, program, machine, constants, choices[name]) for name, program in programs.items()}
    settings: dict[str, Any] = {
        "architecture": architecture(),
        "interface": interface(),
        "cpu": str(target.attrs["mcpu"]),
        "features": checked_features(features),
        "threads": options.threads,
        "steps": graph.steps,
        "classes": graph.outputs[0].type.shape[0],
        "constant_result": graph.outputs[0].type.clock == "const",
        "constants": [a.settings() for a in constants.placed.values()],
        "constant_bytes": constants.size,
        "states": _states(programs["step"], emitted["step"]),
        "state_bytes": sum(s.bytes for s in emitted["step"].states.values()),
        "functions": {name: _function(programs[name], e) for name, e in emitted.items()},
    }
    memory = lay_out(list(constants.placed.values()), graph.data, constants.size)
    behind = source(machine) + seal_of(settings, graph, memory).source
    functions = {name: e.function for name, e in emitted.items()}
    library = signed(shared_library(functions, target, behind))
    kernels = {name: [choice.report() for choice in chosen.values()] for name, chosen in choices.items()}
    report: dict[str, Any] = {"kernels": kernels}
    if advice.findings:
        tuned = [c.measured for c in choices["run"].values()]
        report["tuning"] = {"hits": sum(tuned), "misses": len(tuned) - sum(tuned)}
    return Binary({"model.so": library}, settings, report)


def machine_target(cpu: str) -> tuple[tvm.target.Target, set[str]]:
    """Return TVM's target of a CPU and LLVM's feature names; `host` leaves out what a virtual machine hides."""
    name = codegen.llvm_get_system_cpu() if cpu == "host" else cpu
    if not codegen.llvm_is_valid_cpu(name, codegen.llvm_get_system_triple()):
        raise UsageError(f"LLVM knows no cpu '{name}'", hint=nearest(name, _archlist()))
    target = tvm.target.Target({"kind": "llvm", "mcpu": name})
    features = set(codegen.llvm_get_cpu_features(target))
    if architecture() == "x86_64" and "64bit" not in features:  # LLVM would end the process
        raise UsageError(f"cpu '{name}' runs no 64-bit code", hint="the least of those that do is x86-64")
    if cpu == "host":
        hidden = missing_features(features)
        if hidden:
            target = tvm.target.Target({"kind": "llvm", "mcpu": name, "mattr": [f"-{f}" for f in hidden]})
            features -= set(hidden)
    return target, features


def _archlist() -> list[str]:
    return [str(name) for name in codegen.llvm_get_cpu_archlist(tvm.target.Target("llvm"))]


def _states(program: Program, emitted: Emitted) -> list[dict[str, Any]]:
    return [
        {"name": s.name, "offset": s.offset, "bytes": s.bytes, "bits": s.bits, "low": s.low}
        for s in emitted.states.values()
    ]


def _function(program: Program, emitted: Emitted) -> dict[str, Any]:
    return {
        "arena_bytes": emitted.arena_bytes,
        "result_elements": _result_elements(program),
        "trace_bytes": trace_bytes(emitted.traces, program.steps),
        "traces": [_trace(program, slot) for slot in emitted.traces.values()],
    }


def _result_elements(program: Program) -> int:
    buffer = program.buffer_of[program.graph.outputs[0].name]
    return buffer.steps * buffer.channels


def _trace(program: Program, slot: TraceSlot) -> dict[str, Any]:
    value = program.graph.values[slot.name]
    op = program.graph.producers[slot.name]
    shape = value.type.shape
    return {
        "name": slot.name,
        "offset": slot.offset,
        "bits": slot.bits,
        "kind": slot.kind,
        "origin": op.origin,
        "shape": list(shape),
        "constant": value.type.clock == "const",
        "low": op.low if isinstance(op, Spiking) else 0,
    }
