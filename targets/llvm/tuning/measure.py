"""Measures kernels alone: each candidate compiled by itself, run on inputs of the right density that rotate."""

from __future__ import annotations

import statistics
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import tvm

from spqc.ir import Value
from spqc.ir.program import Buffer, Kernel, Program
from spqc.plugins.tuning import Candidate
from spqc.targets._plan.aligned import aligned
from spqc.targets._plan.arrangements import lay_out
from spqc.targets._plan.constants import Constants
from spqc.targets._plan.geometry import is_view
from spqc.targets._plan.strategy import Site
from spqc.targets._tir.build import shared_library

from ..emit import Emitted, emit
from ..loader.native import Call, Calls, Library
from ..pool import source
from ..strategies import chooser

ROTATION = 8  # inputs: a single one would let the branch predictor learn its lists by heart
_AT_LEAST_NS = 200_000  # of one reading of the clock

Bytes = npt.NDArray[np.uint8]
Wrapper = Callable[["Bench", int], str]
"""Makes C code to compile behind a bench's candidates, of which there are so many."""


@dataclass(frozen=True)
class Measured:
    """Nanoseconds of processor time of one call for one sample: the median and the extremes of several rounds."""

    median_ns: float
    min_ns: float
    max_ns: float


def alone(program: Program, kernel: Kernel) -> Program:
    """Return the program that runs one kernel, over the same buffers."""
    return replace(program, kernels=tuple(k for k in program.kernels if k is kernel or is_view(k)))


class Bench:
    """One kernel with several candidates in one library; `measure` times a candidate."""

    def __init__(
        self, site: Site, candidates: Sequence[Candidate], target: tvm.target.Target, wrapper: Wrapper | None = None
    ) -> None:
        self.site = site
        program = alone(site.program, site.region.kernel)
        constants = Constants(site.constants.graph, site.constants.tile)
        self.emitted: list[Emitted] = []
        for index, candidate in enumerate(candidates):
            choice = chooser().as_asked(site, candidate.strategy, candidate.settings)
            choices = {site.region.kernel.name: choice}
            self.emitted.append(emit(f"candidate{index}", program, site.machine, constants, choices))
        self.constants = lay_out(list(constants.placed.values()), site.constants.graph.data, constants.size)
        self.sizes = self._sizes(program)
        self.inputs = [self._memory(program, seed) for seed in range(ROTATION)]
        functions = {f"candidate{i}": e.function for i, e in enumerate(self.emitted)}
        behind = wrapper(self, len(candidates)) if wrapper is not None else ""
        self.code = shared_library(functions, target, source(site.machine) + behind)

    @cached_property
    def compiled(self) -> Library:
        """The candidates, loaded into this process."""
        return Library(self.code, self.site.machine.threads)

    def measure(self, index: int, rounds: int = 15) -> Measured:
        """Return the processor time of a candidate, each call on another input than the one before."""
        calls = [self._calls(index, 1, memory) for memory in self.inputs]
        idle = self._calls(index, 0, self.inputs[0])
        once = max(_time(calls, ROTATION), 1.0)
        turns = max(ROTATION, int(_AT_LEAST_NS / once))
        overhead = statistics.median(_time([idle], turns) for _ in range(5))
        times = [_time(calls, turns) - overhead for _ in range(rounds)]
        return Measured(max(statistics.median(times), 1.0), max(min(times), 1.0), max(max(times), 1.0))

    def result(self, index: int) -> Bytes:
        """Return what a candidate writes for each input, to compare with another's."""
        region, begin, end = self.result_bytes
        kept = []
        for memory in self.inputs:
            self._calls(index, 1, memory)()
            kept.append(memory[region][begin:end].copy())
        return np.stack(kept)

    def _calls(self, index: int, samples: int, memory: Mapping[str, Bytes]) -> Calls:
        return self.compiled.calls(f"candidate{index}", [Call(samples, False, memory)])

    @property
    def result_bytes(self) -> tuple[str, int, int]:
        """Return the region of memory that a candidate writes to, and the first byte and that behind the last."""
        program, last = self.site.program, self.site.region.result.name
        if last in {v.name for v in program.graph.outputs}:
            return "result", 0, self.sizes["result"]
        buffer = program.buffer_of[last]
        return "arena", buffer.offset or 0, (buffer.offset or 0) + buffer.bytes

    def _sizes(self, program: Program) -> dict[str, int]:
        """Return the bytes of each region, for one input."""
        graph = program.graph
        result = program.buffer_of[graph.outputs[0].name]
        return {
            "input": -(-sum(v.type.size * program.steps for v in graph.inputs) // 64) * 64 + 64,
            "result": 4 * result.steps * result.pixels * result.channels + 64,
            "trace": 64,
            "arena": max(e.arena_bytes for e in self.emitted),
            "constant": self.constants.size,
            "state": sum(s.bytes for s in self.emitted[0].states.values()) + 64,
        }

    def _memory(self, program: Program, seed: int) -> dict[str, Bytes]:
        memory = {region: aligned(size) for region, size in self.sizes.items()} | {"constant": self.constants}
        fill(memory, program, self.site, seed)
        return memory


def _time(calls: Sequence[Calls], turns: int) -> float:
    """Return the nanoseconds of processor time of one call."""
    begin = time.process_time_ns()
    for turn in range(turns):
        calls[turn % len(calls)]()
    return (time.process_time_ns() - begin) / turns


def fill(memory: Mapping[str, Bytes], program: Program, site: Site, seed: int) -> None:
    """Draw what a kernel reads: its sum's input with the site's density, everything else as networks have it."""
    source = site.region.kernel.ops[0].inputs[0]
    graph = program.graph
    for value in site.region.kernel.reads:
        base = graph.values[program.views.get(value.name, value.name)]
        rng = np.random.default_rng([seed, zlib.crc32(base.name.encode())])
        chances = site.density.chances if value.name == source.name else None
        if base in graph.inputs:
            codes = draw(rng, base, program.steps, chances)
            memory["input"][: codes.size] = codes.ravel()
        elif base.name in program.buffer_of:
            _write(memory["arena"], program.buffer_of[base.name], draw(rng, base, program.steps, chances))


def draw(rng: np.random.Generator, value: Value, steps: int, chances: Sequence[float] | None) -> npt.NDArray[np.int64]:
    """Return codes [t, channel, ...]: with the given shares, or uniform over a small part of the type's range."""
    shape = (1 if value.type.clock == "const" else steps, *value.type.shape)
    low, high = value.type.range
    if chances is None or low < 0:
        return rng.integers(max(low, -100), min(high, 100) + 1, shape)
    top = np.cumsum(chances)
    return np.minimum(np.searchsorted(top / top[-1], rng.random(shape), side="right"), high)


def _write(arena: Bytes, buffer: Buffer, codes: npt.NDArray[np.int64]) -> None:
    """Store codes [t, channel, ...] in the layout of a buffer."""
    flat = codes.reshape(codes.shape[0], codes.shape[1], -1).transpose(0, 2, 1)
    rows = np.zeros((*flat.shape[:2], buffer.channels), np.int64)
    rows[..., : flat.shape[2]] = flat
    if buffer.kind == "bits":
        rows = sum((rows[t] & 1) << t for t in range(rows.shape[0]))
    raw = rows.astype(f"<i{buffer.word_bits // 8}").view(np.uint8).ravel()
    start = buffer.offset or 0
    arena[start : start + raw.size] = raw
