"""What each kernel of a program does and moves: one count for every target, from the program and its input rates."""

from __future__ import annotations

from collections.abc import Mapping

from spqc.ir import Value
from spqc.ir.program import Kernel, Program
from spqc.plugins.pricing import KernelCount
from spqc.runtime.observe import layer_of

from .account import layer_account, main_sum
from .activity import LayerActivity
from .counts import layer_operations
from .density import assumed, measured

Chances = Mapping[str, tuple[float, ...]]
"""For each value that a weighted sum reads, the share of every code 0, 1, ..."""


def count_kernels(
    program: Program, chances: Chances | None = None, strategies: Mapping[str, str] | None = None
) -> tuple[KernelCount, ...]:
    """Return the counts of every kernel that computes something.

    chances: measured input rates; where a value has none they are assumed (see `density`). strategies: of kernels by
    name, as a target chose them; without one every input counts, zero or not.
    """
    known = chances or {}
    computing = (kernel for kernel in program.kernels if kernel.ops[0].out.name not in program.views)
    return tuple(_count(program, kernel, known, (strategies or {}).get(kernel.name, "")) for kernel in computing)


def _count(program: Program, kernel: Kernel, chances: Chances, strategy: str) -> KernelCount:
    graph = program.graph
    first = main_sum(graph, kernel.ops)
    activity = None if first is None else _activity(program, first.inputs[0], chances)
    layer = layer_account(graph, layer_of(kernel.ops[0]), list(kernel.ops))
    steps = 1 if kernel.time == "once" else program.steps
    operations = layer_operations(layer, steps, activity, strategy=strategy)
    names = ("dense", "synaptic", "executed", "gate", "membrane")
    events = {name: float(getattr(operations, name) or 0.0) for name in names}
    return KernelCount(
        kernel.name,
        layer.layer,
        strategy,
        events,
        _bytes(program, kernel),
        rates_measured=first is not None and first.inputs[0].name in chances,
    )


def _activity(program: Program, source: Value, chances: Chances) -> LayerActivity:
    shares = chances.get(source.name)
    density = assumed(program.graph, source) if shares is None else measured(shares)
    return LayerActivity(source.name, input_rate=1 - density.chances[0], input_mean=density.mean)


def _bytes(program: Program, kernel: Kernel) -> dict[str, float]:
    constants = {v.name for v in program.graph.constants}
    weights = sum(v.type.size * v.type.bits for v in kernel.reads if v.name in constants)
    states = {v.name: v for v in program.graph.states}
    stored = sum(v.type.size * v.type.bits for v in kernel.reads if v.name in states)
    read = [v for v in kernel.reads if v.name not in constants and v.name not in states]
    return {
        "weights": float(-(-weights // 8)),
        "inputs": float(sum(_moved(program, v) for v in read)),
        "outputs": float(sum(program.buffer_of[v.name].bytes for v in kernel.writes if v.name in program.buffer_of)),
        "states": 2.0 * -(-stored // 8) if program.mode == "stepped" else 0.0,
    }


def _moved(program: Program, value: Value) -> int:
    """Return the bytes of a value between kernels: of its buffer, or of the network's input, a byte a code."""
    base = program.views.get(value.name, value.name)
    if base in program.buffer_of:
        return program.buffer_of[base].bytes
    source = program.graph.values[base].type
    return source.size * (1 if source.clock == "const" else program.steps)
