"""Two calls in turn on inputs that rotate: replaying one input would let the branch predictor learn it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Times:
    """Medians of one call in milliseconds: processor time (all threads together) and wall time."""

    cpu_ms: float
    wall_ms: float


def in_turn(calls: Sequence[Callable[[int], Any]], rounds: int, warm_up: int = 2) -> list[Times]:
    """Return the times of calls that take turns; each gets the number of its turn, to choose an input by."""
    cpu: list[list[float]] = [[] for _ in calls]
    wall: list[list[float]] = [[] for _ in calls]
    for turn in range(rounds + warm_up):
        for index, call in enumerate(calls):
            before, began = time.process_time(), time.perf_counter()
            call(turn)
            if turn >= warm_up:
                cpu[index].append((time.process_time() - before) * 1e3)
                wall[index].append((time.perf_counter() - began) * 1e3)
    return [Times(statistics.median(c), statistics.median(w)) for c, w in zip(cpu, wall, strict=True)]


def rounds_for(seconds: float, most: int = 41, budget_s: float = 4.0) -> int:
    """Return how many rounds a budget allows, an odd number from 5 to `most`."""
    return max(5, min(most, int(budget_s / max(seconds, 1e-6)))) | 1
