"""The meaning of the lowered form: kernels in order over a real arena, so that a wrong layout or place shows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .interpret import run_ops
from .program import Buffer, Kernel, Program
from .storage import Bytes, fetch, store
from .types import Array


def interpret_program(program: Program, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Run a lowered program on codes like `interpret`: same inputs, same results."""
    batch = next(iter(inputs.values())).shape[0]
    state = {v.name: np.zeros((batch, *v.type.shape), np.int64) for v in program.graph.states}
    parts = []
    for first in range(0, program.graph.steps, program.steps):
        window = {
            v.name: inputs[v.name] if v.type.clock == "const" else inputs[v.name][:, first : first + program.steps]
            for v in program.graph.inputs
        }
        parts.append(_Call(program, window, state).run())
    return {name: np.concatenate([part[name] for part in parts], axis=1) for name in parts[0]}


class _Call:
    """One call of the program: `steps` steps of every kernel."""

    def __init__(self, program: Program, inputs: Mapping[str, Array], state: dict[str, Array]) -> None:
        self.program, self.inputs, self.state = program, inputs, state
        batch = next(iter(inputs.values())).shape[0]
        self.arena: Bytes = np.full((batch, program.arena_bytes), 0xA5, np.uint8)
        self.loose: dict[str, Bytes] = {}  # buffers not placed yet

    def run(self) -> dict[str, Array]:
        for kernel in self.program.kernels:
            self._run_kernel(kernel)
        return {v.name: self._repeated(self._read(v.name)) for v in self.program.graph.outputs}

    def _run_kernel(self, kernel: Kernel) -> None:
        graph = self.program.graph
        following = {n.name: s.name for n, s in zip(graph.nexts, graph.states, strict=True)}
        operands = {v.name: self._operand(v.name) for v in kernel.reads}
        results: dict[str, list[Array]] = {v.name: [] for v in kernel.writes if v.name in self.program.buffer_of}
        for step in range(1 if kernel.time == "once" else self.program.steps):
            values = {name: self._at(name, array, step) for name, array in operands.items()}
            values |= {v.name: self.state[v.name] for v in kernel.reads if v.name in self.state}
            run_ops(kernel.ops, values, step)
            for name, kept in results.items():
                kept.append(values[name])
            self.state |= {following[v.name]: values[v.name] for v in kernel.writes if v.name in following}
        for name, kept in results.items():
            buffer = self.program.buffer_of[name]
            self._write(buffer, np.stack(kept[: buffer.steps], axis=1))

    def _operand(self, name: str) -> Array | None:
        if name in self.program.graph.data:
            return self.program.graph.data[name]
        return None if name in self.state else self._read(name)

    def _at(self, name: str, array: Array | None, step: int) -> Array:
        value = self.program.graph.values[name]
        if array is None:
            return self.state[name]
        if name in self.program.graph.data:
            return array.astype(value.type.dtype)
        return array[:, min(step, array.shape[1] - 1)].astype(value.type.dtype)

    def _read(self, name: str) -> Array:
        """Return [N, steps, ...] of a value between kernels."""
        base = self.program.views.get(name, name)
        value = self.program.graph.values[name]
        if base in self.inputs:
            array = self.inputs[base]
            array = array[:, None] if self.program.graph.values[base].type.clock == "const" else array
        else:
            buffer = self.program.buffer_of[base]
            array = fetch(buffer, self._bytes(buffer))
        return array.reshape(*array.shape[:2], *value.type.shape)

    def _bytes(self, buffer: Buffer) -> Bytes:
        if buffer.offset is None:
            return self.loose[buffer.value.name]
        return self.arena[:, buffer.offset : buffer.offset + buffer.bytes]

    def _write(self, buffer: Buffer, array: Array) -> None:
        raw = store(buffer, array)
        if buffer.offset is None:
            self.loose[buffer.value.name] = raw
        else:
            self.arena[:, buffer.offset : buffer.offset + buffer.bytes] = raw

    def _repeated(self, array: Array) -> Array:
        return np.repeat(array, self.program.steps, axis=1) if array.shape[1] == 1 else array
