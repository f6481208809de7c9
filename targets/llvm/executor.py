"""Runs a compiled network: whole windows, single steps, and traces."""

from __future__ import annotations

import faulthandler
import math
import os
import threading
from collections.abc import Iterable
from functools import partial

import numpy as np

from spqc.contracts import Executor, Observation, Package
from spqc.errors import InputError, InternalError
from spqc.ir import Array, Graph
from spqc.runtime.observe import fed

from .._tir.arrange import from_settings, lay_out
from .memory import End, Region, guarded, plain, read_only
from .native import Call, Library
from .results import joined, logits_of, observation_of
from .workspace import Stage, Workspace

_ENDS: tuple[End, End] = ("first", "last")


class NativeExecutor(Executor):
    """The compiled functions `run` and `step` with the memory they work in.

    Under the memory checker (`check`, by default where SPQC_CHECK is set) every call runs twice, on garbage: once in
    memory whose first byte lies against a guard page, once where the last does. What differs is an InternalError.
    """

    def __init__(self, package: Package, check: bool | None = None) -> None:
        self.graph = package.graph
        self.settings = package.settings
        self.steps = int(self.settings["steps"])
        self.shapes = shapes_of(self.graph, self.steps)
        self.native = Library(package.files["model.so"], int(self.settings["threads"]))
        self.lock = threading.Lock()
        self.spaces = self._spaces(package, asked_to_check() if check is None else check)
        self.stream = 0
        self.stages: list[list[Stage]] = []

    def _spaces(self, package: Package, check: bool) -> list[Workspace]:
        arrangements = [from_settings(a) for a in self.settings["constants"]]
        constants = lay_out(arrangements, package.data, int(self.settings["constant_bytes"]))
        elements = {name: math.prod(shape) for name, shape in self.shapes.items()}
        space = partial(Workspace, self.settings, self.native, elements)
        if not check:
            return [space(Region(constants), plain)]
        if not faulthandler.is_enabled():
            faulthandler.enable()  # says where Python was when the process is stopped
        spaces = [space(read_only(constants, end), partial(guarded, end=end)) for end in _ENDS]
        for seed, each in enumerate(spaces):
            each.garbage = np.random.default_rng(seed)
        return spaces

    def dirty(self, seed: int | None) -> None:
        with self.lock:
            for index, space in enumerate(self.spaces):
                space.garbage = None if seed is None else np.random.default_rng([seed, index])

    def run(self, x: Array) -> Array:
        """Return integer logits [N, T, classes] for codes [N, T, ...] ([N, ...] where the input is const)."""
        codes = self._checked("run", x)
        with self.lock:
            return agreed([self._logits(space.run(codes), self.steps) for space in self.spaces])

    def trace(self, x: Array) -> Observation:
        codes = self._checked("run", x)
        with self.lock:
            seen = [self._observation(space, codes) for space in self.spaces]
        for other in seen[1:]:
            agreed([seen[0].logits, other.logits])
            for name in ("spikes", "states", "gates"):
                first, second = getattr(seen[0], name), getattr(other, name)
                for layer in first:
                    agreed([first[layer], second[layer]])
        return seen[0]

    def step(self, frame: Array) -> Array:
        codes = self._checked("step", frame)
        with self.lock:
            samples = len(codes)
            if self.stream == 0:
                self._begin(samples)
            if samples != self.stream:
                raise InputError(
                    f"the stream holds {self.stream} samples, but the frame {samples}",
                    hint="call reset() before another batch",
                )
            each = zip(self.spaces, self.stages, strict=True)
            return agreed([self._logits(space.calls(stages, codes), 1) for space, stages in each])[:, 0]

    def reset(self) -> None:
        with self.lock:
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
        self.stages = [space.stream(samples) for space in self.spaces]
        for stage in (stage for stages in self.stages for stage in stages):
            for call in stage.calls.each:
                call.memory["state"][: call.samples * self.state_bytes] = np.tile(one, call.samples)
        self.stream = samples

    def _checked(self, function: str, x: Array) -> Array:
        """Return codes as bytes [N, ...] in order; InputError where they do not fit what the function reads."""
        shape = self.shapes[function]
        if x.shape[1:] != shape and function == "run":
            x = fed(self.graph, x)
        if x.shape[1:] != shape or x.ndim == 0 or len(x) == 0:
            wanted = ", ".join(["N", *map(str, shape)])
            raise InputError(f"codes of shape {list(x.shape)} cannot be read", hint=f"give [{wanted}], N 1 or more")
        if x.dtype == np.uint8:
            return np.ascontiguousarray(x)
        if x.dtype.kind not in "bui" or int(x.min()) < 0 or int(x.max()) > 255:
            raise InputError(f"codes of dtype {x.dtype} cannot be read", hint="give integers from 0 to 255")
        return np.ascontiguousarray(x, np.uint8)

    def _logits(self, calls: Iterable[Call], steps: int) -> Array:
        parts = [logits_of(self.settings, call, steps) for call in calls]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _observation(self, space: Workspace, codes: Array) -> Observation:
        each = (space.run(codes[i : i + 1], traced=True) for i in range(len(codes)))  # a trace is large
        return joined([observation_of(self.settings, call) for calls in each for call in calls])


def shapes_of(graph: Graph, steps: int) -> dict[str, tuple[int, ...]]:
    """Return the shape of one sample's codes for each function."""
    (value,) = graph.inputs
    frame = value.type.shape
    return {"run": frame if value.type.clock == "const" else (steps, *frame), "step": frame}


def asked_to_check() -> bool:
    """Return whether the environment asks for the memory checker."""
    return os.environ.get("SPQC_CHECK", "0") not in ("", "0")


def agreed(results: list[Array]) -> Array:
    """Return the first of equal results; InternalError where the place of memory, or what was in it, changed one."""
    for other in results[1:]:
        if not np.array_equal(results[0], other):
            raise InternalError("the result depends on memory that nobody wrote", hint="please report this")
    return results[0]
