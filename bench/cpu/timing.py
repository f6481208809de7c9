"""Calls in turns on inputs that rotate: replaying one input would let the branch predictor learn it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Times:
    """Medians of one call in milliseconds: processor time (all threads together) and wall time.

    `calm_ms` is the wall time that a tenth of the calls keep within: on a machine that others use too, what it takes
    when they leave it alone.
    """

    cpu_ms: float
    wall_ms: float
    calm_ms: float


def in_turn(calls: Sequence[Callable[[int], Any]], rounds: int, repeats: int = 3) -> list[Times]:
    """Return the times of calls that take turns of `repeats` timed calls; a call gets its number, to choose an input.

    A turn's first call is not timed: it finds the other's data in the caches, as no user's second call does.
    """
    cpu: list[list[float]] = [[] for _ in calls]
    wall: list[list[float]] = [[] for _ in calls]
    for turn in range(rounds):
        for index, call in enumerate(calls):
            first = turn * (repeats + 1)
            call(first)
            for number in range(first + 1, first + repeats + 1):
                before, began = time.process_time(), time.perf_counter()
                call(number)
                cpu[index].append((time.process_time() - before) * 1e3)
                wall[index].append((time.perf_counter() - began) * 1e3)
    return [_times(c, w) for c, w in zip(cpu, wall, strict=True)]


def _times(cpu: list[float], wall: list[float]) -> Times:
    return Times(statistics.median(cpu), statistics.median(wall), sorted(wall)[len(wall) // 10])


def rounds_for(seconds: float, most: int = 21, budget_s: float = 4.0) -> int:
    """Return how many rounds a budget allows, an odd number from 3 to `most`."""
    return max(3, min(most, int(budget_s / max(seconds, 1e-6)))) | 1
