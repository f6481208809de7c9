"""Runs a compiled network: whole windows, single steps, and traces."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from spqc.contracts import Executor, Observation, Package
from spqc.errors import InputError
from spqc.ir.program import LANES
from spqc.ir.types import Array

from .._tir.aligned import aligned
from .._tir.arrange import from_settings, lay_out
from .native import Call, Library

_TRACE_AT_ONCE = 1  # samples: a trace is many times larger than its network's input


class NativeExecutor(Executor):
    """The compiled functions `run` and `step` with the memory they work in."""

    def __init__(self, package: Package) -> None:
        self.settings = package.settings
        self.native = Library(package.files["model.so"], int(self.settings["threads"]))
        arrangements = [from_settings(a) for a in self.settings["constants"]]
        self.constants = lay_out(arrangements, package.data, int(self.settings["constant_bytes"]))
        self.arena = aligned(max(int(f["arena_bytes"]) for f in self.settings["functions"].values()))
        self.static = package.graph.inputs[0].type.clock == "const"
        self.calls: dict[tuple[str, int, bool], Call] = {}
        self.stream = 0

    def run(self, x: Array) -> Array:
        """Return integer logits [N, T, classes] for codes [N, T, ...] ([N, ...] where the input is const)."""
        return self._logits(self._call("run", x, traced=False), x.shape[0])

    def trace(self, x: Array) -> Observation:
        parts = []
        for first in range(0, x.shape[0], _TRACE_AT_ONCE):
            part = x[first : first + _TRACE_AT_ONCE]
            call = self._call("run", part, traced=True)
            parts.append(self._observation(call, part.shape[0]))
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
        return self._logits(self._call("step", frame, traced=False), samples, steps=1)[:, 0]

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
        self.state = aligned(samples * max(self.state_bytes, 64))
        self.state[: samples * self.state_bytes] = np.tile(one, samples)
        self.stream = samples
        self.calls = {key: call for key, call in self.calls.items() if key[0] != "step"}

    def _call(self, name: str, x: Array, traced: bool) -> Call:
        key = (name, x.shape[0], traced)
        if key not in self.calls:
            self.calls[key] = self._bind(name, x, traced)
        call = self.calls[key]
        call.memory["input"][: x.size] = x.ravel()
        call()
        return call

    def _bind(self, name: str, x: Array, traced: bool) -> Call:
        found, samples = self.settings["functions"][name], x.shape[0]
        state = self.state if name == "step" else aligned(64)
        memory = {
            "input": aligned(x.size + 64),
            "result": aligned(4 * samples * int(found["result_elements"]) + 64),
            "trace": aligned(samples * int(found["trace_bytes"]) + 64 if traced else 64),
            "arena": self.arena,
            "constant": self.constants,
            "state": state,
        }
        return Call(self.native.function(name), samples, traced, memory)

    def _logits(self, call: Call, samples: int, steps: int | None = None) -> Array:
        steps = int(self.settings["steps"]) if steps is None else steps
        classes = int(self.settings["classes"])
        padded = -(-classes // LANES) * LANES
        raw = call.memory["result"].view(np.int32)
        kept = raw[: samples * raw_steps(self.settings, steps) * padded].reshape(samples, -1, padded)[:, :, :classes]
        return np.repeat(kept, steps, axis=1) if kept.shape[1] != steps else kept.astype(np.int64)

    def _observation(self, call: Call, samples: int) -> Observation:
        found = self.settings["functions"]["run"]
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
        return Observation(self._logits(call, samples), spikes, stored, gates)


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
