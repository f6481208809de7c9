"""Measured time: wall clock and processor time of repeated calls over rotating inputs."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from spqc.ir import Array


@dataclass(frozen=True)
class Timing:
    """Measured milliseconds of one call, over `repeats` calls; CPU time adds up all threads."""

    median_ms: float
    min_ms: float
    cpu_median_ms: float
    repeats: int
    kind: str = "measured"


def measure(call: Callable[[Array], object], inputs: Sequence[Array], repeats: int, warm_up: int = 3) -> Timing:
    """Return the times of `repeats` calls, the inputs one after another, after `warm_up` calls that are not timed."""
    for index in range(warm_up):
        call(inputs[index % len(inputs)])
    wall, cpu = [], []
    for index in range(repeats):
        x = inputs[index % len(inputs)]
        before_cpu, before = time.process_time(), time.perf_counter()
        call(x)
        wall.append((time.perf_counter() - before) * 1e3)
        cpu.append((time.process_time() - before_cpu) * 1e3)
    return Timing(statistics.median(wall), min(wall), statistics.median(cpu), repeats)
