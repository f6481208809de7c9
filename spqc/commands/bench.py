"""Measured speed of a compiled network, and of the same model in its own framework."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass, field

import numpy as np

from spqc.commands.sources import Model
from spqc.foundation.errors import UsageError
from spqc.ir import Array
from spqc.plugins.frontend import Eager
from spqc.runtime.measure import Timing, measure
from spqc.runtime.observe import fed
from spqc.runtime.session import Artifact


@dataclass(frozen=True)
class BenchRow:
    """One batch size: the compiled network, and the framework's eager mode where a model and its framework have one."""

    batch: int
    compiled: Timing
    eager: Timing | None = None

    @property
    def speedup(self) -> float | None:
        """The framework's median time over ours."""
        return self.eager.median_ms / self.compiled.median_ms if self.eager else None


@dataclass(frozen=True)
class BenchReport:
    """Measured times on this machine; `threads` is what the user asked for, None where nothing was."""

    target: str
    model: str
    inputs: str
    threads: int | None
    machine: str
    cores: int
    rows: list[BenchRow] = field(default_factory=list)


def measure_artifact(
    artifact: Artifact,
    model: Model | None,
    codes: Array,
    description: str,
    batches: tuple[int, ...],
    repeats: int,
    threads: int | None,
) -> BenchReport:
    """Time the executor, and the framework's eager mode, on rotating inputs of each batch size.

    Raises UsageError for an executor whose clock is modelled: a simulator's own time says nothing of the machine.
    """
    if artifact.executor.clock != "wall":
        raise UsageError(
            f"target '{artifact.target}' runs in a simulator, whose time on this machine says nothing",
            hint="its own figures are modelled: `spqc run` and `spqc analyze` give them",
        )
    eager = model.frontend.eager(model.source) if model and isinstance(model.frontend, Eager) else None
    rows = []
    for batch in batches:
        inputs = _rotating(codes, batch)
        ours = measure(artifact.executor.run, [fed(artifact.graph, x) for x in inputs], repeats)
        theirs = measure(eager, inputs, max(repeats // 4, 5)) if eager else None
        rows.append(BenchRow(batch, ours, theirs))
    label = model.source.label if model else str(artifact.contents.source.get("model", ""))
    return BenchReport(artifact.target, label, description, threads, platform.machine(), os.cpu_count() or 1, rows)


def _rotating(codes: Array, batch: int, most: int = 16) -> list[Array]:
    """Return up to `most` different inputs of `batch` samples, so that no call sees what the one before saw."""
    count = min(most, max(1, len(codes) // batch))
    return [
        np.ascontiguousarray(np.take(codes, range(i * batch, (i + 1) * batch), axis=0, mode="wrap"))
        for i in range(count)
    ]
