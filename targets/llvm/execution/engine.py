"""The compiled functions of one artifact with the memory they work in: every entry is under one lock."""

from __future__ import annotations

import faulthandler
import math
import os
from collections.abc import Iterable, Sequence
from functools import partial

import numpy as np

from spqc.foundation.errors import InputError, InternalError, UsageError
from spqc.foundation.locks import ForkLock
from spqc.ir import Array, Graph
from spqc.plugins.executor import Package
from spqc.plugins.frontend import Observation
from spqc.runtime.observe import fed

from ..loader.checks import trusted_constants
from ..loader.native import Call, Library
from .memory import End, Garbage, Region, guarded, plain, read_only
from .results import joined, logits_of, observation_of
from .workspace import Stage, Workspace

_ENDS: tuple[End, End] = ("first", "last")


class Engine:
    """What an executor and its streams share.

    Under the memory checker every call runs twice, on garbage: once in memory whose first byte lies against a guard
    page, once where the last does. What differs is an InternalError.
    """

    def __init__(self, package: Package, check: bool) -> None:
        self.graph = package.graph
        self.settings = package.settings
        self.steps = int(self.settings["steps"])
        self.shapes = shapes_of(self.graph, self.steps)
        self.lock = ForkLock()
        self.native = Library(package.files["model.so"], int(self.settings["threads"]))
        self.spaces = self._spaces(package, check)

    def _spaces(self, package: Package, check: bool) -> list[Workspace]:
        constants = trusted_constants(package)
        elements = {name: math.prod(shape) for name, shape in self.shapes.items()}
        space = partial(Workspace, self.settings, self.native, elements)
        if not check:
            return [space(Region(constants), plain)]
        if not faulthandler.is_enabled():
            faulthandler.enable()  # says where Python was when the process is stopped
        spaces = [space(read_only(constants, end), partial(guarded, end=end)) for end in _ENDS]
        for seed, each in enumerate(spaces):
            each.garbage = Garbage(seed)
        return spaces

    def dirty(self, seed: int | None) -> None:
        with self.lock.now:
            for index, space in enumerate(self.spaces):
                space.garbage = None if seed is None else Garbage(seed, index)

    def run(self, x: Array) -> Array:
        codes = self.checked("run", x)
        with self.lock.now:
            return agreed([self._logits(space.run(codes), self.steps) for space in self.opened()])

    def trace(self, x: Array) -> Observation:
        codes = self.checked("run", x)
        with self.lock.now:
            seen = [self._observation(space, codes) for space in self.opened()]
        for other in seen[1:]:
            agreed([seen[0].logits, other.logits])
            for name in ("spikes", "states", "gates"):
                first, second = getattr(seen[0], name), getattr(other, name)
                for layer in first:
                    agreed([first[layer], second[layer]])
        return seen[0]

    def stages(self, samples: int) -> list[list[Stage]]:
        """Return the stages of a new stream for each workspace; the states in their memory are not yet set."""
        if samples < 1:
            raise InputError(f"a stream holds one sample or more, not {samples}")
        with self.lock.now:
            return [space.stream(samples) for space in self.opened()]

    def step(self, stages: Sequence[Sequence[Stage]], codes: Array) -> Array:
        """Advance a stream, whose stages these are, by checked codes; the caller has the lock."""
        each = zip(self.opened(), stages, strict=True)
        return agreed([self._logits(space.calls(own, codes), 1) for space, own in each])[:, 0]

    def close(self) -> None:
        """Unload the library once no call is under way."""
        with self.lock.now:
            self.spaces = []
            self.native.close()

    def opened(self) -> list[Workspace]:
        """Return the workspaces; UsageError once they are given back."""
        if not self.spaces:
            raise UsageError("the artifact was closed", hint="load it again")
        return self.spaces

    def checked(self, function: str, x: Array) -> Array:
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
