"""The memory of an executor's calls, and the calls themselves, bound to it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from spqc.foundation.errors import InternalError
from spqc.ir.types import Array

from ..loader.native import Call, Calls, Library
from .memory import Allocate, Garbage, Region, plain

_KEPT = 4  # batch sizes whose memory stays bound
_STAGE_BYTES = 1 << 26  # of one region in one call: enough to divide, and far from the 32 bits that kernels count in


class Stage:
    """Calls that run at a time, each with the regions that it works in."""

    def __init__(self, name: str, calls: Calls, regions: Sequence[Mapping[str, Region]]) -> None:
        self.name = name
        self.calls = calls
        self.regions = regions
        self.samples = sum(call.samples for call in calls.each)
        self.guarded = any(region.margins for each in regions for region in each.values())

    def run(self, x: Array, garbage: Garbage | None) -> None:
        """Call the function on codes [N, ...]; the calls then hold the results."""
        if garbage is not None:
            self._dirty(garbage)
        first = 0
        for call in self.calls.each:
            part = x[first : first + call.samples]
            call.memory["input"][: part.size] = part.ravel()
            first += call.samples
        self.calls()
        if self.guarded:
            self._check()

    def _dirty(self, garbage: Garbage) -> None:
        """Fill all that a call may not rely on; constants, and the states of a stream, are kept."""
        kept = {"constant", "state"} if self.name == "step" else {"constant"}
        for regions in self.regions:
            for region in (region for name, region in regions.items() if name not in kept):
                garbage.fill(region.bytes)

    def _check(self) -> None:
        """Raise InternalError where a call wrote beside one of its regions."""
        for regions in self.regions:
            for name, region in regions.items():
                if region.touched():
                    raise InternalError(f"'{self.name}' wrote beside its {name} memory", hint="please report this")


class Workspace:
    """Calls of one library's functions on memory of one kind; `garbage`, if any, fills it before each call."""

    def __init__(
        self,
        settings: Mapping[str, Any],
        native: Library,
        elements: Mapping[str, int],
        constants: Region,
        allocate: Allocate = plain,
    ) -> None:
        self.garbage: Garbage | None = None
        self._settings = settings
        self._threads = int(settings["threads"])
        self._native = native
        self._elements = elements  # codes of one sample that each function reads
        self._constants = constants
        self._allocate = allocate
        self._arenas: dict[str, list[Region]] = {}
        self._bound: OrderedDict[tuple[int, bool], list[Stage]] = OrderedDict()

    def run(self, x: Array, traced: bool = False) -> Iterator[Call]:
        """Run the whole window on codes [N, ...]; yield each call, which holds results until the next is asked for."""
        key = (len(x), traced)
        stages = self._bound.get(key)
        if stages is None:
            while len(self._bound) >= _KEPT:
                self._bound.popitem(last=False)
            stages = self._bound[key] = self._stages("run", len(x), traced)
        self._bound.move_to_end(key)
        return self.calls(stages, x)

    def calls(self, stages: Sequence[Stage], x: Array) -> Iterator[Call]:
        """Run stages on their samples of codes [N, ...]; yield each call, which holds its results."""
        first = 0
        for stage in stages:
            stage.run(x[first : first + stage.samples], self.garbage)
            yield from stage.calls.each
            first += stage.samples

    def stream(self, samples: int) -> list[Stage]:
        """Return the stages of one step of a stream, with state memory of their own, not yet set."""
        return [self._bind("step", sizes, False) for sizes in shares(samples, self._threads, self._most("step", False))]

    def _stages(self, name: str, samples: int, traced: bool) -> list[Stage]:
        """Return the stages of a batch; those of one size share their memory."""
        sizes = shares(samples, 1 if traced else self._threads, self._most(name, traced))
        bound = {each: self._bind(name, each, traced) for each in dict.fromkeys(map(tuple, sizes))}
        return [bound[tuple(each)] for each in sizes]

    def _bind(self, name: str, sizes: Sequence[int], traced: bool) -> Stage:
        arenas = self._arenas_of(name, len(sizes))
        regions = [{**self._memory(name, n, traced), "arena": arena} for n, arena in zip(sizes, arenas, strict=True)]
        calls = [
            Call(size, traced, {region: memory.bytes for region, memory in each.items()})
            for size, each in zip(sizes, regions, strict=True)
        ]
        return Stage(name, self._native.calls(name, calls), regions)

    def _arenas_of(self, name: str, count: int) -> list[Region]:
        """Return the arenas of so many calls at a time; plain ones serve all functions."""
        functions = self._settings["functions"]
        shared = self._allocate is plain
        size = max(int(f["arena_bytes"]) for f in functions.values()) if shared else int(functions[name]["arena_bytes"])
        arenas = self._arenas.setdefault("" if shared else name, [])
        while len(arenas) < count:
            arenas.append(self._allocate(size))
        return arenas[:count]

    def _memory(self, name: str, samples: int, traced: bool) -> dict[str, Region]:
        """Return the regions of one call: under guard just what it may touch, else with room behind."""
        function = self._settings["functions"][name]
        room = 64 if self._allocate is plain else 0
        sizes = {
            "input": self._elements[name],
            "result": 4 * int(function["result_elements"]),
            "trace": int(function["trace_bytes"]) if traced else 0,
            "state": int(self._settings["state_bytes"]) if name == "step" else 0,
        }
        regions = {region: self._allocate(samples * size + room or 64) for region, size in sizes.items()}
        return {**regions, "constant": self._constants}

    def _most(self, name: str, traced: bool) -> int:
        """Return how many samples one call takes: no region grows beyond what kernels can index."""
        function = self._settings["functions"][name]
        trace = int(function["trace_bytes"]) if traced else 0
        widest = max(
            self._elements[name], 4 * int(function["result_elements"]), trace, int(self._settings["state_bytes"])
        )
        return max(1, _STAGE_BYTES // widest)


def shares(samples: int, threads: int, most: int | None = None) -> list[list[int]]:
    """Return the stages of a batch: equal shares for all threads, then the rest for all together.

    A share is `most` samples at the most; what is more takes further stages.
    """
    limit = most or samples
    full, rest = divmod(samples, limit * threads)
    stages = [[limit] * threads] * full
    if threads > 1 and rest >= threads:
        stages.append([rest // threads] * threads)
        rest %= threads
    return stages + [[min(limit, rest - first)] for first in range(0, rest, limit)]
