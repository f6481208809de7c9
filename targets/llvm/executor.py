"""Runs a compiled network: whole windows, single steps, and traces."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from spqc.contracts import Executor, Observation, Package
from spqc.errors import InputError
from spqc.ir.program import LANES
from spqc.ir.types import Array

from .._tir.aligned import aligned
from .checks import trusted_constants
from .native import Bytes, Call, Calls, Library

_TRACE_AT_ONCE = 1  # samples: a trace is many times larger than its network's input


class NativeExecutor(Executor):
    """The compiled functions `run` and `step` with the memory they work in."""

    def __init__(self, package: Package) -> None:
        self.settings = package.settings
        self.threads = int(self.settings["threads"])
        self.native = Library(package.files["model.so"], self.threads)
        self.constants = trusted_constants(package)
        self.arenas = [aligned(max(int(f["arena_bytes"]) for f in self.settings["functions"].values()))]
        self.bound: dict[tuple[str, int, bool], list[Calls]] = {}
        self.states: list[Bytes] = []
        self.stream = 0
        self.lock = threading.Lock()

    def run(self, x: Array) -> Array:
        """Return integer logits [N, T, classes] for codes [N, T, ...] ([N, ...] where the input is const)."""
        return self._all_logits("run", x, int(self.settings["steps"]))

    def trace(self, x: Array) -> Observation:
        parts = []
        for first in range(0, x.shape[0], _TRACE_AT_ONCE):
            with self.lock:
                (call,) = self._run("run", x[first : first + _TRACE_AT_ONCE], traced=True)
                parts.append(self._observation(call))
        return joined(parts)

    def step(self, frame: Array) -> Array:
        samples = frame.shape[0]
        if self.stream == 0:
            self._begin(samples)
        if samples != self.stream:
            raise InputError(
                f"the stream holds {self.stream} samples, but the frame {samples}",
                hint="call reset() before another batch",
            )
        return self._all_logits("step", frame, 1)[:, 0]

    def reset(self) -> None:
        self.stream = 0

    @property
    def state_bytes(self) -> int:
        """Bytes of packed state for one sample."""
        return int(self.settings["state_bytes"])

    def _begin(self, samples: int) -> None:
        """Set every state to its level 0; integer membranes (16 or 32 bits) have `low` 0."""
        one = np.zeros(self.state_bytes, np.uint8)
        for slot in self.settings["states"]:
            pattern = sum(-slot["low"] << shift for shift in range(0, 8, slot["bits"]))
            one[slot["offset"] : slot["offset"] + slot["bytes"]] = pattern
        self.states = []
        for size in (size for stage in shares(samples, self.threads) for size in stage):
            self.states.append(aligned(size * max(self.state_bytes, 64)))
            self.states[-1][: size * self.state_bytes] = np.tile(one, size)
        self.stream = samples
        self.bound = {key: stages for key, stages in self.bound.items() if key[0] != "step"}

    def _run(self, name: str, x: Array, traced: bool = False) -> list[Call]:
        """Call a function on all samples; return the calls, which hold the results, in the samples' order."""
        key = (name, x.shape[0], traced)
        if key not in self.bound:
            self.bound[key] = self._bind(name, x, traced)
        done: list[Call] = []
        first = 0
        for stage in self.bound[key]:
            for call in stage.each:
                part = x[first : first + call.samples]
                call.memory["input"][: part.size] = part.ravel()
                first += call.samples
            stage()
            done += stage.each
        return done

    def _bind(self, name: str, x: Array, traced: bool) -> list[Calls]:
        """Return the calls of each stage; those of a stage run at a time."""
        stages, states = [], iter(self.states)
        for stage in shares(x.shape[0], 1 if traced else self.threads):
            while len(self.arenas) < len(stage):
                self.arenas.append(aligned(self.arenas[0].size))
            calls = []
            for size, arena in zip(stage, self.arenas, strict=False):
                state = next(states) if name == "step" else aligned(64)
                memory = self._memory(name, size, x[:1].size, traced) | {"arena": arena, "state": state}
                calls.append(Call(size, traced, memory))
            stages.append(self.native.calls(name, calls))
        return stages

    def _memory(self, name: str, samples: int, elements: int, traced: bool) -> dict[str, Bytes]:
        found = self.settings["functions"][name]
        return {
            "input": aligned(samples * elements + 64),
            "result": aligned(4 * samples * int(found["result_elements"]) + 64),
            "trace": aligned(samples * int(found["trace_bytes"]) + 64 if traced else 64),
            "constant": self.constants,
        }

    def _all_logits(self, name: str, x: Array, steps: int) -> Array:
        with self.lock:
            parts = [self._logits(call, steps) for call in self._run(name, x)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _logits(self, call: Call, steps: int) -> Array:
        classes = int(self.settings["classes"])
        padded = -(-classes // LANES) * LANES
        raw, samples = call.memory["result"].view(np.int32), call.samples
        kept = raw[: samples * raw_steps(self.settings, steps) * padded].reshape(samples, -1, padded)[:, :, :classes]
        return np.repeat(kept, steps, axis=1) if kept.shape[1] != steps else kept.astype(np.int64)

    def _observation(self, call: Call) -> Observation:
        found, samples = self.settings["functions"]["run"], call.samples
        raw = call.memory["trace"][: samples * int(found["trace_bytes"])].reshape(samples, -1)
        spikes: dict[str, Array] = {}
        gates: dict[str, Array] = {}
        states: dict[str, list[Array]] = {}
        for slot in found["traces"]:
            layer = slot["origin"].split(" ")[0] or slot["name"]
            array = _slot_array(raw, slot, int(self.settings["steps"]))
            if slot["kind"] == "gate":
                gates[layer] = array
            else:
                states.setdefault(layer, []).append((array >> 1) + slot["low"])
                if slot["kind"] == "neuron":
                    spikes[layer] = array & 1
        stored = {name: parts[0] if len(parts) == 1 else np.stack(parts, axis=2) for name, parts in states.items()}
        return Observation(self._logits(call, int(self.settings["steps"])), spikes, stored, gates)


def shares(samples: int, threads: int) -> list[list[int]]:
    """Return the stages of a batch: equal shares for all threads, then the rest for all together."""
    if samples < threads or threads == 1:
        return [[samples]]
    rest = [[samples % threads]] if samples % threads else []
    return [[samples // threads] * threads, *rest]


def raw_steps(settings: Mapping[str, Any], steps: int) -> int:
    """Return how many steps of logits one call writes."""
    return 1 if settings["constant_result"] else steps


def _slot_array(raw: npt.NDArray[np.uint8], slot: Mapping[str, Any], steps: int) -> npt.NDArray[np.int64]:
    """Return [N, T, C, ...] of one trace slot."""
    channels, *sides = slot["shape"]
    pixels = math.prod(sides)
    padded = -(-channels // LANES) * LANES
    kept = 1 if slot["constant"] else steps
    size = kept * pixels * padded * slot["bits"] // 8
    part = np.ascontiguousarray(raw[:, slot["offset"] : slot["offset"] + size])
    every = part.view(np.uint8 if slot["bits"] == 8 else np.int32).reshape(raw.shape[0], kept, pixels, padded)
    found = every[..., :channels].transpose(0, 1, 3, 2).astype(np.int64)
    array = found.reshape(raw.shape[0], kept, *slot["shape"])
    return np.repeat(array, steps, axis=1) if kept != steps else array


def joined(parts: list[Observation]) -> Observation:
    """Return observations of parts of a batch as one."""

    def together(name: str) -> dict[str, Array]:
        first = getattr(parts[0], name)
        return {layer: np.concatenate([getattr(p, name)[layer] for p in parts]) for layer in first}

    logits = np.concatenate([p.logits for p in parts])
    return Observation(logits, together("spikes"), together("states"), together("gates"))
